"""`serve --bootstrap`: on an empty installation an account, its key and real traffic."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from infraprism_server.accounts.account import Account
from infraprism_server.accounts.plan import ENTERPRISE
from infraprism_server.accounts.service import NewAccount
from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.application import Application
from infraprism_server.errors import StartupError, Unavailable
from infraprism_server.importer.sample import ABOUT, import_sample
from infraprism_server.settings import Settings
from infraprism_server.usage.schemas import UsageQueryIn
from infraprism_server.welcome import SpendLine, print_key, print_spend

REQUESTS_PER_MINUTE = 1_000_000
STORE_TIMEOUT_SECONDS = 60
PENDING_SAMPLE = "sample.pending"
"""In the data folder while the sample is not all in: when its import was begun."""


def bootstrap(application: Application, settings: Settings, console: Console) -> str | None:
    """Make the first account when there is none; show its spend. The new key, or None."""
    marker = settings.data_dir / PENDING_SAMPLE
    accounts, _ = application.accounts.page(limit=1)
    made_key = None
    if accounts:
        account = accounts[0]
    else:
        account = application.accounts.create(
            NewAccount(
                email="admin@localhost",
                name="Administrator",
                company="",
                plan=ENTERPRISE,
                rate_limit_per_minute=REQUESTS_PER_MINUTE,
            )
        )
        made_key = application.api_keys.create(account.number, CreateKey("bootstrap")).key
        # Shown before anything else can go wrong: it can not be shown again.
        print_key(console, made_key)
        if settings.sample:
            marker.write_text(str(application.clock.now_us()), encoding="ascii")
    if marker.exists():
        _import(application, account, console, int(marker.read_text(encoding="ascii")))
        marker.unlink()
    lines = _spend(application, account)
    if lines:
        print_spend(console, lines)
    return made_key


def _import(application: Application, account: Account, console: Console, as_of_us: int) -> None:
    """Import the sample as it was begun at `as_of_us`: the same ids, so nothing counts twice."""
    console.print(ABOUT, style="dim")

    def send(batch: object) -> None:
        body = msgspec.json.encode({"events": batch})
        try:
            pending = application.events.take(account.number, body, None)
            answer = pending.answer(pending.stored.result(STORE_TIMEOUT_SECONDS))
        except Unavailable:
            raise StartupError(
                "The sample could not be stored: the disk is full or fails. Free some room and "
                "start again; it goes on where it stopped"
            ) from None
        if answer.rejected:
            raise StartupError(f"The sample was refused: {answer.rejected[0].error.message}")

    with Progress(
        TextColumn("Importing the sample"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    ) as progress:
        bar = progress.add_task("sample", total=None)
        import_sample(
            send,
            as_of_us,
            lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _spend(application: Application, account: Account) -> list[SpendLine]:
    """Spend by entity and model, dearest first."""
    query = UsageQueryIn(group_by=["entity_id", "model"], limit=20)
    page = application.usage.sum(account.number, query, 0).page
    return [
        SpendLine(
            entity="(unattributed)" if row.group[0] is None else str(row.group[0]),
            model=str(row.group[1]),
            sums=row.sums,
        )
        for row in page.rows
        if row.group is not None
    ]
