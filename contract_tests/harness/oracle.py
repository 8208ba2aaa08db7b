"""The oracle: a journal of what was sent and acknowledged, and every sum computed from it anew.

The journal only grows. What was acknowledged must be stored, what is stored must have been sent,
each once, as it was sent; and what the server adds up must be what Decimal adds up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock
from typing import Any

from contract_tests.harness.client import Client

Row = dict[str, Any]

SUMMED = (
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "reasoning_output_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)


class Journal:
    """What was sent to one account, and what was acknowledged. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.sent: dict[str, Row] = {}
        self.acknowledged: set[str] = set()
        self.accepted = 0
        """How many events the server said it took, over all answers it got out."""

    def send(self, events: Iterable[Row]) -> None:
        """Note events before they leave; the first content under an id is the one that counts."""
        with self._lock:
            for each in events:
                self.sent.setdefault(each["id"], each)

    def acknowledge(self, events: list[Row], result: Row) -> None:
        """Note a 200: all but the rejected are promised."""
        assert result["rejected"] == [], result["rejected"][:3]
        assert result["accepted"] + result["duplicates"] == len(events), result
        with self._lock:
            self.accepted += result["accepted"]
            self.acknowledged.update(each["id"] for each in events)


def verify(journal: Journal, client: Client) -> int:
    """All of R1 and R4 for one account; how many events are stored. AssertionError otherwise."""
    stored = client.every("/v1/events")
    verify_events(journal, stored)
    verify_sums(stored, client)
    return len(stored)


def verify_events(journal: Journal, stored: list[Row]) -> None:
    """0 missing, 0 doubled, 0 invented, each as it was sent."""
    counts = Counter(row["id"] for row in stored)
    doubled = [event_id for event_id, count in counts.items() if count > 1]
    missing = journal.acknowledged - counts.keys()
    invented = counts.keys() - journal.sent.keys()
    assert not missing, f"{len(missing)} acknowledged events are lost: {sorted(missing)[:5]}"
    assert not doubled, f"{len(doubled)} events are doubled: {doubled[:5]}"
    assert not invented, f"{len(invented)} events nobody sent: {sorted(invented)[:5]}"
    for row in stored:
        for field, value in journal.sent[row["id"]].items():
            assert row[field] == value, (row["id"], field, row[field], value)


def verify_sums(stored: list[Row], client: Client) -> None:
    """Totals, groups, days and entities equal a recomputation from the raw events: R4."""
    totals = client.ok("/v1/usage")["totals"]
    assert picked(totals) == sums_of(stored), "totals"
    by_model = groups_of(stored, lambda row: (row["model"], row["tags"].get("feature")))
    rows = client.every("/v1/usage", {"group_by": ["model", "tags[feature]"]})
    answered = {(row["group"]["model"], row["group"]["tags[feature]"]): picked(row) for row in rows}
    assert answered == by_model, "groups"
    if stored:
        _verify_days(stored, client)
    by_entity = groups_of(
        (row for row in stored if row["entity_id"] is not None),
        lambda row: (row["entity_type"], row["entity_id"]),
    )
    entities = {(row["entity_type"], row["entity_id"]): row for row in client.every("/v1/entities")}
    assert entities.keys() == by_entity.keys()
    for key, row in entities.items():
        expected = by_entity[key]
        assert row["total_cost"] == expected["cost_usd"], (key, row)
        assert row["total_events"] == expected["events"], (key, row)
        assert row["total_tokens"] == expected["total_tokens"], (key, row)


def _verify_days(stored: list[Row], client: Client) -> None:
    by_day = groups_of(stored, lambda row: row["timestamp"][:10])
    query = {"interval": "day", "start_date": min(by_day), "end_date": max(by_day)}
    days = {row["start"][:10]: picked(row) for row in client.every("/v1/usage", query)}
    empty = sums_of([])
    assert {day: sums for day, sums in days.items() if sums != empty} == by_day, "days"


def sums_of(rows: Iterable[Row]) -> dict[str, Decimal | int]:
    """The sums of raw events, exactly."""
    sums: dict[str, Any] = dict.fromkeys((*SUMMED, "events", "errors", "unpriced_events"), 0)
    for row in rows:
        sums["events"] += 1
        sums["errors"] += not row["success"]
        sums["unpriced_events"] += row["cost_source"] == "unpriced"
        for field in SUMMED:
            sums[field] += row[field]
    return sums


def picked(answer: Row) -> dict[str, Decimal | int]:
    """The same fields of a usage row."""
    return {field: answer[field] for field in (*SUMMED, "events", "errors", "unpriced_events")}


def groups_of(
    rows: Iterable[Row], key: Callable[[Row], object]
) -> dict[Any, dict[str, Decimal | int]]:
    """`sums_of` by a key."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return {each: sums_of(members) for each, members in groups.items()}


def instant(text: str) -> datetime:
    """An answer's time, aware."""
    return datetime.fromisoformat(text).astimezone(UTC)
