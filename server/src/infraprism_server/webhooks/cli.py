"""`infraprism webhooks listen`: what arrives at a local port, verified: the quickest try."""

from __future__ import annotations

import errno
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import click
import msgspec
from rich.console import Console

from infraprism_server.errors import InvalidRequest, StartupError
from infraprism_server.webhooks.signature import BadSignature, headers_for, verify

DEFAULT_PORT: Final = 9000
MAX_BODY_BYTES: Final = 1024 * 1024
_READ_SECONDS: Final = 10


@click.group("webhooks")
def webhooks_group() -> None:
    """Try webhooks on this machine."""


@webhooks_group.command("listen")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    help=f"Port on 127.0.0.1; 0 takes a free one. [default: {DEFAULT_PORT}]",
)
@click.option(
    "--secret",
    envvar="INFRAPRISM_WEBHOOK_SECRET",
    show_envvar=True,
    help="The webhook's whsec_… secret: signatures are verified with it.",
)
@click.option(
    "--status",
    type=click.IntRange(200, 599),
    default=204,
    help="What to answer with, to see retries. [default: 204]",
)
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
def listen(*, port: int, secret: str | None, status: int, count: int | None) -> None:
    """Print the messages that arrive, and whether their signatures are good.

    The server delivers to this machine when its operator set INFRAPRISM_ALLOW_PRIVATE_WEBHOOKS=1.
    With --secret, a message that is not signed with it is answered with 401.
    """
    if secret is not None:
        check_secret(secret)
    console = Console(highlight=False, soft_wrap=True)
    with _listener(port, secret, status, console) as listener:
        address = f"http://127.0.0.1:{listener.server_port}/"
        console.print(f"Listening on {address}  (Ctrl-C ends it)", markup=False)
        if secret is None:
            console.print("Without --secret: signatures are shown, not verified.", markup=False)
        try:
            while count is None or listener.seen < count:
                listener.handle_request()
        except KeyboardInterrupt:
            console.print("")


def check_secret(secret: str) -> None:
    """InvalidRequest unless it is one that a webhook can have: before anything arrives."""
    try:
        headers_for([secret], "", 0, b"")
    except BadSignature as error:
        raise InvalidRequest(
            f"--secret: {error}; it was shown when the webhook was made, and"
            " POST /v1/webhooks/{id}/rotate-secret makes a new one",
            "secret",
        ) from None


def _listener(port: int, secret: str | None, status: int, console: Console) -> Listener:
    try:
        return Listener(port, secret, status, console)
    except OSError as error:
        reason = {
            errno.EADDRINUSE: f"port {port} is in use; choose another with --port",
            errno.EACCES: f"port {port} needs more rights; choose one above 1023 with --port",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StartupError(f"Can not listen on 127.0.0.1:{port}: {reason}") from None


class Listener(ThreadingHTTPServer):
    """A receiver on 127.0.0.1 that prints."""

    daemon_threads = False

    def __init__(self, port: int, secret: str | None, status: int, console: Console) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.secret = secret
        self.status = status
        self.console = console
        self.seen = 0

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        # One after the other: what is printed stays whole, and `count` is exact.
        self.finish_request(request, client_address)
        self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server: Listener
    timeout = _READ_SECONDS

    def do_POST(self) -> None:
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MAX_BODY_BYTES:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        status, judgement = self._judge(body)
        self.server.seen += 1
        console = self.server.console
        console.print(
            f"{time.strftime('%H:%M:%S')}  {self.headers.get('webhook-id', '(no webhook-id)')}  "
            f"{judgement}  answered {status}",
            markup=False,
        )
        console.print(_readable(body), markup=False)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: what matters is printed."""

    def _judge(self, body: bytes) -> tuple[int, str]:
        secret = self.server.secret
        if secret is None:
            signature = self.headers.get("webhook-signature", "none")
            return self.server.status, f"not verified ({signature})"
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            verify(secret, headers, body, int(time.time()))
        except BadSignature as error:
            return 401, f"BAD SIGNATURE: {error}"
        return self.server.status, "signature verified"


def _readable(body: bytes) -> str:
    try:
        return msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return repr(body[:2000])
