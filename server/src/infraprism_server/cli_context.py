"""What the commands share: settings, the control store, and whom --account means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

# The command line must answer --help at once, so what takes long is imported where it is used.
if TYPE_CHECKING:
    from sqlalchemy import Engine

    from infraprism_server.accounts.account import Account
    from infraprism_server.accounts.service import AccountService
    from infraprism_server.api_keys.service import ApiKeyService
    from infraprism_server.settings import Settings

C = TypeVar("C", bound=Callable[..., object])


class CliContext:
    """The `obj` of every click context. Opens nothing before it is asked."""

    def __init__(self) -> None:
        self.data_dir: Path | None = None
        self._engine: Engine | None = None
        self.doing_upkeep: Callable[[Settings], AbstractContextManager[bool]] | None = None
        """See stand_in.doing_upkeep: cli.py gives it, features do not know the event store."""

    def settings(self, *, host: str | None = None, port: int | None = None) -> Settings:
        """The environment's settings, with the command line's over them."""
        from infraprism_server.settings import load_settings  # noqa: PLC0415

        return load_settings(data_dir=self.data_dir, host=host, port=port)

    def open_engine(self) -> Engine:
        """The control store, made and migrated when need be; the server may run beside."""
        if self._engine is None:
            from infraprism_server.clock import SystemClock  # noqa: PLC0415
            from infraprism_server.control_store.start import start_control_store  # noqa: PLC0415

            settings = self.settings()
            self._engine = start_control_store(
                settings.data_dir,
                settings.control_url,
                SystemClock().now_us(),
                holds_folder=False,
            )
        return self._engine

    def accounts(self) -> AccountService:
        from infraprism_server.accounts.service import AccountService  # noqa: PLC0415
        from infraprism_server.clock import SystemClock  # noqa: PLC0415

        return AccountService(self.open_engine(), SystemClock())

    def api_keys(self) -> ApiKeyService:
        from infraprism_server.api_keys.service import ApiKeyService  # noqa: PLC0415
        from infraprism_server.clock import SystemClock  # noqa: PLC0415

        return ApiKeyService(self.open_engine(), self.accounts(), SystemClock())

    def account(self, reference: str | None) -> Account:
        """The account with this id or e-mail; for None the only one there is.

        NotFound or InvalidRequest say what to type.
        """
        from infraprism_server.errors import InvalidRequest, NotFound  # noqa: PLC0415

        accounts = self.accounts()
        if reference is not None:
            return accounts.resolve(reference)
        found, total = accounts.page(limit=1)
        if total == 0:
            raise NotFound("There is no account yet; make one: infraprism accounts create --help")
        if total > 1:
            raise InvalidRequest(
                f"There are {total} accounts; say which with --account ID or e-mail", "account"
            )
        return found[0]

    def find_account(self, _engine: Engine, reference: str | None) -> int:
        """The account's number, for commands that know it by that."""
        return self.account(reference).number

    def close(self) -> None:
        """Let go of the control store."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None


def data_dir_option(command: C) -> C:
    """`--data-dir`, before or after the command's name."""

    def remember(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
        if value is not None:
            ctx.ensure_object(CliContext).data_dir = value

    return click.option(
        "--data-dir",
        type=click.Path(file_okay=True, path_type=Path),
        expose_value=False,
        callback=remember,
        help="Folder that holds everything stored. [default: data]",
    )(command)


def print_json(value: object) -> None:
    """One line of JSON on standard output."""
    from infraprism_server.http.wire import encode  # noqa: PLC0415

    click.echo(encode(value))


def print_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as what is in them, two spaces apart: good for eyes, grep and cut."""
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())
