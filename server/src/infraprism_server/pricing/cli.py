"""`infraprism prices …`: the account's own prices, look-ups and repricings, on the terminal.

The commands write to the control store. What needs the events themselves (unpriced, reprice) is a
job: the running server does it, and the command waits and shows the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from sqlalchemy import Engine

from infraprism_server.background.jobs import JobQueue
from infraprism_server.clock import SystemClock, from_us, iso_utc, to_us
from infraprism_server.errors import InfraPrismError
from infraprism_server.http.wire import Dollars
from infraprism_server.pricing.overrides import field_name
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.rate_card import SERVICE_TIERS, UNITS
from infraprism_server.pricing.schemas import (
    PriceOverrideIn,
    PriceOverrideOut,
    RepricingIn,
    RepricingOut,
    RepricingResultOut,
)
from infraprism_server.pricing.service import PricingService
from infraprism_server.pricing.tasks import UNPRICED_KIND, UnpricedQuery, UnpricedReport

_POLL_SECONDS: Final = 0.2
_WAIT_FOR_SERVER_SECONDS: Final = 30.0
_SHOWN_ENTITIES: Final = 20
_DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@dataclass(frozen=True, slots=True)
class ControlAccess:
    """How the commands reach the control store: the `obj` of their click context."""

    open_engine: Callable[[], Engine]
    find_account: Callable[[Engine, str | None], int]
    """The number of the account named by id or e-mail; the only one there is for None."""


class _Amount(click.ParamType[Decimal]):
    name = "decimal"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        try:
            return Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)


@click.group("prices")
def prices_group() -> None:
    """Prices: the account's own, what is listed, and what could not be priced."""


_account = click.option("--account", help="Account id or e-mail; needed when there are several.")


@prices_group.command("list")
@_account
@click.pass_obj
def list_prices(access: ControlAccess, account: str | None) -> None:
    """Show the account's own prices, those created last first."""
    service, number = _open(access, account)
    found = service.list_overrides(number, 1_000, 0).data
    table = Table("id", "provider", "match", "model", "prices", "from", "to", "note")
    for one in found:
        table.add_row(
            one.id,
            one.provider,
            one.match,
            one.model or "",
            _prices_text(one),
            iso_utc(one.effective_from.us) if one.effective_from else "",
            iso_utc(one.effective_to.us) if one.effective_to else "",
            one.note or "",
        )
    _show(table if found else "No prices of your own: list prices apply.")


def _price_options(command: Callable[..., None]) -> Callable[..., None]:
    for unit in reversed(UNITS):
        option = "--" + field_name(unit).replace("_", "-")
        command = click.option(option, field_name(unit), type=_Amount())(command)
    return command


@prices_group.command("add")
@click.argument("provider")
@click.argument("model", required=False)
@click.option("--match", type=click.Choice(["exact", "prefix", "provider"]), default=None)
@_price_options
@click.option("--discount-percent", type=_Amount(), help="Instead of prices.")
@click.option("--from", "effective_from", type=_DATE, help="UTC; default: always.")
@click.option("--to", "effective_to", type=_DATE, help="UTC, exclusive; default: for good.")
@click.option("--note", default=None)
@_account
@click.pass_obj
def add_price(
    access: ControlAccess,
    /,
    *,
    provider: str,
    model: str | None,
    match: str | None,
    effective_from: datetime | None,
    effective_to: datetime | None,
    account: str | None,
    **given: object,
) -> None:
    """Add a price for MODEL of PROVIDER, or a discount."""
    service, number = _open(access, account)
    fields = {
        **given,
        "provider": provider,
        "model": model,
        "match": match or ("exact" if model else "provider"),
        "effective_from": effective_from and effective_from.replace(tzinfo=UTC),
        "effective_to": effective_to and effective_to.replace(tzinfo=UTC),
    }
    try:
        added = service.create_override(number, msgspec.convert(fields, PriceOverrideIn))
    except msgspec.ValidationError as error:
        raise click.ClickException(str(error)) from None
    except InfraPrismError as error:
        raise click.ClickException(error.message) from None
    _show(
        f"Added {added.id}. Events from now on use it; `infraprism prices reprice` does the rest."
    )


@prices_group.command("remove")
@click.argument("price_id")
@_account
@click.pass_obj
def remove_price(access: ControlAccess, price_id: str, account: str | None) -> None:
    """Remove one of the account's own prices. Stored costs do not change."""
    service, number = _open(access, account)
    try:
        service.delete_override(number, price_id)
    except InfraPrismError as error:
        raise click.ClickException(error.message) from None
    _show(f"Removed {price_id}.")


@prices_group.command("lookup")
@click.argument("provider")
@click.argument("model")
@click.option("--tier", type=click.Choice(SERVICE_TIERS), default="standard")
@click.option("--at", type=_DATE, help="UTC; default: now.")
@_account
@click.pass_obj
def lookup_price(
    access: ControlAccess,
    /,
    *,
    provider: str,
    model: str,
    tier: str,
    at: datetime | None,
    account: str | None,
) -> None:
    """Show what a call would be charged by."""
    service, number = _open(access, account)
    at_us = None if at is None else to_us(at.replace(tzinfo=UTC))
    try:
        found = service.lookup(number, provider, model, tier, at_us)
    except InfraPrismError as error:
        raise click.ClickException(error.message) from None
    steps = [step.above_input_tokens for step in found.steps]
    table = Table("price", "USD", *[f"above {above:,} input tokens" for above in steps])
    for unit in UNITS:
        name = field_name(unit)
        if getattr(found, name) is not None:
            cells = [getattr(one, name) for one in (found, *found.steps)]
            table.add_row(name.replace("_usd_", " ").replace("_", " "), *[f"{c:f}" for c in cells])
    table.caption = f"{found.source} · {found.price_version}"
    _show(table)


