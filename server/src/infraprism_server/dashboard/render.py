"""Templates to HTML: one environment, escaping everywhere, what every template may call."""

from __future__ import annotations

from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from infraprism_server.clock import iso_utc
from infraprism_server.dashboard import formats
from infraprism_server.dashboard.assets import asset_url
from infraprism_server.dashboard.navigation import NAVIGATION
from infraprism_server.dashboard.session import new_token
from infraprism_server.dashboard.sparkline import sparkline_points


@cache
def environment() -> Environment:
    """The templates in templates/. An unknown name in one is an error, never empty text."""
    made = Environment(
        loader=PackageLoader("infraprism_server.dashboard", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        asset=asset_url, navigation=NAVIGATION, sparkline_points=sparkline_points, link=link
    )
    made.filters.update(
        money=formats.money,
        exact_money=formats.exact_money,
        plain_money=formats.plain_money,
        short_count=formats.count,
        exact_count=formats.exact_count,
        price=formats.price,
        file_size=formats.file_size,
        milliseconds=formats.milliseconds,
        iso=iso_utc,
        segment=path_segment,
    )
    made.globals.update(
        percent=formats.percent,
        change=formats.change,
        ago=formats.ago,
        between=formats.between,
        new_token=new_token,
        exact_time=formats.exact_time,
        short_time=formats.short_time,
    )
    return made


def render(template: str, context: dict[str, Any]) -> str:
    """The HTML of a page."""
    return environment().get_template(template).render(context)


def path_segment(text: str) -> str:
    """Any text as one segment of a path: slashes too are encoded."""
    return quote(text, safe="")


def link(path: str, **query: object) -> str:
    """A path with a query; what is None or empty is left out, a list is repeated."""
    pairs: list[tuple[str, object]] = []
    for name, value in query.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, each) for each in values if each not in (None, "")]
    return f"{path}?{urlencode(pairs)}" if pairs else path
