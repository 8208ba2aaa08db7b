"""`infraprism doctor`: looks at everything an installation stands on, and changes nothing.

Each finding is ok, warn or fail, and says what to do. A running server is asked over HTTP; the
event file of a stopped one is opened for reading.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sqlite3
import stat
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import duckdb
import httpx2
import msgspec
from rich.console import Console
from rich.text import Text
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from infraprism_server.clock import SystemClock
from infraprism_server.control_store.engine import FILE_NAME as CONTROL_FILE
from infraprism_server.control_store.engine import open_control_store
from infraprism_server.control_store.installation import find_installation
from infraprism_server.control_store.migrations import HEAD, SchemaState, schema_state
from infraprism_server.data_folder import Holder, find_holder
from infraprism_server.doctor_background import background_findings
from infraprism_server.doctor_finding import Finding, Findings, Status
from infraprism_server.errors import InfraPrismError
from infraprism_server.event_store.duckdb.database import FILE_NAME as EVENTS_FILE
from infraprism_server.event_store.duckdb.inspection import NEWEST_VERSION, inspect_file
from infraprism_server.http.system_routes import Readiness
from infraprism_server.limits.store import count_all, count_told
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.sdk_reports.findings import DAYS as SDK_DAYS
from infraprism_server.sdk_reports.findings import finding as sdk_finding
from infraprism_server.sdk_reports.health import first_day, summed
from infraprism_server.sdk_reports.store import sum_everywhere
from infraprism_server.settings import Settings
from infraprism_server.webhooks.deliveries import count_by_status

_FREE_BYTES_FAIL: Final = 100 << 20
_FREE_BYTES_WARN: Final = 1 << 30
_CLOCK_SECONDS: Final = 60.0
_PRICES_DAYS: Final = 180
_FIRST_RELEASE: Final = 1_790_000_000
"""September 2026: a clock before it is wrong."""
_TIMEOUT_SECONDS: Final = 5.0
_COLOURS: Final[dict[Status, str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def run(settings: Settings, console: Console, *, as_json: bool = False) -> int:
    """Look at everything and print it; 1 when something has failed, else 0."""
    found = diagnose(settings)
    failed = any(finding.status == "fail" for finding in found)
    if as_json:
        report = {"healthy": not failed, "findings": found}
        console.file.write(msgspec.json.encode(report).decode() + "\n")
        return int(failed)
    for finding in found:
        line = Text.assemble(
            (f"{finding.status:<5}", _COLOURS[finding.status]), f"{finding.area:<9}{finding.text}"
        )
        console.print(line, soft_wrap=True)
        if finding.advice is not None:
            console.print(Text(f"{'':<14}{finding.advice}"), soft_wrap=True)
    return int(failed)


def diagnose(settings: Settings) -> list[Finding]:
    """All findings. A look that breaks is a finding of its own: the others go on."""
    holder = find_holder(settings.data_dir)
    looks: list[tuple[str, Callable[[], Findings]]] = [
        ("folder", lambda: _folder(settings.data_dir, holder)),
        ("server", lambda: _server(settings, holder)),
        ("stores", lambda: _stores(settings, running=holder is not None)),
        ("versions", _versions),
        ("prices", _prices),
        ("clock", lambda: _clock(settings.data_dir)),
    ]
    found: list[Finding] = []
    for area, look in looks:
        try:
            found += look()
        except (OSError, InfraPrismError, SQLAlchemyError) as error:
            found.append(Finding(area, "fail", str(error).strip().splitlines()[0]))
    return found


def _folder(folder: Path, holder: Holder | None) -> Findings:
    shown = folder.absolute()
    if not folder.exists():
        advice = "`infraprism serve --bootstrap` makes it; or name another with --data-dir"
        yield Finding("folder", "warn", f"{shown} does not exist yet", advice)
        return
    if not folder.is_dir() or not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        advice = "give this user the folder, or name another with --data-dir"
        yield Finding("folder", "fail", f"{shown} can not be read and written", advice)
        return
    yield Finding("folder", "ok", f"{shown} can be read and written")
    for path in (folder, folder / "secret.key"):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            mode = "700" if path.is_dir() else "600"
            advice = f"chmod {mode} {path.absolute()}"
            yield Finding("folder", "warn", f"other users may enter or read {path.name}", advice)
    free = shutil.disk_usage(folder).free
    if free < _FREE_BYTES_WARN:
        status: Status = "fail" if free < _FREE_BYTES_FAIL else "warn"
        advice = "free some space: a full disk stops events from coming in"
        yield Finding("folder", status, f"{_size(free)} free", advice)
    else:
        yield Finding("folder", "ok", f"{_size(free)} free")
    held = "held by no process" if holder is None else f"held by process {holder.pid or 'unknown'}"
    yield Finding("folder", "ok", held)


def _server(settings: Settings, holder: Holder | None) -> Findings:
    if holder is None:
        host, port = settings.host, settings.port
        if port and _is_taken(host, port):
            advice = "choose another with --port, or stop that program"
            yield Finding("server", "warn", f"port {port} is used by another program", advice)
        else:
            yield Finding("server", "ok", "not running")
        return
    if holder.address is None:
        yield Finding("server", "ok", "a command of InfraPrism is at work, no server is running")
        return
    with httpx2.Client(
        base_url=holder.address, timeout=_TIMEOUT_SECONDS, trust_env=False
    ) as client:
        for path in ("/healthz", "/readyz"):
            try:
                asked_at = time.time()
                response = client.get(path)
            except httpx2.TransportError as error:
                text = f"{holder.address}{path} does not answer ({error or type(error).__name__})"
                advice = f"look at its log, and stop it (process {holder.pid}) if it hangs"
                yield Finding("server", "fail", text, advice)
                return
            said = f"{holder.address}{path} answers {response.status_code}"
            if response.status_code == 200:
                yield Finding("server", "ok", f"{said} {_details(response)}".strip())
            else:
                yield Finding("server", "fail", said, _details(response) or "look at its log")
    yield from _server_clock(response.headers.get("Date"), asked_at)


def _server_clock(date: str | None, asked_at: float) -> Findings:
    if date is None:
        return
    apart = abs(parsedate_to_datetime(date).timestamp() - asked_at)
    if apart > _CLOCK_SECONDS:
        text = f"the server's clock is {apart:,.0f} s away from this machine's"
        yield Finding("clock", "warn", text, "let both follow the same time server")


def _stores(settings: Settings, *, running: bool) -> Findings:
    control, events = settings.data_dir / CONTROL_FILE, settings.data_dir / EVENTS_FILE
    instance = None
    if settings.control_url is not None or control.exists():
        engine = open_control_store(settings.control_url or _reading_url(control))
        try:
            finding, instance = _control_store(engine, _with_log(control))
            yield finding
            if schema_state(engine) is SchemaState.CURRENT:
                yield _limits(engine)
                yield _sdk(engine, SystemClock().now_us())
                yield from background_findings(engine, count_by_status, SystemClock().now_us())
        finally:
            engine.dispose()
    else:
        yield Finding("stores", "ok", "no control store yet: the first start makes it")
    if not events.exists():
        yield Finding("stores", "ok", "no event store yet: the first start makes it")
    elif running:
        yield Finding("stores", "ok", f"{EVENTS_FILE}: {_size(_with_log(events))}, in use")
    else:
        yield from _event_store(events, instance)


def _reading_url(file: Path) -> str:
    """An SQLite URL that neither makes nor changes a file, not even its log."""
    logged = file.with_name(file.name + "-wal").exists()  # somebody has it open
    return f"sqlite:///file:{file.absolute()}?{'mode=ro' if logged else 'immutable=1'}&uri=true"


def _control_store(engine: Engine, size: int) -> tuple[Finding, str | None]:
    state = schema_state(engine)
    where = CONTROL_FILE if engine.dialect.name == "sqlite" else engine.dialect.name
    if state is SchemaState.NEWER:
        advice = "install the newer InfraPrism, or restore a backup made by this one"
        return Finding("stores", "fail", f"{where} was written by a newer version", advice), None
    if state is SchemaState.EMPTY:
        return Finding("stores", "warn", f"{where} is empty", "the next start fills it"), None
    installation = find_installation(engine)
    instance = None if installation is None else installation.instance_id
    if state is SchemaState.OLDER:
        advice = "the next start makes a backup and migrates it"
        return Finding("stores", "warn", f"{where} has an older schema", advice), instance
    shown = f"{where}: {_size(size)}, " if size else f"{where}: "
    return Finding("stores", "ok", f"{shown}schema {HEAD}, instance {instance}"), instance


def _limits(engine: Engine) -> Finding:
    with engine.connect() as connection:
        count, told = count_all(connection), count_told(connection)
    text = f"{count:,} limits; told: {told.get(True, 0):,} reached, {told.get(False, 0):,} near"
    return Finding("limits", "ok", text)


def _sdk(engine: Engine, now_us: int) -> Finding:
    since_day = first_day(now_us, SDK_DAYS)
    with engine.connect() as connection:
        return sdk_finding(summed(sum_everywhere(connection, since_day), since_day))


def _event_store(file: Path, instance: str | None) -> Findings:
    report = inspect_file(file)
    text = (
        f"{file.name}: {_size(_with_log(file))}, {report.events:,} events, "
        f"schema {report.schema_version}, instance {report.instance_id}"
    )
    if report.schema_version > NEWEST_VERSION:
        advice = "install the newer InfraPrism, or restore a backup made by this one"
        yield Finding("stores", "fail", text, advice)
    elif instance is not None and report.instance_id != instance:
        advice = f"{file.name} belongs to another control store: put back the two that fit"
        yield Finding("stores", "fail", text, advice)
    elif report.schema_version < NEWEST_VERSION:
        yield Finding("stores", "warn", text, "the next start makes a backup and migrates it")
    else:
        yield Finding("stores", "ok", text)
    if report.unpriced_events:
        yield Finding(
            "prices",
            "warn",
            f"{report.unpriced_events:,} events of {report.unpriced_models:,} models have no price",
            "GET /v1/prices/unpriced lists them; give each a price, then reprice",
        )


def _versions() -> Findings:
    parts = [f"python {platform.python_version()}"]
    parts += [f"{name} {version(name)}" for name in ("infraprism-server", "genai-prices")]
    parts += [f"duckdb {duckdb.__version__}", f"sqlite {sqlite3.sqlite_version}"]
    yield Finding("versions", "ok", ", ".join(parts))


def _prices() -> Findings:
    book = PriceBook()
    count = sum(1 for _ in book.models())
    if not count:
        advice = "install InfraPrism anew: its price data is missing"
        yield Finding("prices", "fail", "no prices are known", advice)
        return
    yield Finding("prices", "ok", f"{count:,} models ({book.version})")
    newest = _date_of(book.version)
    if newest is not None and time.time() - newest > _PRICES_DAYS * 86_400:
        advice = "pip install --upgrade infraprism-server: new models have no price until then"
        yield Finding("prices", "warn", f"the prices are over {_PRICES_DAYS} days old", advice)


def _clock(folder: Path) -> Findings:
    now = time.time()
    advice = "set the clock, and let it follow a time server"
    if now < _FIRST_RELEASE:
        yield Finding("clock", "fail", f"{time.strftime('%F', time.gmtime())} is past", advice)
        return
    files = [path for path in folder.glob("*") if path.is_file()] if folder.is_dir() else []
    ahead = [path for path in files if path.stat().st_mtime > now + _CLOCK_SECONDS]
    if ahead:
        text = f"{ahead[0].name} was written later than now: the clock has been set back"
        yield Finding("clock", "warn", text, advice)
    else:
        yield Finding("clock", "ok", time.strftime("%FT%TZ", time.gmtime(now)))


def _date_of(book_version: str) -> float | None:
    """The day in a price book's version, as Unix seconds."""
    for word in book_version.replace(",", " ").split():
        try:
            return time.mktime(time.strptime(word, "%Y-%m-%d"))
        except ValueError:
            continue
    return None


def _details(response: httpx2.Response) -> str:
    """What /readyz says of each thing it checked; anything else as one line."""
    try:
        body = msgspec.json.decode(response.content, type=Readiness)
    except msgspec.DecodeError:
        return " ".join(response.text.split())[:300]
    bad = [check for check in body.checks if not check.healthy]
    return "; ".join(f"{check.name}: {check.detail}" for check in bad or body.checks)


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def _with_log(file: Path) -> int:
    """Bytes of a store's file and its write-ahead log."""
    logs = (file, file.with_name(file.name + ".wal"), file.with_name(file.name + "-wal"))
    return sum(path.stat().st_size for path in logs if path.exists())


def _size(count: int) -> str:
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} bytes"
