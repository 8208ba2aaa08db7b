"""The explorer: any range, filters and groups, as a chart, a table, a file and an API call."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlencode

from infraprism_server.accounts.account import checked_timezone
from infraprism_server.clock import from_us, iso_utc
from infraprism_server.dashboard.formats import plain_money
from infraprism_server.dashboard.frame import Download, Page, Visit, page
from infraprism_server.dashboard.pages.ranges import span_in
from infraprism_server.dashboard.pages.suggestions import suggestions
from infraprism_server.dashboard.reading import ask
from infraprism_server.dashboard.render import link
from infraprism_server.dashboard.series import (
    METRICS,
    SHOWN,
    Group,
    amount,
    average_latency,
    chart_of,
    intervals_of,
    parts_of,
    summed,
    value_name,
)
from infraprism_server.dashboard.span import PRESETS, ROWS, Span
from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.contract import UsageRow
from infraprism_server.event_store.sums import Sums
from infraprism_server.http.time_range import zone_named
from infraprism_server.usage.interval import iso_in_zone
from infraprism_server.usage.schemas import UsageQueryIn
from infraprism_server.usage.service import UsageAnswer

MAX_GROUPS = 3
TOP_SERIES = 8
SORTED_ROWS = 1_000
SHOWN_ROWS = 100
FOLDED_ROWS = 2_000
"""Most groups times intervals that are ranked here, by a metric that the store does not rank by."""
FIELDS = ("model", "provider", "entity_type", "entity_id", "session_id", "success")
GROUPS = {
    "model": "Model",
    "provider": "Provider",
    "entity_type": "Entity type",
    "entity_id": "Entity",
    "session_id": "Session",
    "service_tier": "Service tier",
    "success": "Success",
}
INTERVALS = {"": "Automatic", "hour": "Hour", "day": "Day", "week": "Week", "month": "Month"}
SUMMED = {"model", "provider", "entity_type", "entity_id"}
"""What is summed beforehand; by all else the calls themselves are read."""
NEXT_GROUP = {"model": "entity_id", "entity_id": "model"}
CSV_SUMS = (
    "cost_usd",
    "calls",
    "errors",
    "unpriced_calls",
    "input_tokens",
    "output_tokens",
    "average_latency_ms",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


Names = dict[tuple[str, str], str]
"""By type and id of an entity."""


class View(NamedTuple):
    """What an address asks for."""

    span: Span
    metric: str
    interval: str
    groups: list[str]
    filters: dict[str, str]
    tags: dict[str, str]
    timezone: str

    def address(self, **changes: object) -> str:
        """The explorer's address of this view, with some of it changed."""
        parts: dict[str, object] = {
            **self.span.address,
            "tz": self.timezone,
            "metric": "" if self.metric == "cost" else self.metric,
            "interval": self.interval,
            "group": self.groups,
            **self.filters,
            "tag": [f"{key}={value}" for key, value in self.tags.items()],
        }
        if "range" in changes or "start" in changes:
            parts = {name: value for name, value in parts.items() if name not in _RANGE}
        return link("/explorer", **{**parts, **changes})

    def without_tag(self, key: str) -> str:
        """The same without one of its tag filters."""
        left = [f"{name}={value}" for name, value in self.tags.items() if name != key]
        return self.address(tag=left)

    @property
    def events_address(self) -> str:
        """The calls that are summed here."""
        last = from_us(max(self.span.start_us, self.span.end_us - 1)).astimezone(self.span.zone)
        return link(
            "/events",
            **self.filters,
            tag=[f"{key}={value}" for key, value in self.tags.items()],
            start_date=from_us(self.span.start_us).astimezone(self.span.zone).date().isoformat(),
            end_date=last.date().isoformat(),
        )

    def question(self, **parts: Any) -> UsageQueryIn:  # noqa: ANN401
        return self.span.question(**self.filters, tags=self.tags or None, **parts)

    @property
    def reads_calls(self) -> bool:
        """Whether no sums lie ready for it: then the page is shown before its numbers are."""
        known = set(self.groups) | set(self.filters)
        return not known <= SUMMED or bool(self.tags)

    @property
    def bucket(self) -> str:
        """The interval that is shown."""
        return self.interval or self.span.interval()


_RANGE = ("range", "start", "end")


class Row(NamedTuple):
    """A line of the table."""

    cells: list[tuple[str, str | None]]
    """For each group its text, and where it leads."""
    sums: Sums
    latency: int | None
    amount: int
    swatch: str
    """The class of its colour in the chart; empty where nothing is grouped."""


