"""Anthropic's clients, measured. Needs `pip install infraprism[anthropic]`."""

from __future__ import annotations

from anthropic import Anthropic, AsyncAnthropic

from infraprism.instrumentation import TrackedAsync, TrackedSync, tracked


@tracked(Anthropic)
class InfraPrismAnthropic(TrackedSync, Anthropic):
    """`anthropic.Anthropic`; every call takes entity_type, entity_id, session_id and tags."""


@tracked(AsyncAnthropic)
class AsyncInfraPrismAnthropic(TrackedAsync, AsyncAnthropic):
    """`anthropic.AsyncAnthropic`; every call takes entity_type, entity_id, session_id and tags."""
