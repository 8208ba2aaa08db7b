"""Queries over the control store's `sdk_counts`; the caller owns the transaction."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, and_, func, select
from sqlalchemy.exc import IntegrityError

from infraprism_server.control_store.tables import sdk_counts
from infraprism_server.sdk_reports.health import Count

Key = tuple[str, str]
"""The kind of a number, and a reason or a field's name."""


def add(
    connection: Connection,
    account: int,
    day: int,
    *,
    sender: tuple[str, str],
    counts: Mapping[Key, int],
    now_us: int,
) -> None:
    """Add numbers to those of one version and runtime on one day."""
    version, runtime = sender
    for (kind, name), count in counts.items():
        key = {
            "account": account,
            "day": day,
            "version": version,
            "runtime": runtime,
            "kind": kind,
            "name": name,
        }
        if _added(connection, key, count, now_us):
            continue
        try:
            # A savepoint: on PostgreSQL another transaction may have inserted it in between.
            with connection.begin_nested():
                connection.execute(
                    sdk_counts.insert().values(**key, count=count, updated_at_us=now_us)
                )
        except IntegrityError:
            _added(connection, key, count, now_us)


def known_on(
    connection: Connection, account: int, day: int
) -> tuple[set[tuple[str, str]], set[Key]]:
    """The versions with their runtimes, and the kinds with their names, that a day has already."""
    mine = and_(sdk_counts.c.account == account, sdk_counts.c.day == day)
    senders = select(sdk_counts.c.version, sdk_counts.c.runtime).where(mine).distinct()
    names = select(sdk_counts.c.kind, sdk_counts.c.name).where(mine).distinct()
    return (
        {(row[0], row[1]) for row in connection.execute(senders)},
        {(row[0], row[1]) for row in connection.execute(names)},
    )


def select_counts(connection: Connection, account: int, since_day: int) -> list[Count]:
    """An account's numbers from a day on."""
    mine = select(
        sdk_counts.c.day,
        sdk_counts.c.version,
        sdk_counts.c.runtime,
        sdk_counts.c.kind,
        sdk_counts.c.name,
        sdk_counts.c["count"],
        sdk_counts.c.updated_at_us,
    ).where(sdk_counts.c.account == account, sdk_counts.c.day >= since_day)
    return [Count(*row) for row in connection.execute(mine)]


def sum_everywhere(connection: Connection, since_day: int) -> list[Count]:
    """The numbers of all accounts from a day on, summed over accounts and days."""
    by = (sdk_counts.c.version, sdk_counts.c.runtime, sdk_counts.c.kind, sdk_counts.c.name)
    sums = (
        select(
            *by, func.sum(sdk_counts.c["count"]).label("sum"), func.max(sdk_counts.c.updated_at_us)
        )
        .where(sdk_counts.c.day >= since_day)
        .group_by(*by)
    )
    return [
        Count(since_day, version, runtime, kind, name, int(count), updated_at_us)
        for version, runtime, kind, name, count, updated_at_us in connection.execute(sums)
    ]


def purge(connection: Connection, before_day: int) -> int:
    """Forget what is older than a day, of all accounts. Answers how many numbers that were."""
    return connection.execute(sdk_counts.delete().where(sdk_counts.c.day < before_day)).rowcount


def _added(connection: Connection, key: Mapping[str, object], count: int, now_us: int) -> bool:
    mine = and_(*(sdk_counts.c[name] == value for name, value in key.items()))
    statement = (
        sdk_counts.update()
        .where(mine)
        .values(count=sdk_counts.c["count"] + count, updated_at_us=now_us)
    )
    return connection.execute(statement).rowcount > 0
