"""R11: random interleavings of retries end in one state. Replayed by Hypothesis from a seed."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from contract_tests.harness.client import Client
from contract_tests.harness.traffic import batch

BATCHES = 4
BATCH_EVENTS = 3
_sessions = count(1)

steps = st.lists(
    st.tuples(
        st.sampled_from(["whole", "reversed", "part", "doubled", "conflicting"]),
        st.integers(0, BATCHES - 1),
        st.integers(0, BATCH_EVENTS),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def interleave(clients: list[Client], plan: list[tuple[str, int, int, bool]]) -> None:
    """Send as planned, over two connections; after each step the state is the union of firsts."""
    session = f"interleaving-{next(_sessions)}"
    source = [
        [each | {"session_id": session} for each in batch(Random(index), f"{session}-{index}", 3)]
        for index in range(BATCHES)
    ]
    stored: dict[str, dict[str, Any]] = {}
    for way, index, cut, second in plan:
        sent = _sent(source[index], way, cut)
        if not sent:
            continue
        result = clients[second].ingest(sent)
        fresh = conflicts = 0
        for each in sent:
            fresh += each["id"] not in stored
            conflicts += stored.setdefault(each["id"], each) != each
        assert result["accepted"] == fresh, (way, result)
        assert len(result["rejected"]) == conflicts, (way, result)
        assert result["duplicates"] == len(sent) - fresh - conflicts, (way, result)
        rows = clients[not second].ok("/v1/events", {"session_id": session, "limit": 1000})["data"]
        assert sorted(row["id"] for row in rows) == sorted(stored)
        for row in rows:
            assert row["output_tokens"] == stored[row["id"]]["output_tokens"]
    totals = clients[0].ok("/v1/usage", {"session_id": session})["totals"]
    assert totals["events"] == len(stored)
    assert totals["output_tokens"] == sum(each["output_tokens"] for each in stored.values())


def _sent(events: list[dict[str, Any]], way: str, cut: int) -> list[dict[str, Any]]:
    match way:
        case "reversed":
            return events[::-1]
        case "part":
            return events[cut:]
        case "doubled":
            return events + [dict(each) for each in events[:cut]]
        case "conflicting":
            return [each | {"output_tokens": each["output_tokens"] + 1 + cut} for each in events]
    return list(events)


def run_interleavings(clients: list[Client], *, start: int, examples: int) -> int:
    """`examples` plans from the seed `start`; AssertionError shows the smallest that fails."""
    done = 0

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(steps)
    def check(plan: list[tuple[str, int, int, bool]]) -> None:
        nonlocal done
        done += 1
        interleave(clients, plan)

    check()
    return done
