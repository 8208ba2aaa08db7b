"""`infraprism import FILE…`: reads the options, runs the import, says what became of the lines."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import IO
from zoneinfo import ZoneInfo

import click
import msgspec

from infraprism_server.clock import SystemClock
from infraprism_server.importer import mapping as mappings
from infraprism_server.importer.checkpoint import state_folder
from infraprism_server.importer.mapping import PRESETS, Mapping, MappingError
from infraprism_server.importer.progress import BarReporter, PlainReporter
from infraprism_server.importer.reader import FORMATS, UnreadableFileError
from infraprism_server.importer.sender import SendingError, StoppedError
from infraprism_server.importer.service import TO_YESTERDAY, Import, OnRejected, Request
from infraprism_server.importer.summary import Counts
from infraprism_server.importer.translation import Rejection

_INTERRUPTED = 130
_encode = msgspec.json.Encoder(decimal_format="number").encode


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--api-key", envvar="INFRAPRISM_API_KEY", help="Key of the account to import into.")
@click.option(
    "--url",
    envvar="INFRAPRISM_BASE_URL",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Address of the server.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN",
    help="A column to a field; tags.KEY=COLUMN; JSON paths by dots; FIELD= leaves it out.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="FIELD=VALUE",
    help="The same value for every line; tags.KEY=VALUE.",
)
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same from a JSON file.",
)
@click.option(
    "--preset", type=click.Choice(sorted(PRESETS)), help="The mapping of a known kind of file."
)
@click.option("--assume-model", metavar="PROVIDER/MODEL", help="For lines that name no model.")
@click.option(
    "--shift",
    default="0",
    metavar="DAYS|to-yesterday",
    help="Move all times by whole days; to-yesterday: the last day in the files is yesterday.",
)
@click.option("--timezone", metavar="ZONE", help="Zone of timestamps that have none.")
@click.option("--format", "file_format", type=click.Choice(FORMATS), help="Instead of by the name.")
@click.option(
    "--dry-run", is_flag=True, help="Send nothing; check every line and show the first events."
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write rejected lines there, as JSON lines with the reason.",
)
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
def import_command(
    *,
    files: tuple[Path, ...],
    api_key: str | None,
    url: str,
    maps: tuple[str, ...],
    sets: tuple[str, ...],
    mapping_file: Path | None,
    preset: str | None,
    assume_model: str | None,
    shift: str,
    timezone: str | None,
    file_format: str | None,
    dry_run: bool,
    rejects: Path | None,
    as_json: bool,
    no_progress: bool,
) -> None:
    """Send CSV, JSON lines or Parquet FILES of LLM calls to a server.

    Columns named like event fields are taken as they are. Run it twice and everything counts
    once; interrupt it and the same command goes on. Exit code 0: every line was accepted or
    known already.
    """
    try:
        mapping = _mapping(
            maps=maps,
            sets=sets,
            mapping_file=mapping_file,
            preset=preset,
            assume_model=assume_model,
            timezone=timezone,
        )
    except MappingError as error:
        raise click.UsageError(str(error)) from None
    if not api_key and not dry_run:
        raise click.UsageError("No API key: give --api-key or set INFRAPRISM_API_KEY.")
    request = Request(
        files=tuple(dict.fromkeys(files)),
        mapping=mapping,
        url=url,
        api_key=api_key or "",
        state_folder=state_folder(),
        file_format=file_format,
        shift=_shift(shift),
        dry_run=dry_run,
    )
    sys.exit(_run(request, rejects, as_json=as_json, bar=not no_progress and sys.stderr.isatty()))


def _mapping(
    *,
    maps: tuple[str, ...],
    sets: tuple[str, ...],
    mapping_file: Path | None,
    preset: str | None,
    assume_model: str | None,
    timezone: str | None,
) -> Mapping:
    """Options win over the file, the file over the preset."""
    mapping = mappings.from_options(maps, sets, assume_model, timezone)
    if mapping_file is not None:
        mapping = mapping.over(mappings.from_file(mapping_file.read_bytes()))
    if preset is not None:
        mapping = mapping.over(PRESETS[preset])
    if mapping.timezone is not None:
        try:
            ZoneInfo(mapping.timezone)
        except (OSError, ValueError, KeyError):
            raise MappingError(
                f"There is no time zone {mapping.timezone!r}: "
                "use a name such as UTC or Europe/Berlin"
            ) from None
    return mapping


def _shift(written: str) -> int | str:
    if written == TO_YESTERDAY:
        return written
    try:
        days = int(written)
    except ValueError:
        days = 10**6
    if abs(days) > 100_000:
        raise click.UsageError(f"--shift takes whole days or {TO_YESTERDAY}, not {written!r}")
    return days


def _run(request: Request, rejects: Path | None, *, as_json: bool, bar: bool) -> int:
    stop = threading.Event()
    started = time.monotonic()
    failure: str | None = None
    interrupted = False
    with ExitStack() as stack:
        rejected = None if rejects is None else stack.enter_context(rejects.open("ab"))
        reporter = stack.enter_context(BarReporter()) if bar else PlainReporter()
        run = Import(request, reporter, SystemClock(), stop, _rejects_writer(rejected))
        stack.enter_context(_stopping(stop))
        try:
            run.run()
        except MappingError as error:
            raise click.UsageError(str(error)) from None
        except (UnreadableFileError, SendingError) as error:
            failure = str(error)
        except StoppedError:
            interrupted = True
    seconds = time.monotonic() - started
    total = run.total()
    if as_json:
        click.echo(_json_summary(run, total, seconds, failure, interrupted=interrupted))
    else:
        _say(run, total, seconds)
    if failure is not None:
        click.echo(f"Error: {failure}", err=True)
    if interrupted:
        click.echo("Stopped. Run the same command again to go on.", err=True)
        return _INTERRUPTED
    return 1 if failure is not None or total.rejected else 0


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Ctrl-C asks the run to stop; a second one ends it at once."""

    def on_interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _rejects_writer(file: IO[bytes] | None) -> OnRejected:
    """Writes rejected lines to a file, when there is one."""

    def write(path: Path, rejection: Rejection) -> None:
        if file is None:
            return
        error = {
            "code": rejection.code,
            "message": rejection.message,
            "param": rejection.param,
        }
        record = {"file": str(path), "line": rejection.line, "error": error, "row": rejection.row}
        try:
            line = _encode(record)
        except UnicodeEncodeError:  # a row that is not Unicode has no JSON
            line = _encode({**record, "row": ascii(rejection.row)})
        file.write(line + b"\n")

    return write


