"""`infraprism accounts …`: works beside a running server, and on an empty folder."""

from __future__ import annotations

import click
from msgspec import UNSET, UnsetType

from infraprism_server.accounts.account import Account
from infraprism_server.accounts.plan import PLANS
from infraprism_server.accounts.schemas import me_out
from infraprism_server.accounts.service import AccountChanges, NewAccount
from infraprism_server.api_keys.schemas import CreateKey
from infraprism_server.cli_context import CliContext, data_dir_option, print_json, print_table
from infraprism_server.errors import InvalidRequest

FIRST_KEY_NAME = "default"
FOREVER = "forever"
_PAGE = 1_000

_json = click.option("--json", "as_json", is_flag=True, help="For programs.")
_plan_help = f"One of {', '.join(PLANS)}."
_rate_help = "Requests a minute; enterprise alone."
_zone_help = "IANA time zone dates are read in, such as Europe/Berlin."
_retention_help = f"Days that events are kept, or '{FOREVER}'."


@click.group("accounts")
def accounts_group() -> None:
    """Make, list and change accounts."""


@accounts_group.command("create")
@click.option("--email", required=True, help="E-mail address; one account each.")
@click.option("--name", required=True, help="Who it is.")
@click.option("--company", default="", help="Company.")
@click.option("--plan", default="free", show_default=True, help=_plan_help)
@click.option("--rate-limit", type=int, help=_rate_help)
@click.option("--timezone", default="UTC", show_default=True, help=_zone_help)
@click.option("--retention-days", default=FOREVER, show_default=True, help=_retention_help)
@data_dir_option
@_json
@click.pass_obj
def create_account(
    context: CliContext,
    /,
    *,
    email: str,
    name: str,
    company: str,
    plan: str,
    rate_limit: int | None,
    timezone: str,
    retention_days: str,
    as_json: bool,
) -> None:
    """Make an account with its first API key, which is shown this once."""
    new = NewAccount(
        email=email,
        name=name,
        company=company,
        plan=plan,
        rate_limit_per_minute=rate_limit,
        timezone=timezone,
        retention_days=_retention(retention_days),
    )
    account = context.accounts().create(new)
    made = context.api_keys().create(account.number, CreateKey(FIRST_KEY_NAME))
    if as_json:
        print_json({"account": me_out(account), "api_key": made.key})
        return
    _show_one(account)
    click.echo("API key, shown only this once:")
    click.echo(made.key)


@accounts_group.command("list")
@data_dir_option
@_json
@click.pass_obj
def list_accounts(context: CliContext, as_json: bool) -> None:
    """List all accounts, oldest first."""
    accounts = context.accounts()
    found: list[Account] = []
    total = 1
    while len(found) < total:
        page, total = accounts.page(_PAGE, len(found))
        found += page
        if not page:
            break
    if as_json:
        print_json({"data": [me_out(account) for account in found]})
    elif not found:
        click.echo("There is no account yet; make one: infraprism accounts create --help")
    else:
        rows = [
            (
                account.id,
                account.email,
                account.plan,
                str(account.rate_limit_per_minute),
                account.timezone,
                account.name,
            )
            for account in found
        ]
        print_table(("ID", "E-MAIL", "PLAN", "REQUESTS/MIN", "TIME ZONE", "NAME"), rows)


@accounts_group.command("update")
@click.argument("account")
@click.option("--email", help="E-mail address.")
@click.option("--name", help="Who it is.")
@click.option("--company", help="Company.")
@click.option("--plan", help=_plan_help)
@click.option("--rate-limit", type=int, help=_rate_help)
@click.option("--timezone", help=_zone_help)
@click.option("--retention-days", help=_retention_help)
@data_dir_option
@_json
@click.pass_obj
def update_account(
    context: CliContext,
    /,
    *,
    account: str,
    email: str | None,
    name: str | None,
    company: str | None,
    plan: str | None,
    rate_limit: int | None,
    timezone: str | None,
    retention_days: str | None,
    as_json: bool,
) -> None:
    """Change ACCOUNT, an id or an e-mail; a running server knows within a second."""
    days: int | UnsetType | None = UNSET
    if retention_days is not None:
        days = _retention(retention_days)
    changes = AccountChanges(
        email=UNSET if email is None else email,
        name=UNSET if name is None else name,
        company=UNSET if company is None else company,
        plan=UNSET if plan is None else plan,
        rate_limit_per_minute=UNSET if rate_limit is None else rate_limit,
        timezone=UNSET if timezone is None else timezone,
        retention_days=days,
    )
    if changes == AccountChanges():
        raise click.UsageError("Nothing to change; see infraprism accounts update --help")
    changed = context.accounts().update(context.account(account).number, changes)
    if as_json:
        print_json({"account": me_out(changed)})
    else:
        _show_one(changed)


def _retention(text: str) -> int | None:
    if text == FOREVER:
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidRequest(
            f"--retention-days is a number of days or '{FOREVER}'", "retention_days"
        ) from None


def _show_one(account: Account) -> None:
    kept = "for ever" if account.retention_days is None else f"{account.retention_days} days"
    click.echo(f"Account {account.id}")
    click.echo(f"  e-mail     {account.email}")
    click.echo(f"  name       {account.name}")
    click.echo(f"  company    {account.company}")
    click.echo(f"  plan       {account.plan}, {account.rate_limit_per_minute:,} requests a minute")
    click.echo(f"  time zone  {account.timezone}")
    click.echo(f"  events     kept {kept}")
