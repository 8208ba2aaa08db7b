"""`infraprism login-link`: a one-time link into the dashboard, beside a running server."""

from __future__ import annotations

import click

from infraprism_server.cli_context import CliContext, data_dir_option, print_json
from infraprism_server.clock import SystemClock
from infraprism_server.dashboard.service import SignInService


@click.command("login-link")
@click.option("--account", help="Account id or e-mail; not needed when there is only one.")
@click.option("--url", help="Where the dashboard is. [default: the public URL, or this machine]")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def login_link_command(
    context: CliContext, account: str | None, url: str | None, as_json: bool
) -> None:
    """Print a link that signs one browser in to the dashboard, within an hour."""
    settings = context.settings()
    found = context.account(account)
    token = SignInService(context.open_engine(), SystemClock()).make_link(found.number)
    start = (url or settings.public_url or f"http://127.0.0.1:{settings.port}").rstrip("/")
    address = f"{start}/sign-in/link?token={token}"
    if as_json:
        print_json({"url": address})
    else:
        click.echo(address)
