"""Events as columns are the same events, however they are asked for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract_tests.event_store import samples
from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.event_columns import EventColumns, entities_of, values_of
from infraprism_server.event_store.repeated import Repeated

several = st.lists(samples.events(), min_size=1, max_size=12)


@settings(max_examples=30)
@given(several, st.data())
def test_events_come_out_as_they_went_in(events: list[Event], data: st.DataObject) -> None:
    columns = EventColumns.of(events)
    assert list(columns) == events
    assert [columns[place] for place in range(len(columns))] == events
    assert columns[1:] == events[1:]
    assert EventColumns.of(columns) is columns
    assert columns == events
    assert set(entities_of(columns)) == set(entities_of(events))
    for name in Event.__struct_fields__:
        assert values_of(columns, name) == values_of(events, name)
    places = data.draw(
        st.lists(st.integers(0, len(events) - 1), min_size=1, max_size=5, unique=True)
    )
    chosen = columns.take(places)
    assert list(chosen) == [events[place] for place in places]
    names = {(event.entity_type, event.entity_id) for event in chosen}
    assert set(chosen.entities.values) == names, "an entity without events would be listed"


def test_a_number_that_fits_no_column_is_refused_before_anything_is_stored() -> None:
    with pytest.raises((OverflowError, ValueError)):
        EventColumns.of([samples.event(cost_pico=2**63)])
    with pytest.raises((OverflowError, ValueError)):
        EventColumns.of([samples.event(input_tokens=2**31)])


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1))
def test_a_repeated_column_is_the_column(column: list[str | None]) -> None:
    repeated = Repeated.of(column)
    assert repeated.expanded() == column
    assert [repeated.at(place) for place in range(len(column))] == column
    assert len(set(repeated.values)) == len(repeated.values)
    assert repeated.renamed(str).expanded() == list(map(str, column))
