"""`infraprism backup | restore | compact | erase`: asked for here, done by whoever has the stores.

That is the running server; without one it is the command itself. Either way it is a job, which goes
on after a kill.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from infraprism_server.background.jobs import Job, JobQueue
from infraprism_server.cli_context import CliContext, data_dir_option, print_json
from infraprism_server.clock import SystemClock
from infraprism_server.errors import InvalidRequest, NotFound
from infraprism_server.event_store.lasting import Compacted
from infraprism_server.http.wire import Dollars
from infraprism_server.upkeep import work
from infraprism_server.upkeep.manifest import Manifest
from infraprism_server.upkeep.restoring import restore

_POLL_SECONDS: Final = 0.2
_WAIT_FOR_SERVER_SECONDS: Final = 120.0

_Result = TypeVar("_Result", bound=msgspec.Struct)
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
_dry_run = click.option("--dry-run", is_flag=True, help="Only say what would be erased.")
_yes = click.option("--yes", is_flag=True, help="Do not ask: what is erased does not come back.")
_mode = click.option(
    "--pseudonymise", is_flag=True, help="Keep events and totals under a name that says nothing."
)
_keep_tags = click.option(
    "--keep-tags", is_flag=True, help="With --pseudonymise: tags and session ids stay too."
)


@click.command("backup")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--without-secret-key", is_flag=True, help="Leave secret.key out: keep it elsewhere.")
@data_dir_option
@_json
@click.pass_obj
def backup_command(
    context: CliContext, folder: Path, *, without_secret_key: bool, as_json: bool
) -> None:
    """Write a backup to FOLDER, empty or new, of the server's machine; the server may run."""
    target = folder.absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidRequest(f"{target} is not an empty folder: name another", "folder")
    wanted = work.Backup(str(target), secret_key=not without_secret_key)
    made = _do(context, work.BACK_UP, wanted, Manifest, quiet=as_json)
    if as_json:
        print_json(made)
        return
    size = sum(entry.bytes for entry in made.files)
    click.echo(f"{made.events:,} events and {size:,} bytes are in {target}.")
    if made.key_file == "left out":
        click.echo("secret.key is not: without it webhooks can not sign after a restore.")
    if made.control_store == "elsewhere":
        click.echo("The control store is PostgreSQL: back it up by its own means (pg_dump).")
    click.echo(f"To restore: infraprism restore {target} --data-dir NEW_FOLDER")


@click.command("restore")
@click.argument("folder", type=click.Path(path_type=Path))
@data_dir_option
@_json
@click.pass_obj
def restore_command(context: CliContext, folder: Path, *, as_json: bool) -> None:
    """Verify the backup in FOLDER and put it into the data folder, which must be empty."""
    settings = context.settings()
    with _bar(quiet=as_json) as progress:
        bar = progress.add_task("verifying and copying", total=1.0)
        made = restore(
            folder.absolute(),
            settings.data_dir,
            lambda part: progress.update(bar, completed=part),
            control_elsewhere=settings.control_url is not None,
        )
    if as_json:
        print_json(made)
        return
    click.echo(f"{made.events:,} events of {made.created_at} are in {settings.data_dir.absolute()}")
    if made.key_file == "left out":
        click.echo("Put secret.key there too, or webhooks can not sign.")
    click.echo(f"To go on: infraprism serve --data-dir {settings.data_dir}")


@click.command("compact")
@data_dir_option
@_json
@click.pass_obj
def compact_command(context: CliContext, *, as_json: bool) -> None:
    """Give the disk back what deleted events took. Ingest and reads go on meanwhile."""
    done = _do(context, work.COMPACT, work.Compaction(), Compacted, quiet=as_json)
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.bytes_before:,} bytes became {done.bytes_after:,}.")


@click.group("erase")
def erase_group() -> None:
    """Erase an entity or an account, or pseudonymise it and keep the totals."""


@erase_group.command("entity")
@click.argument("entity_type")
@click.argument("entity_id")
@click.option("--account", help="Account id or e-mail; needed when there are several.")
@_mode
@_keep_tags
@_dry_run
@_yes
@data_dir_option
@_json
@click.pass_obj
def erase_entity(
    context: CliContext, /, *, entity_type: str, entity_id: str, account: str | None, **how: bool
) -> None:
    """Erase the events and everything else that names ENTITY_TYPE ENTITY_ID."""
    number = context.account(account).number
    _erase(context, f"{entity_type} '{entity_id}'", number, (entity_type, entity_id), **how)