def view_of(visit: Visit) -> View:
    """The view an address means. InvalidRequest names what is wrong in it."""
    timezone = visit.query("tz")
    zone = zone_named(checked_timezone(timezone)) if timezone else visit.zone
    metric = visit.query("metric") or "cost"
    interval = visit.query("interval")
    if metric not in METRICS:
        raise InvalidRequest(f"'metric' is one of {', '.join(METRICS)}", "metric")
    if interval not in INTERVALS:
        raise InvalidRequest("'interval' is hour, day, week or month", "interval")
    groups = list(dict.fromkeys(visit.queries("group")))
    if len(groups) > MAX_GROUPS:
        raise InvalidRequest(f"At most {MAX_GROUPS} groups", "group")
    span = span_in(visit, zone)
    filters = {name: visit.query(name) for name in FIELDS if visit.query(name)}
    tags: dict[str, str] = {}
    for text in visit.queries("tag"):
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InvalidRequest("A tag filter is written key=value", "tag")
        tags[key] = value
    return View(span, metric, interval, groups, filters, tags, timezone)


@page("/explorer")
def explorer(visit: Visit) -> Page:
    view = view_of(visit)
    if view.reads_calls and not visit.is_partial:
        return Page(template="explorer.html", context={**_controls(visit, view), "waits": True})
    wanted_table = ask(
        visit.dashboard.usage.sum,
        visit.account.number,
        view.question(
            group_by=view.groups, limit=SHOWN_ROWS if view.metric == "cost" else SORTED_ROWS
        ),
        0,
        SHOWN,
    )
    charted, complete = _charted(visit, view)
    table = wanted_table.result()
    rows = sorted(table.page.rows, key=lambda row: -amount(view.metric, row.sums))[:SHOWN_ROWS]
    names = _names(visit, view, rows)
    titles = {
        row.group: " · ".join(_cell_texts(view, row.group, names)) for row in rows if row.group
    }
    parts = parts_of(charted, view.metric, titles, TOP_SERIES)
    swatches = {part.group: part.swatch for part in parts}
    return Page(
        template="explorer.html",
        context={
            **_controls(visit, view),
            "waits": False,
            "rows": [_row(view, row, names, swatches) for row in rows],
            "total_rows": table.page.total,
            "totals": table.page.totals,
            "latency": average_latency(table.page.totals),
            "largest": max((amount(view.metric, row.sums) for row in rows), default=0),
            "chart": chart_of(
                charted,
                parts,
                view.metric,
                view.bucket,
                f"{METRICS[view.metric]}, {view.span.title}",
                series_href=lambda group: _drill(view, group) if view.groups else view.address(),
            ),
            "by_cost": not complete and view.metric != "cost",
            "over_time": intervals_of(charted, view.bucket),
        },
    )


def _controls(visit: Visit, view: View) -> dict[str, Any]:
    """What the page has above its numbers."""
    return {
        "view": view,
        "span": view.span,
        "presets": PRESETS,
        "metrics": METRICS,
        "groups": GROUPS,
        "intervals": INTERVALS,
        "fields": {name: GROUPS[name] for name in FIELDS},
        "known": suggestions(visit),
        "curl": _curl(visit, view),
    }


def _charted(visit: Visit, view: View) -> tuple[UsageAnswer, bool]:
    """Sums by interval, and whether every group is in them.

    The store folds what is not among the dearest. By another metric others may lead, so all groups
    are asked for, as long as they are few.
    """
    usage, account = visit.dashboard.usage, visit.account.number
    if view.metric != "cost" and view.groups:
        every = view.question(group_by=view.groups, interval=view.bucket, limit=FOLDED_ROWS)
        answer = usage.sum(account, every, 0, SHOWN)
        if answer.page.total <= FOLDED_ROWS:
            return answer, True
    return summed(usage, account, view.question, group_by=view.groups, interval=view.bucket), False


@page("/explorer.csv")
def explorer_csv(visit: Visit) -> Download:
    """Every interval and group as a file; refused where it would be cut."""
    view = view_of(visit)
    question = view.question(group_by=view.groups, interval=view.bucket)
    answer = visit.dashboard.usage.sum(visit.account.number, question, 0)
    if answer.page.total > ROWS:
        raise InvalidRequest(
            f"{answer.page.total:,} rows are more than {ROWS:,}: choose a longer interval or fewer "
            "groups, or make an export",
            "group",
        )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["start", "end", *view.groups, *CSV_SUMS])
    for row in answer.page.rows:
        writer.writerow(_csv_row(answer, row))
    name = f"spend-{iso_utc(view.span.start_us)[:10]}-to-{iso_utc(view.span.end_us - 1)[:10]}.csv"
    return Download(name, "text/csv", out.getvalue().encode())


