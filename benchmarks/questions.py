"""Every read of the contract, with parameters that vary, and the same question as plain SQL.

A floor's SQL reads the plain rows of floor.py, where account 1 holds everything. It asks for what
our answer holds (a page and its exact total; sums and totals), not for more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import quote, urlencode

from benchmarks.floor import PROJECT_CODES
from benchmarks.workload import DAYS, ENVIRONMENTS, FEATURES, MODELS
from infraprism_server.clock import MICROSECONDS_PER_DAY as DAY
from infraprism_server.clock import MICROSECONDS_PER_HOUR as HOUR
from infraprism_server.clock import iso_utc, to_us

READ_GOAL_MS: Final = 100.0
INSTANT_GOAL_MS: Final = 250.0
BREAKDOWN_GOAL_MS: Final = 700.0

_DEFAULT_LIMIT: Final = 100


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the stored events, so that questions ask for what exists."""

    start_us: int
    end_us: int
    busy: list[str]
    """Customers that call most."""
    rare: list[str]
    """Customers that call least."""
    event_ids: list[str]
    sessions: list[str]

    def instant(self, random: Random) -> int:
        return random.randrange(self.start_us, self.end_us)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, and the values of the floor's parameters."""

    path: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of read."""

    name: str
    ask: Callable[[Random, Facts], Asked]
    floor: tuple[str, ...] = ()
    goal_ms: float = READ_GOAL_MS


_SUMS: Final = """count(*), count(*) FILTER (NOT success), sum(cost_pico), sum(input_tokens),
    sum(output_tokens), sum(cache_read_input_tokens), sum(cache_write_input_tokens),
    sum(reasoning_output_tokens), sum(latency_ms), count(latency_ms)"""


def _page(where: str, offset: int = 0) -> tuple[str, ...]:
    return (
        f"SELECT * FROM events WHERE account = 1{where} ORDER BY ts DESC, id DESC"
        f" LIMIT {_DEFAULT_LIMIT} OFFSET {offset}",
        f"SELECT count(*) FROM events WHERE account = 1{where}",
    )


def _sums(group: str, where: str = "", having: str = "") -> tuple[str, ...]:
    return (
        f"SELECT {group}, {_SUMS} FROM events e JOIN models m ON m.code = e.model_code"
        f" JOIN tag_sets t ON t.code = e.tag_code WHERE account = 1{where} GROUP BY ALL {having}",
    )


_RANGE: Final = " AND ts >= $start AND ts < $end"
_ENTITY: Final = " AND entity_code = $entity"


def _path(route: str, **query: Any) -> str:
    return f"{route}?{urlencode(query, doseq=True)}" if query else route


def _code(entity_id: str) -> int:
    kind, _, number = entity_id.rpartition("-")
    return int(number) + (PROJECT_CODES if kind == "project" else 0)


def _events(**fixed: Any) -> Callable[[Random, Facts], Asked]:
    return lambda _random, _facts: Asked(_path("/v1/events", **fixed))


def _of(which: str, route: str, **fixed: Any) -> Callable[[Random, Facts], Asked]:
    def ask(random: Random, facts: Facts) -> Asked:
        entity = random.choice(getattr(facts, which))
        path = _path(route, entity_type="customer", entity_id=entity, **fixed)
        return Asked(path, {"entity": _code(entity)})

    return ask


def _in_range(
    route: str, unit_us: int, longest: int, **fixed: Any
) -> Callable[[Random, Facts], Asked]:
    """A range of 1 to `longest` units that begins and ends on a unit; a unit of 1 µs: anywhere."""

    def ask(random: Random, facts: Facts) -> Asked:
        length = random.randint(1, longest) * unit_us
        start_us = random.randrange(facts.start_us, max(facts.start_us + 1, facts.end_us - length))
        start_us -= start_us % unit_us
        end_us = start_us + length
        path = _path(route, start_date=iso_utc(start_us), end_date=iso_utc(end_us), **fixed)
        return Asked(path, {"start": start_us, "end": end_us})

    return ask


def _by_model(random: Random, _facts: Facts) -> Asked:
    number = random.randrange(len(MODELS))
    return Asked(_path("/v1/events", model=MODELS[number][1]), {"model": number + 1})


def _by_tag(random: Random, _facts: Facts) -> Asked:
    feature = random.choice(FEATURES)
    return Asked(_path("/v1/events", **{"tags[feature]": feature}), {"feature": feature})


def _by_session(random: Random, facts: Facts) -> Asked:
    session = random.choice(facts.sessions)
    return Asked(_path("/v1/events", session_id=session), {"session": session})


def _one_event(suffix: str) -> Callable[[Random, Facts], Asked]:
    def ask(random: Random, facts: Facts) -> Asked:
        event_id = random.choice(facts.event_ids)
        path = f"/v1/events/{quote(event_id, safe='')}{suffix}"
        return Asked(path, {"id": event_id.removeprefix("evt_")})

    return ask


def _entity(which: str) -> Callable[[Random, Facts], Asked]:
    def ask(random: Random, facts: Facts) -> Asked:
        entity = random.choice(getattr(facts, which))
        return Asked(f"/v1/entities/customer/{quote(entity, safe='')}", {"entity": _code(entity)})

    return ask


def _hours_of_a_day(random: Random, facts: Facts) -> Asked:
    start_us = facts.instant(random) // DAY * DAY
    day = iso_utc(start_us)[:10]
    path = _path("/v1/usage", interval="hour", start_date=day, end_date=day)
    return Asked(path, {"start": start_us, "end": start_us + DAY})


def breakdown(random: Random, facts: Facts) -> Asked:
    """Two tags filtered, a third grouped, over 90 of 180 days that begin at midnight."""
    return _breakdown(random, facts, days=90)


def breakdown_of_all(random: Random, facts: Facts) -> Asked:
    """The same over the full range."""
    return _breakdown(random, facts, days=DAYS - 1)


def _breakdown(random: Random, facts: Facts, *, days: int) -> Asked:
    earliest = -(-facts.start_us // DAY)
    start_us = (earliest + random.randrange(DAYS - days)) * DAY
    feature, env = random.choice(FEATURES), random.choice(ENVIRONMENTS)
    path = _path(
        "/v1/usage",
        group_by="tags[team]",
        start_date=iso_utc(start_us)[:10],
        end_date=iso_utc(start_us + (days - 1) * DAY)[:10],
        **{"tags[feature]": feature, "tags[env]": env},
    )
    values = {"start": start_us, "end": start_us + days * DAY, "feature": feature, "env": env}
    return Asked(path, values)


def _fixed(path: str) -> Callable[[Random, Facts], Asked]:
    return lambda _random, _facts: Asked(path)


def _berlin(random: Random, facts: Facts) -> Asked:
    latest = max(facts.start_us + 1, facts.end_us - 31 * DAY)
    day = datetime.fromtimestamp(random.randrange(facts.start_us, latest) / 1e6, UTC).date()
    dates = {"start_date": str(day), "end_date": str(day + timedelta(days=29))}
    path = _path("/v1/usage", interval="day", timezone="Europe/Berlin", **dates)
    start_us = to_us(datetime(day.year, day.month, day.day, tzinfo=UTC)) - HOUR
    return Asked(path, {"start": start_us, "end": start_us + 30 * DAY})


_TAG: Final = " AND json_extract_string(tags, '/{0}') = ${0}"
_EVENTS = "/v1/events"
_USAGE = "/v1/usage"
_ENTITIES = "/v1/entities"

QUESTIONS: Final = (
    Question("GET /v1/me", _fixed("/v1/me")),
    Question("events: newest 100", _events(), _page("")),
    Question("events: newest 100, busy entity", _of("busy", _EVENTS), _page(_ENTITY)),
    Question("events: newest 100, rare entity", _of("rare", _EVENTS), _page(_ENTITY)),
    Question("events: offset 10,000", _events(offset=10_000), _page("", 10_000)),
    Question(
        "events: offset 10,000, busy entity",
        _of("busy", _EVENTS, offset=10_000),
        _page(_ENTITY, 10_000),
    ),
    Question("events: one model", _by_model, _page(" AND model_code = $model")),
    Question("events: range of days", _in_range(_EVENTS, DAY, 30), _page(_RANGE)),
    Question("events: range of hours", _in_range(_EVENTS, HOUR, 72), _page(_RANGE)),
    Question(
        "events: arbitrary instants",
        _in_range(_EVENTS, 1, 30 * DAY),
        _page(_RANGE),
        INSTANT_GOAL_MS,
    ),
    Question(
        "events: one tag",
        _by_tag,
        _page(
            " AND tag_code IN (SELECT code FROM tag_sets WHERE true" + _TAG.format("feature") + ")"
        ),
    ),
    Question("events: one session", _by_session, _page(" AND session_id = $session")),
    Question(
        "event by id",
        _one_event(""),
        ("SELECT * FROM events WHERE account = 1 AND id = $id::UUID",),
    ),
    Question("event's cost", _one_event("/cost")),
    Question(
        "entities: by type",
        _fixed(_path(_ENTITIES, type="customer")),
        _sums("entity_code", f" AND entity_code < {PROJECT_CODES}", "ORDER BY 4 DESC LIMIT 100"),
    ),
    Question(
        "entities: top 20",
        _fixed(_path(_ENTITIES, limit=20)),
        _sums("entity_code", "", "ORDER BY 4 DESC LIMIT 20"),
    ),
    Question("entities: offset 1,000", _fixed(_path(_ENTITIES, offset=1_000))),
    Question("entities: by events", _fixed(_path(_ENTITIES, sort="-total_events"))),
    Question("entities: by last seen", _fixed(_path(_ENTITIES, sort="-last_seen"))),
    Question("entities: by id", _fixed(_path(_ENTITIES, sort="entity_id"))),
    Question(
        "entities: range of days",
        _in_range(_ENTITIES, DAY, 90),
        _sums("entity_code", _RANGE, "ORDER BY 4 DESC LIMIT 100"),
    ),
    Question(
        "entities: arbitrary instants",
        _in_range(_ENTITIES, 1, 30 * DAY),
        _sums("entity_code", _RANGE, "ORDER BY 4 DESC LIMIT 100"),
        INSTANT_GOAL_MS,
    ),
    Question("entity: busy", _entity("busy"), _sums("model", _ENTITY)),
    Question("entity: rare", _entity("rare"), _sums("model", _ENTITY)),
    Question("usage: by model", _fixed(_path(_USAGE, group_by="model")), _sums("model")),
    Question(
        "usage: by day and model",
        _fixed(_path(_USAGE, group_by="model", interval="day")),
        _sums(f"ts // {DAY}, model", "", "ORDER BY 1, 5 DESC LIMIT 100"),
    ),
    Question("usage: hours of a day", _hours_of_a_day, _sums(f"ts // {HOUR}", _RANGE)),
    Question(
        "usage: by entity, top 20",
        _fixed(_path(_USAGE, group_by="entity_id", top=20)),
        _sums("entity_code", "", "ORDER BY 4 DESC LIMIT 20"),
    ),
    Question(
        "usage: months",
        _fixed(_path(_USAGE, interval="month")),
        _sums("date_trunc('month', make_timestamp(ts))"),
    ),
    Question("usage: days in Europe/Berlin", _berlin, _sums(f"(ts - $start) // {DAY}", _RANGE)),
    Question(
        "usage: days of a busy entity",
        _of("busy", _USAGE, interval="day"),
        _sums(f"ts // {DAY}", _ENTITY),
    ),
    Question(
        "usage: by model, arbitrary instants",
        _in_range(_USAGE, 1, 30 * DAY, group_by="model"),
        _sums("model", _RANGE),
        INSTANT_GOAL_MS,
    ),
    Question(
        "usage: two tags filtered, a third grouped, 90 days",
        breakdown,
        _sums(
            "json_extract_string(tags, '/team')",
            _RANGE + _TAG.format("feature") + _TAG.format("env"),
        ),
        BREAKDOWN_GOAL_MS,
    ),
    Question("GET /v1/api-keys", _fixed("/v1/api-keys")),
)
