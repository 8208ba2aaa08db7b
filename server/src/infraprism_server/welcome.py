"""What a person sees in the terminal when the server starts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from infraprism_server.event_store.sums import Sums
from infraprism_server.http.addresses import is_loopback
from infraprism_server.money import decimal_from_pico
from infraprism_server.settings import Settings


class SpendLine(msgspec.Struct, frozen=True):
    """One row of the table of spend."""

    entity: str
    model: str
    sums: Sums


def print_spend(console: Console, lines: Sequence[SpendLine]) -> None:
    """The dearest entities and models."""
    table = Table(title="Spend so far", title_justify="left", title_style="bold", box=box.SIMPLE)
    table.add_column("Entity", overflow="fold")
    table.add_column("Model", overflow="fold")
    for heading in ("Calls", "Tokens", "Cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.entity,
            line.model,
            f"{line.sums.events:,}",
            f"{line.sums.input_tokens + line.sums.output_tokens:,}",
            dollars(line.sums.cost_pico),
        )
    table.add_section()
    table.add_row(
        "Total",
        "",
        f"{sum(line.sums.events for line in lines):,}",
        f"{sum(line.sums.input_tokens + line.sums.output_tokens for line in lines):,}",
        dollars(sum(line.sums.cost_pico for line in lines)),
        style="bold",
    )
    console.print(table)


def dollars(pico: int) -> str:
    """An amount for people: cents, or more digits where cents would show nothing."""
    digits = 2 if pico >= 10**12 else 6
    return f"${decimal_from_pico(pico):,.{digits}f}"


def print_key(console: Console, key: str) -> None:
    """A new key; it is stored as a hash and can not be shown again."""
    console.print("[bold]Your API key, shown this once:[/]")
    console.print(f"  {key}\n", soft_wrap=True)


def print_listening(
    console: Console, address: str, made_key: str | None, sign_in_link: str | None
) -> None:
    """Where the server answers, a link into the dashboard, and a line to paste."""
    console.print(f"\n[bold]InfraPrism answers at {address}[/]  (API: {address}/docs)")
    if sign_in_link is not None:
        console.print("Dashboard, signed in (once, within an hour):", style="dim")
        console.print(f"  {sign_in_link}", soft_wrap=True, markup=False)
    else:
        console.print(
            "Dashboard: open that address; `infraprism login-link` signs you in.", style="dim"
        )
    key = made_key or "$INFRAPRISM_API_KEY"
    console.print("What did each of them cost?", style="dim")
    # One line however narrow the terminal is: it is there to be pasted.
    console.print(
        f'  curl "{address}/v1/entities" -H "Authorization: Bearer {key}"',
        soft_wrap=True,
        markup=False,
    )
    console.print("Ctrl-C stops it.\n", style="dim")


def print_hint_without_account(console: Console, settings: Settings) -> None:
    """An installation without accounts: nothing is invented, here is what to type."""
    console.print(
        "There is no account yet. In another terminal, make one:\n"
        f"  infraprism accounts create --data-dir {settings.data_dir} --email you@example.com "
        '--name "Your Name" --company "Your Company" --plan growth\n'
        "or stop and start with --bootstrap to get an account and sample data.",
        soft_wrap=True,
        markup=False,
    )


def print_warnings(console: Console, settings: Settings) -> None:
    """Loud lines about what is not safe."""
    if is_loopback(settings.host):
        return
    if settings.public_url is None or not settings.public_url.startswith("https://"):
        console.print(
            f"WARNING: listening on {settings.host} without an https public URL. API keys and "
            "spend travel in clear text. Put a TLS proxy in front and set INFRAPRISM_PUBLIC_URL.",
            style="bold red",
            soft_wrap=True,
        )