def _csv_row(answer: UsageAnswer, row: UsageRow) -> list[str]:
    sums, latency = row.sums, average_latency(row.sums)
    return [
        iso_in_zone(answer.bounds_us[row.bucket], answer.zone),
        iso_in_zone(answer.bounds_us[row.bucket + 1], answer.zone),
        *("" if value is None else _harmless(value_name(value)) for value in row.group or ()),
        plain_money(sums.cost_pico),
        str(sums.events),
        str(sums.errors),
        str(sums.unpriced_events),
        str(sums.input_tokens),
        str(sums.output_tokens),
        "" if latency is None else str(latency),
    ]


def _harmless(text: str) -> str:
    """What a spreadsheet would run as a formula stands behind an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _row(view: View, row: UsageRow, names: Names, swatches: dict[Group | None, str]) -> Row:
    group = row.group or ()
    cells = [
        (text, _chosen(view, place, group[place]))
        for place, text in enumerate(_cell_texts(view, group, names))
    ]
    return Row(
        cells=cells,
        sums=row.sums,
        latency=average_latency(row.sums),
        amount=amount(view.metric, row.sums),
        swatch=swatches.get(group, "s-other") if group else "",
    )


def _cell_texts(view: View, group: Group, names: Names) -> list[str]:
    """A group's values for people: an entity by its name, where its type is known."""
    values = dict(zip(view.groups, group, strict=True))
    kind = view.filters.get("entity_type") or values.get("entity_type")
    return [
        names.get((str(kind), str(value)), value_name(value))
        if field == "entity_id"
        else value_name(value)
        for field, value in values.items()
    ]


def _chosen(view: View, place: int, value: str | bool | None) -> str | None:
    """The view with one group's value as a filter."""
    return _drill(
        view, tuple(value if i == place else None for i in range(len(view.groups))), place
    )


def _drill(view: View, group: Group, only: int | None = None) -> str | None:
    """One step closer: the group's values become filters, and something new is grouped by."""
    changes: dict[str, object] = {}
    tags = dict(view.tags)
    for place, (field, value) in enumerate(zip(view.groups, group, strict=True)):
        if only is not None and place != only:
            continue
        if value is None or field == "service_tier":
            return None
        if field.startswith("tags["):
            tags[field[5:-1]] = str(value)
        else:
            changes[field] = str(value).lower() if isinstance(value, bool) else value
    left = [field for i, field in enumerate(view.groups) if only is not None and i != only]
    if not left and view.groups:
        wanted = NEXT_GROUP.get(view.groups[0], "model")
        left = [wanted] if wanted not in view.filters else ["session_id"]
    changes["tag"] = [f"{key}={value}" for key, value in tags.items()]
    return view.address(group=left, **changes)


def _names(visit: Visit, view: View, rows: Sequence[UsageRow]) -> Names:
    """Names that entities were given, where it is known of which type they are."""
    if "entity_id" not in view.groups:
        return {}
    keys = set()
    for row in rows:
        values = dict(zip(view.groups, row.group or (), strict=False))
        kind = view.filters.get("entity_type") or values.get("entity_type")
        if kind and values.get("entity_id"):
            keys.add((str(kind), str(values["entity_id"])))
    return visit.dashboard.entities.names(visit.account.number, keys)


def _curl(visit: Visit, view: View) -> str:
    """The same question to the API."""
    pairs: list[tuple[str, str]] = [
        ("start_date", iso_utc(view.span.start_us)),
        ("end_date", iso_utc(view.span.end_us)),
        ("timezone", view.span.zone.key),
        ("interval", view.bucket),
        *(("group_by", field) for field in view.groups),
        *view.filters.items(),
        *((f"tags[{key}]", value) for key, value in view.tags.items()),
        ("limit", "1000"),
    ]
    # Everything but letters, digits and a few marks is encoded: nothing ends the quotes early.
    query = urlencode(pairs)
    header = '-H "Authorization: Bearer $INFRAPRISM_API_KEY"'
    return f"curl '{visit.base_url}/v1/usage?{query}' \\\n  {header}"


ROUTES = [explorer, explorer_csv]