@erase_group.command("account")
@click.argument("account")
@_mode
@_keep_tags
@_dry_run
@_yes
@data_dir_option
@_json
@click.pass_obj
def erase_account(context: CliContext, /, *, account: str, **how: bool) -> None:
    """Erase ACCOUNT (its id or e-mail) with everything in it; its keys stop at once."""
    found = context.account(account)
    _erase(context, f"account {found.id} ({found.email})", found.number, (None, None), **how)


def _erase(
    context: CliContext,
    what: str,
    account: int,
    entity: tuple[str | None, str | None],
    *,
    pseudonymise: bool,
    keep_tags: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    if keep_tags and not pseudonymise:
        raise InvalidRequest("--keep-tags goes with --pseudonymise", "keep_tags")
    wanted = work.Erasure(
        account=account,
        entity_type=entity[0],
        entity_id=entity[1],
        mode="pseudonymise" if pseudonymise else "delete",
        keep_tags=keep_tags,
        dry_run=True,
    )
    before = _do(context, work.ERASE, wanted, work.Erased, quiet=True)
    if dry_run:
        _show_erased(what, before, "would be", as_json=as_json)
        return
    if not yes:
        _show_erased(what, before, "will be", as_json=False)
        click.confirm("This does not come back. Erase it?", abort=True, err=True)
    sure = msgspec.structs.replace(wanted, dry_run=False)
    _show_erased(
        what, _do(context, work.ERASE, sure, work.Erased, quiet=as_json), "were", as_json=as_json
    )


def _show_erased(what: str, erased: work.Erased, verb: str, *, as_json: bool) -> None:
    if as_json:
        print_json(erased)
        return
    cost = f" ({Dollars(erased.cost_pico).text()} USD)" if erased.cost_pico else ""
    kept = f"kept as {erased.pseudonym}" if erased.pseudonym else "erased"
    click.echo(f"{what}: {erased.events:,} events{cost} {verb} {kept}")
    click.echo(f"with {erased.rows:,} rows beside them and {erased.exports:,} exports.")
    if verb == "were":
        click.echo("The disk holds it until: infraprism compact. Older backups hold it still.")


def _do(
    context: CliContext, kind: str, wanted: msgspec.Struct, result: type[_Result], *, quiet: bool
) -> _Result:
    """Queue a job, see that somebody does it, and show how far it is."""
    assert context.doing_upkeep is not None
    with context.doing_upkeep(context.settings()) as here:
        queue = JobQueue(context.open_engine(), SystemClock())
        job = queue.insert(kind, None, wanted)
        with _bar(quiet=quiet) as progress:
            job = _watched(queue, job, progress, here=here)
    if job.status != "completed" or job.result is None:
        error = job.error or f"It was {job.status}"
        if "There is no" in error:
            raise NotFound(error)
        raise click.ClickException(error)
    return msgspec.json.decode(job.result, type=result)


def _watched(queue: JobQueue, job: Job, progress: Progress, *, here: bool) -> Job:
    deadline = time.monotonic() + _WAIT_FOR_SERVER_SECONDS
    bar = progress.add_task("waiting", total=1.0)
    failed = 0
    while True:
        job = queue.get(None, job.kind, job.id)
        done = msgspec.json.decode(job.progress, type=work.Done)
        progress.update(bar, completed=done.part, description=done.step)
        if job.status not in ("queued", "running"):
            if job.status == "completed":
                progress.update(bar, completed=1.0)
            return job
        if job.error is not None and job.attempts > failed:
            failed = job.attempts
            progress.console.print(f"{job.error}; trying again", style="dim")
        if job.status == "queued" and not here and time.monotonic() > deadline:
            raise click.ClickException(
                f"{job.id} waits for the server, which is busy with other upkeep; it will be done"
            )
        time.sleep(_POLL_SECONDS)


def _bar(*, quiet: bool) -> Any:  # noqa: ANN401 - a Progress
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )
