"""An id is called new only when it can not be stored: checked against a plain set."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.event_store.duckdb.recent_ids import RecentIds

ids = st.tuples(
    st.integers(1, 2),
    # Few values in each part: ids meet again, and windows fill and are forgotten.
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1)).map(
        lambda parts: bytes([0, 0, 0, 0, parts[0], parts[1], *([0] * 9), parts[2]])
    ),
    st.sampled_from([None, None, None, "foreign", ""]),
)


@given(st.lists(st.lists(ids, max_size=6, unique=True), max_size=25), st.integers(1, 12))
def test_nothing_stored_is_ever_called_new(groups: list, most: int) -> None:
    recent = RecentIds(most)
    stored: set[tuple[int, bytes, str | None]] = set()
    for group in groups:
        for account in {account for account, _, _ in group}:
            ids = [(key, text) for owner, key, text in group if owner == account]
            unproved = set(recent.unproved(account, *zip(*ids, strict=True)))
            fresh = []
            for place, (key, text) in enumerate(ids):
                if place not in unproved:
                    assert (account, key, text) not in stored
                    assert text is None, "a hash sorts nowhere: the table is asked"
                if (account, key, text) not in stored:
                    fresh.append((key, text))
            stored.update((account, *each) for each in fresh)
            if fresh:
                recent.stored(account, *zip(*fresh, strict=True))


def test_ids_that_come_in_order_are_proved_new_without_a_look() -> None:
    recent = RecentIds(most=100)
    for number in range(1, 1_000):
        key = (number * 256).to_bytes(6, "big") + bytes(10)
        assert recent.unproved(1, [key], [None]) == []
        recent.stored(1, [key], [None])
        assert recent.unproved(1, [key], [None]) == [0]


@pytest.mark.parametrize("stored", [0, 1])
def test_what_a_file_holds_is_never_called_new(tmp_path: Path, stored: int) -> None:
    connection = duckdb.connect(str(tmp_path / "x.duckdb"))
    connection.execute("CREATE TABLE events (id UUID, id_text VARCHAR, commit_no BIGINT)")
    if stored:
        connection.execute(
            "INSERT INTO events VALUES ('01920000-0000-7000-8000-000000000000', NULL, 1),"
            " ('ff920000-0000-7000-8000-000000000000', 'foreign', 2),"
            " ('01910000-0000-7000-8000-000000000000', NULL, 1000)"
        )
    recent = RecentIds()
    recent.load(connection)
    held = bytes.fromhex("01920000000070008000000000000000")
    later = bytes.fromhex("01920000000070008000000000000001")
    assert recent.unproved(1, [held, later], [None, None]) == [0] * stored
    connection.close()
