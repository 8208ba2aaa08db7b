"""`infraprism anomalies …`: the running server judges past hours, the command shows how far."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies.service import AnomalyService, BackfillProgress
from infraprism_server.background.jobs import Job, JobQueue
from infraprism_server.clock import SystemClock, to_us
from infraprism_server.pricing.cli import ControlAccess

_POLL_SECONDS: Final = 0.2
_WAIT_FOR_SERVER_SECONDS: Final = 30.0


@click.group("anomalies")
def anomalies_group() -> None:
    """Anomalies in spend."""


@anomalies_group.command("backfill")
@click.option(
    "--from",
    "start",
    required=True,
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="UTC; at most 366 days ago.",
)
@click.option("--account", help="Account id or e-mail; needed when there are several.")
@click.pass_obj
def backfill(access: ControlAccess, start: datetime, account: str | None) -> None:
    """Judge past hours, in the running server. What it finds is listed and not told."""
    engine, clock = access.open_engine(), SystemClock()
    service = AnomalyService(
        engine,
        clock=clock,
        accounts=AccountService(engine, clock),
        event_store=None,
        jobs=JobQueue(engine, clock),
    )
    number = access.find_account(engine, account)
    job = service.start_backfill(number, to_us(start.replace(tzinfo=UTC)))
    job, done = _watched(service, number, job)
    if job.status != "completed":
        raise click.ClickException(job.error or f"The backfill was {job.status}")
    Console().print(f"{done.hours_done:,} hours judged, {done.found:,} anomalies found.")


def _watched(service: AnomalyService, account: int, job: Job) -> tuple[Job, BackfillProgress]:
    deadline = time.monotonic() + _WAIT_FOR_SERVER_SECONDS
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("hours", total=None)
        while True:
            job, done = service.get_backfill(account, job.id)
            progress.update(bar, completed=done.hours_done, total=done.hours_total or None)
            if job.status not in ("queued", "running"):
                return job, done
            if job.status == "queued" and time.monotonic() > deadline:
                raise click.ClickException(
                    f"{job.id} waits for the server (infraprism serve), which will do it"
                )
            time.sleep(_POLL_SECONDS)