@prices_group.command("unpriced")
@_account
@click.pass_obj
def unpriced_models(access: ControlAccess, account: str | None) -> None:
    """List the models whose calls could not be priced. Needs the running server."""
    engine = access.open_engine()
    queue = JobQueue(engine, SystemClock())
    number = access.find_account(engine, account)
    job = queue.insert(UNPRICED_KIND, number, UnpricedQuery())
    deadline = time.monotonic() + _WAIT_FOR_SERVER_SECONDS
    while job.status in ("queued", "running"):
        if time.monotonic() > deadline:
            queue.cancel(number, (UNPRICED_KIND,), job.id)
            raise click.ClickException("No answer: this needs the server to run (infraprism serve)")
        time.sleep(_POLL_SECONDS)
        job = queue.get(number, UNPRICED_KIND, job.id)
    if job.result is None:
        raise click.ClickException(job.error or "It did not work; the server's log says why")
    models = msgspec.json.decode(job.result, type=UnpricedReport).models
    table = Table("provider", "model", "events", "input tokens", "output tokens", "last seen")
    for one in models:
        tokens = (f"{one.events:,}", f"{one.input_tokens:,}", f"{one.output_tokens:,}")
        table.add_row(one.provider, one.model, *tokens, f"{from_us(one.last_seen_us):%Y-%m-%d}")
    _show(table if models else "Every event has a price.")


@prices_group.command("reprice")
@click.option("--dry-run", is_flag=True, help="Only show the difference.")
@click.option("--only", type=click.Choice(["unpriced", "all"]), default="unpriced")
@click.option("--from", "start", type=_DATE, help="UTC, inclusive.")
@click.option("--to", "end", type=_DATE, help="UTC, exclusive.")
@click.option("--provider", default=None)
@click.option("--model", default=None)
@_account
@click.pass_obj
def reprice(
    access: ControlAccess,
    /,
    *,
    dry_run: bool,
    only: str,
    start: datetime | None,
    end: datetime | None,
    provider: str | None,
    model: str | None,
    account: str | None,
) -> None:
    """Price stored events again, in the running server. Reported costs are never touched."""
    service, number = _open(access, account)
    fields = {"dry_run": dry_run, "only": only, "provider": provider, "model": model}
    bounds = [None if one is None else to_us(one.replace(tzinfo=UTC)) for one in (start, end)]
    started = service.start_repricing(number, msgspec.convert(fields, RepricingIn), *bounds)
    _show(f"Repricing {started.id}")
    done = _watch(service, number, started)
    if done.result is None:
        raise click.ClickException(done.error or f"The repricing was {done.status}")
    _show_result(done.result, dry_run=dry_run)


def _watch(service: PricingService, account: int, job: RepricingOut) -> RepricingOut:
    deadline = time.monotonic() + _WAIT_FOR_SERVER_SECONDS
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("events", total=None)
        while job.status in ("queued", "running"):
            if job.status == "queued" and time.monotonic() > deadline:
                raise click.ClickException(
                    f"{job.id} waits for the server (infraprism serve), which will do it"
                )
            time.sleep(_POLL_SECONDS)
            job = service.get_repricing(account, job.id)
            progress.update(bar, completed=job.events_done, total=job.events_total)
    return job


def _show_result(result: RepricingResultOut, *, dry_run: bool) -> None:
    table = Table("entity", "events", "before USD", "after USD", "difference USD")
    for one in result.entities[:_SHOWN_ENTITIES]:
        name = f"{one.entity_type}/{one.entity_id}" if one.entity_type else "(unattributed)"
        amounts = (one.cost_before_usd, one.cost_after_usd, one.difference_usd)
        table.add_row(name, f"{one.events:,}", *map(Dollars.text, amounts))
    _show(table)
    changed = "would change" if dry_run else "changed"
    _show(
        f"{result.events:,} events looked at, {result.changed_events:,} {changed}, "
        f"{result.still_unpriced_events:,} still unpriced; "
        f"difference {result.difference_usd.text()} USD"
    )


def _open(access: ControlAccess, account: str | None) -> tuple[PricingService, int]:
    engine = access.open_engine()
    service = PricingService(engine, SystemClock(), PriceBook())
    return service, access.find_account(engine, account)


def _prices_text(override: PriceOverrideOut) -> str:
    if override.discount_percent is not None:
        return f"-{override.discount_percent:f} %"
    stated = ((unit, getattr(override, field_name(unit))) for unit in UNITS)
    return ", ".join(f"{unit} {price:f}" for unit, price in stated if price is not None)


def _show(what: Table | str) -> None:
    Console().print(what)
