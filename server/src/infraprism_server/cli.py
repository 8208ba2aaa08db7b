"""The command `infraprism`. Each command's module is imported when it is run, not before."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infraprism_server import __version__
from infraprism_server.cli_context import CliContext, data_dir_option
from infraprism_server.errors import InfraPrismError, InvalidRequest

if TYPE_CHECKING:
    from infraprism_server.settings import Settings

PACKAGE = "infraprism_server"
LAZY_COMMANDS = {
    "accounts": ("accounts.cli:accounts_group", "Make, list and change accounts."),
    "backup": (
        "upkeep.cli:backup_command",
        "Write a backup to FOLDER, empty or new, of the server's machine; the server may run.",
    ),
    "compact": ("upkeep.cli:compact_command", "Give the disk back what deleted events took."),
    "erase": (
        "upkeep.cli:erase_group",
        "Erase an entity or an account, or pseudonymise it and keep the totals.",
    ),
    "restore": (
        "upkeep.cli:restore_command",
        "Verify the backup in FOLDER and put it into the data folder, which must be empty.",
    ),
    "anomalies": ("anomalies.cli:anomalies_group", "Anomalies in spend."),
    "import": (
        "importer.command:import_command",
        "Send CSV, JSON lines or Parquet FILES of LLM calls to a server.",
    ),
    "login-link": (
        "dashboard.cli:login_link_command",
        "Print a link that signs one browser in to the dashboard, within an hour.",
    ),
    "keys": ("api_keys.cli:keys_group", "Make, list and delete API keys."),
    "prices": (
        "pricing.cli:prices_group",
        "Prices: the account's own, what is listed, and what could not be priced.",
    ),
    "webhooks": ("webhooks.cli:webhooks_group", "Try webhooks on this machine."),
}
"""Where each command is, and what --help says of it without importing it."""


class BadInput(click.ClickException):
    """What was typed is at fault: exit code 2, as click's own usage errors have."""

    exit_code = 2


class LazyGroup(click.Group):
    """A group that imports a command when it is run, and turns expected errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *LAZY_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in LAZY_COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = LAZY_COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"{PACKAGE}.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(ctx):
            eager = self.commands.get(name)
            rows.append((name, eager.get_short_help_str(80) if eager else LAZY_COMMANDS[name][1]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own signature
        try:
            return super().invoke(ctx)
        except InfraPrismError as error:
            line = " ".join(error.message.split())
            kind = BadInput if isinstance(error, InvalidRequest) else click.ClickException
            raise kind(line) from None
        except OSError as error:
            # A full disk, a folder that went away. What click handles itself is not for us.
            if isinstance(error, BrokenPipeError):
                raise
            raise click.ClickException(_os_error_line(error)) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="infraprism")
@data_dir_option
@click.pass_context
def main(ctx: click.Context) -> None:
    """InfraPrism: what each customer, team, project and employee costs in LLM spend.

    Settings are environment variables, INFRAPRISM_DATA_DIR and others; options win over them.
    """
    context = ctx.ensure_object(CliContext)
    context.doing_upkeep = _doing_upkeep
    ctx.call_on_close(context.close)


@main.command("serve")
@click.option("--host", help="Address to listen on. [default: 127.0.0.1]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one. [default: 8080]"
)
@data_dir_option
@click.option(
    "--bootstrap", is_flag=True, help="On an empty folder: make an account and import the sample."
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Go on when events that were acknowledged are missing after damage to the disk.",
)
@click.pass_obj
def serve_command(
    context: CliContext, host: str | None, port: int | None, bootstrap: bool, accept_loss: bool
) -> None:
    """Run the server."""
    # What is imported stays, and looking it through for cycles takes a tenth of the start; `serve`
    # lets the collector go on when everything is there.
    gc.disable()
    settings = context.settings(host=host, port=port)
    from infraprism_server.serve import serve  # noqa: PLC0415 - takes a second, see above

    serve(settings, bootstrap_account=bootstrap, accept_loss=accept_loss)
    # Both stores are closed and the folder is free. Taking the interpreter down would only have
    # DuckDB's bindings complain of the cursors that idle threads still know.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@main.command("doctor")
@data_dir_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def doctor_command(context: CliContext, as_json: bool) -> None:
    """Look at the folder, the stores, the prices and the clock."""
    settings = context.settings()
    from rich.console import Console  # noqa: PLC0415 - takes a second, see above

    from infraprism_server.doctor import run  # noqa: PLC0415

    raise SystemExit(run(settings, Console(highlight=False), as_json=as_json))


def _doing_upkeep(settings: Settings) -> AbstractContextManager[bool]:
    from infraprism_server.stand_in import doing_upkeep  # noqa: PLC0415 - for few commands

    return doing_upkeep(settings)


def _os_error_line(error: OSError) -> str:
    where = f": {Path(error.filename).absolute()}" if isinstance(error.filename, str) else ""
    return f"{error.strerror or error}{where}"
