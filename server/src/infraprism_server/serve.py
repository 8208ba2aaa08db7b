"""`infraprism serve`: one process from its start to a clean end.

Takes the data folder, opens both stores, composes the application and listens; on SIGTERM or
Ctrl-C it finishes what was accepted before it lets go.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import socket
import sys

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server
from rich.console import Console

from infraprism_server.app import compose
from infraprism_server.application import Application
from infraprism_server.clock import SystemClock
from infraprism_server.control_store.installation import ensure_installation
from infraprism_server.control_store.start import start_control_store
from infraprism_server.data_folder import lock_folder, make_folder
from infraprism_server.errors import StartupError
from infraprism_server.event_store.duckdb.store import open_event_store
from infraprism_server.logs import configure_logs
from infraprism_server.one_core import stay_on_one_core
from infraprism_server.settings import Settings
from infraprism_server.welcome import print_hint_without_account, print_listening, print_warnings

DRAIN_SECONDS = 5.0
"""How long requests under way may take after a signal."""
CLOSE_SECONDS = 2.0
"""How long the background work may take after that, and then again the event store: together under
the 10 s that are promised."""
BACKLOG = 1_024
GC_ALLOCATIONS = 200_000
SWITCH_SECONDS = 0.001

log = structlog.get_logger(__name__)


def serve(settings: Settings, *, bootstrap_account: bool, accept_loss: bool = False) -> None:
    """Run until a signal. StartupError, in one line, for whatever stands in the way.

    accept_loss: go on when acknowledged events are missing from the event store.
    """
    configure_logs(settings.log_level, settings.log_format)
    console = Console(highlight=False)
    clock = SystemClock()
    make_folder(settings.data_dir)
    port = free_port(settings.host, settings.port)
    address = http_address(settings.host, port)
    with lock_folder(settings.data_dir, address):
        engine = start_control_store(
            settings.data_dir, settings.control_url, clock.now_us(), holds_folder=True
        )
        try:
            store = open_event_store(
                settings.data_dir,
                instance_id=ensure_installation(engine, clock.now_us()).instance_id,
                clock=clock,
                memory_limit_mb=settings.memory_limit_mb,
                threads=settings.query_threads,
                max_waiting_events=settings.max_event_queue,
                accept_loss=accept_loss,
                long_reads=settings.long_reads,
                read_timeout_seconds=settings.read_timeout_seconds,
            )
            try:
                application = compose(settings, engine, store, clock, address)
                made_key = _bootstrap(application, settings, console) if bootstrap_account else None
                if application.accounts.count() == 0:
                    print_hint_without_account(console, settings)
                print_warnings(console, settings)
                asyncio.run(_listen(application, settings, port, console, made_key))
                application.close(CLOSE_SECONDS)
            finally:
                store.close(CLOSE_SECONDS)
        finally:
            engine.dispose()


def _bootstrap(application: Application, settings: Settings, console: Console) -> str | None:
    from infraprism_server.bootstrap import bootstrap  # noqa: PLC0415 - only the first start needs it

    return bootstrap(application, settings, console)


async def _listen(
    application: Application,
    settings: Settings,
    port: int,
    console: Console,
    made_key: str | None,
) -> None:
    """Serve until SIGTERM or Ctrl-C, then let the requests under way finish."""
    server = Server(
        application.asgi,
        address=settings.host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        log_enabled=False,
    )
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():  # a second Ctrl-C: whoever sends it does not want to wait
            os._exit(130)
        stopping.set()
        server.stop()  # type: ignore[no-untyped-call]

    _calm_the_interpreter()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    application.start()
    serving = asyncio.create_task(server.serve())
    await _until_listening(settings.host, port, serving)
    # Only now: the threads that were started before, HTTP's and DuckDB's own, stay free.
    stay_on_one_core()
    address = http_address(settings.host, port)
    print_listening(console, address, made_key, _sign_in_link(application, address))
    log.info("listening", address=address)
    ending = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.is_set():
        ending.cancel()
        await serving  # raises what made it end
        raise StartupError("The server stopped listening; the log above may say why")
    log.info("stopping")
    done, _ = await asyncio.wait({serving}, timeout=DRAIN_SECONDS)
    if not done:
        log.warning("requests under way were cut", waited_seconds=DRAIN_SECONDS)
        serving.cancel()


def _sign_in_link(application: Application, address: str) -> str | None:
    """A link into the dashboard, where it is clear whose: there is one account."""
    found, total = application.accounts.page(limit=1)
    if total != 1:
        return None
    return f"{address}/sign-in/link?token={application.sign_in.make_link(found[0].number)}"


def _calm_the_interpreter() -> None:
    """Settings of CPython for a process that makes and drops many small objects in few threads.

    Collections: what a batch makes has no cycles, and looking for some took a fifth of the CPU of
    ingest. Switching: the writer comes back from DuckDB many times a commit and would wait up to
    5 ms each time for a thread that decodes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, 20, 50)
    gc.enable()
    sys.setswitchinterval(SWITCH_SECONDS)


async def _until_listening(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Wait until a connection is accepted: what is printed then is true."""
    probe = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104
    for _ in range(200):
        if serving.done():
            return
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(probe, port)
            writer.close()
            return
        await asyncio.sleep(0.01)


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0. StartupError when it is taken or may not be used.

    The HTTP server binds with SO_REUSEPORT and would share a port with whoever has it.
    """
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, target = infos[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(target)
            probe.listen(1)
            chosen: int = probe.getsockname()[1]
            return chosen
    except socket.gaierror:
        raise StartupError(f"'{host}' is not an address of this machine; see --host") from None
    except OSError as error:
        reason = {
            errno.EADDRINUSE: f"port {port} is in use; choose another with --port",
            errno.EACCES: f"port {port} needs more rights; choose one above 1023 with --port",
            errno.EADDRNOTAVAIL: "it is not an address of this machine; see --host",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StartupError(f"Can not listen on {host}:{port}: {reason}") from None


def http_address(host: str, port: int) -> str:
    """Where the server answers on this machine."""
    name = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host  # noqa: S104
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
