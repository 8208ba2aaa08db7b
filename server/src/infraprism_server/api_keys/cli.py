"""`infraprism keys …`: works beside a running server, which knows a new key at once."""

from __future__ import annotations

from datetime import datetime
from typing import cast

import click

from infraprism_server.api_keys.schemas import CreateKey, KeyOut, Scope
from infraprism_server.api_keys.scopes import SCOPES
from infraprism_server.cli_context import CliContext, data_dir_option, print_json, print_table
from infraprism_server.clock import iso_utc
from infraprism_server.errors import InvalidRequest
from infraprism_server.http.wire import Instant

_PAGE = 1_000

_account = click.option("--account", required=True, help="Account id or e-mail.")
_json = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group("keys")
def keys_group() -> None:
    """Make, list and delete API keys."""


@keys_group.command("create")
@_account
@click.option("--name", required=True, help="What the key is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    help=f"One of {', '.join(SCOPES)}; may be repeated. [default: full]",
)
@click.option("--expires-at", help="When it stops, such as 2027-01-31T00:00:00Z.")
@data_dir_option
@_json
@click.pass_obj
def create_key(
    context: CliContext,
    /,
    *,
    account: str,
    name: str,
    scopes: tuple[str, ...],
    expires_at: str | None,
    as_json: bool,
) -> None:
    """Make an API key; its text is shown this once."""
    new = CreateKey(
        name=name,
        scopes=cast("tuple[Scope, ...]", scopes) or ("full",),  # the service judges them
        expires_at=None if expires_at is None else _moment(expires_at),
    )
    made = context.api_keys().create(context.account(account).number, new)
    if as_json:
        print_json(made)
        return
    click.echo(f"Key {made.id} ({', '.join(made.scopes)}), shown only this once:")
    click.echo(made.key)


@keys_group.command("list")
@_account
@data_dir_option
@_json
@click.pass_obj
def list_keys(context: CliContext, account: str, as_json: bool) -> None:
    """List an account's keys, newest first."""
    keys, number = context.api_keys(), context.account(account).number
    page = keys.page(number, _PAGE)
    found: list[KeyOut] = page.keys
    while page.next_position is not None:
        page = keys.page(number, _PAGE, after=page.next_position)
        found += page.keys
    if as_json:
        print_json({"data": found})
    elif not found:
        click.echo("There is no key; make one: infraprism keys create --help")
    else:
        rows = [
            (
                key.id,
                f"{key.prefix}...",
                ",".join(key.scopes),
                _time(key.created_at),
                _time(key.last_used_at),
                _time(key.expires_at),
                key.name,
            )
            for key in found
        ]
        print_table(("ID", "KEY", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "NAME"), rows)


@keys_group.command("delete")
@click.argument("key_id")
@_account
@data_dir_option
@_json
@click.pass_obj
def delete_key(context: CliContext, key_id: str, account: str, as_json: bool) -> None:
    """Delete a key; it stops within a second."""
    context.api_keys().delete(context.account(account).number, key_id)
    if as_json:
        print_json({"deleted": True})
    else:
        click.echo(f"Deleted {key_id}; it stops within a second.")


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            "--expires-at is a time with an offset, such as 2027-01-31T00:00:00Z", "expires_at"
        ) from None


def _time(moment: Instant | None) -> str:
    # To the second: what a person wants to see.
    return "-" if moment is None else iso_utc(moment.us // 1_000_000 * 1_000_000)
