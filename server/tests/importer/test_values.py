"""Cells, timestamps and ordinals: what they mean, whichever way they are computed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infraprism_server.importer.instants import instant, instants, iso_texts
from infraprism_server.importer.ordinals import Ordinals
from infraprism_server.importer.values import CellError, convert_column

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
WHOLE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WHOLE_US = int(WHOLE.timestamp()) * 1_000_000


@pytest.mark.parametrize(
    "cell",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T05:04:05+02:00",
        " 2026-01-02 03:04:05.000000+00:00 ",
        "1767323045",
        1767323045,
        Decimal("1767323045.0"),
        1767323045000,
        "1767323045000000",
        1767323045000000000,
    ],
)
def test_one_instant_in_many_spellings(cell: object) -> None:
    assert instant(cell, None) == WHOLE_US


@pytest.mark.parametrize("cell", [None, "", "soon", True, {}, "-5", "2026-13-01T00:00:00Z", 1e30])
def test_what_is_no_time_says_so(cell: object) -> None:
    with pytest.raises(CellError):
        instant(cell, UTC_ZONE)


def test_a_zone_places_naive_times_and_refuses_skipped_ones() -> None:
    assert instant("2026-01-02 04:04:05", BERLIN) == WHOLE_US
    assert instant("2026-10-25 02:30:00", BERLIN) == instant("2026-10-25T00:30:00Z", None)
    with pytest.raises(CellError, match="does not exist in Europe/Berlin"):
        instant("2026-03-29 02:30:00", BERLIN)
    with pytest.raises(CellError, match="has no time zone"):
        instant("2026-01-02 04:04:05", None)


@given(
    st.lists(
        st.tuples(
            st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)),
            st.sampled_from(["", ".1234567", ".5", ".123456789"]),
            st.sampled_from(["Z", "+05:30", "-01:00"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_column_at_once_is_the_same_as_cell_by_cell(
    parts: list[tuple[datetime, str, str]],
) -> None:
    for ending in (True, False):
        cells: list[object] = [
            f"{moment.replace(microsecond=0)}{fraction}{zone if ending else ''}"
            for moment, fraction, zone in parts
        ]
        found, faults = instants(cells, UTC_ZONE)
        assert not faults
        assert found == [instant(cell, UTC_ZONE) for cell in cells]
        texts = iso_texts([value for value in found if value is not None])
        assert [instant(text, None) for text in texts] == found


@pytest.mark.parametrize(
    ("field", "cell", "value"),
    [
        ("input_tokens", "12", 12),
        ("input_tokens", "12.0", 12),
        ("input_tokens", " 7 ", 7),
        ("input_tokens", "", None),
        ("input_tokens", 1.0, 1),
        ("latency_ms", "1.5", 2),
        ("latency_ms", "2.5", 2),
        ("cost_usd", "0.0065", Decimal("0.0065")),
        ("cost_usd", 0.1 + 0.2, Decimal("0.3")),
        ("cost_usd", "5.375e-3", Decimal("0.005375")),
        ("success", "TRUE", True),
        ("success", "0", False),
        ("success", False, False),
        ("tags", '{"a": 1}', {"a": "1"}),
        ("tags", {}, None),
        ("error_code", 429, "429"),
    ],
)
def test_what_a_cell_means(field: str, cell: object, value: object) -> None:
    assert convert_column(field, [cell]) == ([value], {})


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("input_tokens", "1.5"),
        ("input_tokens", "1e400"),
        ("input_tokens", "NaN"),
        ("input_tokens", True),
        ("input_tokens", "9" * 30),
        ("cost_usd", "$1"),
        ("success", "maybe"),
        ("tags", "[1]"),
        ("tags", {"a": {}}),
        ("model", {"name": "x"}),
    ],
)
def test_what_a_cell_can_not_mean(field: str, cell: object) -> None:
    values, faults = convert_column(field, ["", cell])
    assert values == [None, None]
    assert list(faults) == [1]


def test_ordinals_count_identical_lines_wherever_they_stand() -> None:
    ordinals = Ordinals()
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(3)]
    asked = [0, 1, 0, 0, 2, 1, *[0] * 100]
    seen: dict[int, int] = {}
    for number in asked:
        assert ordinals.next(digests[number]) == seen.get(number, 0)
        seen[number] = seen.get(number, 0) + 1
