"""Calls as the columns that ingest has of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infraprism_server.event_store.contract import Event
from infraprism_server.event_store.repeated import Repeated
from infraprism_server.pricing.calls import CallColumns

USED = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_write_input_tokens",
    "cache_write_1h_input_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_search_requests",
)


def columns_of(calls: Sequence[Event]) -> CallColumns:
    """The columns of calls."""
    names = Repeated.of([(call.provider, call.model, call.service_tier) for call in calls])
    used = {name: np.array([getattr(call, name) for call in calls], np.int64) for name in USED}
    return CallColumns(names, used)