def _say(run: Import, total: Counts, seconds: float) -> None:
    if run.request.dry_run:
        for event in run.first_events:
            click.echo(_encode(event))
        click.echo(
            f"{total.accepted:,} lines can be sent, {total.rejected:,} can not. "
            "Nothing was sent; the server checks more."
        )
    else:
        rate = total.lines / max(seconds, 0.001)
        click.echo(
            f"{total.accepted:,} accepted, {total.duplicates:,} duplicates, "
            f"{total.rejected:,} rejected; {seconds:.1f} s, {rate:,.0f} lines/s"
        )
    if run.shift_days:
        click.echo(f"All times were moved by {run.shift_days:+,} days.")
    for reason in sorted(total.reasons, key=lambda reason: -reason.count):
        lines = ", ".join(map(str, reason.lines))
        more = ", …" if reason.count > len(reason.lines) else ""
        click.echo(f"  {reason.count:,} x {reason.code}: {reason.message} (line {lines}{more})")


def _json_summary(
    run: Import, total: Counts, seconds: float, failure: str | None, *, interrupted: bool
) -> bytes:
    summary = {
        "accepted": total.accepted,
        "duplicates": total.duplicates,
        "rejected": total.rejected,
        "reasons": total.reasons,
        "files": {str(path): counts for path, counts in run.counts.items()},
        "shift_days": run.shift_days,
        "seconds": round(seconds, 3),
        "dry_run": run.request.dry_run,
        "interrupted": interrupted,
        "error": failure,
    }
    if run.request.dry_run:
        summary["events"] = run.first_events
    return _encode(summary)
