"""R12: timestamps at the edges of calendars and clocks, and the buckets they belong in."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from contract_tests.harness.client import Client

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Africa/Casablanca",
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EDGES = [
    EPOCH,
    datetime(1972, 2, 29, tzinfo=UTC),
    datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2000, 2, 29, 12, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),  # the day Samoa left out
    datetime(2024, 2, 29, tzinfo=UTC),
    datetime(2024, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2025, 3, 30, 1, tzinfo=UTC),  # clocks forward in Berlin
    datetime(2025, 10, 26, 1, tzinfo=UTC),  # and back
    datetime(2025, 3, 9, 7, tzinfo=UTC),  # New York
    datetime(2025, 11, 2, 6, tzinfo=UTC),
    datetime(2025, 4, 5, 15, tzinfo=UTC),  # Lord Howe: half an hour
]
_OFFSETS = [0, 60, -300, 345, 630, 780, -570, 839, -839]
IMPOSSIBLE = [
    "0000-01-01T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2025-01-32T00:00:00Z",
    "2025-13-01T00:00:00Z",
    "2025-01-01T25:00:00Z",
    "2025-01-01T00:60:00Z",
    "2025-01-01T00:00:00+24:00",
    "2025-01-01T00:00:00",
    "2025-01-01",
    "10000-01-01T00:00:00Z",
    "-0001-01-01T00:00:00Z",
    "2025-01-15T10:30:00 Europe/Berlin",
    "1736937000",
    "now",
    "",
]
OUT_OF_RANGE = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1969-12-31T23:59:59.999999Z",
    "1970-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-23:59",
    "3000-01-01T00:00:00Z",
]


def edge_times(random: Random, amount: int) -> list[tuple[str, datetime]]:
    """Timestamps as text, near the edges, in many offsets; with the instant each one is."""
    made = []
    while len(made) < amount:
        near = random.choice([0, 1, -1, 500_000, random.randrange(-(10**6), 10**6)])
        around = timedelta(minutes=random.choice([0, 0, 0, -60, 60, random.randrange(-2000, 2000)]))
        moment = random.choice(_EDGES) + timedelta(microseconds=near) + around
        if moment < EPOCH:
            continue
        offset = timedelta(minutes=random.choice(_OFFSETS))
        local = (moment + offset).replace(tzinfo=None).isoformat()
        minutes = abs(offset) // timedelta(minutes=1)
        sign = "-" if offset < timedelta() else "+"
        tail = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
        made.append((local + ("Z" if not offset and random.random() < 0.5 else tail), moment))
    return made


def check_edge_times(client: Client, *, seed: int, amount: int) -> int:
    """No 5xx, each instant as it was meant, none in a wrong day or month of any zone."""
    times = edge_times(Random(seed), amount)
    events = [
        {"id": f"edge-{seed}-{number}", "timestamp": text, "provider": "p", "model": "m"}
        for number, (text, _) in enumerate(times)
    ]
    for start in range(0, amount, 500):
        result = client.ingest(events[start : start + 500])
        assert result["rejected"] == [], result["rejected"][:3]
    meant = {f"edge-{seed}-{number}": moment for number, (_, moment) in enumerate(times)}
    for row in client.every("/v1/events"):
        assert datetime.fromisoformat(row["timestamp"]) == meant[row["id"]], row
    for name in ZONES:
        _check_buckets(client, list(meant.values()), ZoneInfo(name))
    return amount


def _check_buckets(client: Client, moments: list[datetime], zone: ZoneInfo) -> None:
    days = Counter(moment.astimezone(zone).date() for moment in moments)
    months = Counter(day.replace(day=1) for day in days.elements())
    asked = {"timezone": zone.key, "interval": "month", "end_date": max(days).isoformat()}
    asked["start_date"] = min(days).isoformat() if min(days).year >= 1970 else "1970-01-01T00:00Z"
    rows = client.every("/v1/usage", asked)
    found = Counter({_month(row["start"]): row["events"] for row in rows if row["events"]})
    assert found == months, (zone.key, found - months, months - found)
    assert sum(row["events"] for row in rows) == len(moments)
    for year in sorted({day.year for day in days if day.year > 1970}):
        window = {"start_date": f"{year}-01-01", "end_date": f"{year}-12-31", "interval": "day"}
        rows = client.every("/v1/usage", window | {"timezone": zone.key})
        found = Counter({_day(row["start"]): row["events"] for row in rows if row["events"]})
        expected = Counter({day: n for day, n in days.items() if day.year == year})
        assert found == expected, (zone.key, year)
        hours = [row for row in rows if row["start"] == row["end"]]
        assert not hours, "an empty interval"


def _day(text: str) -> date:
    return date.fromisoformat(text[:10])


def _month(text: str) -> date:
    return _day(text).replace(day=1)
