"""Where recorded calls go: the process's one uploader, or nowhere when there is no key."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from infraprism import attribution
from infraprism.counters import Counters, Counts
from infraprism.event import Event, new_event_id, with_attribution
from infraprism.quiet import own_error, warn_once
from infraprism.settings import Settings
from infraprism.uploader import Uploader, close_all
from infraprism.usage import normalise

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_lock = threading.Lock()
_uploaders: dict[tuple[str, str], Uploader] = {}
_default: list[Uploader | None] = []


def uploader(api_key: str | None = None, base_url: str | None = None) -> Uploader | None:
    """The uploader for a key and address, made at first use; None when nothing is reported."""
    settings = Settings.from_environment(api_key, base_url)
    if settings.disabled:
        return None
    if settings.api_key is None:
        warn_once(
            "no key", "infraprism: INFRAPRISM_API_KEY is not set; calls work, nothing is reported"
        )
        return None
    where = (settings.root, settings.api_key)
    with _lock:
        if where not in _uploaders:
            _uploaders[where] = Uploader(
                settings.root, settings.api_key, spool_folder=settings.spool_folder
            )
        return _uploaders[where]


def default_uploader() -> Uploader | None:
    """The one the environment names; looked at once, `reset` looks again."""
    if not _default:
        _default.append(uploader())
    return _default[0]


def reset() -> None:
    """Look at the environment again at the next call."""
    _default.clear()


def flush(timeout_seconds: float = 10.0) -> bool:
    """Wait until everything recorded is with the server: for scripts and serverless handlers."""
    deadline = time.monotonic() + timeout_seconds
    return all(
        one.flush(max(0.0, deadline - time.monotonic())) for one in list(_uploaders.values())
    )


def close(timeout_seconds: float = 2.0) -> None:
    """Send what is left and end the upload threads; later calls start anew."""
    deadline = time.monotonic() + timeout_seconds
    for one in list(_uploaders.values()):
        one.close(max(0.0, deadline - time.monotonic()))
    _uploaders.clear()
    reset()


def counts() -> Counts:
    """Queued, sent and dropped so far, of the default uploader."""
    one = default_uploader()
    return one.queue.counts() if one is not None else Counters().snapshot()


def track(
    *,
    provider: str,
    model: str,
    usage: Mapping[str, Any] | None = None,
    latency_ms: int | None = None,
    time_to_first_token_ms: int | None = None,
    success: bool = True,
    error_type: str | None = None,
    error_code: str | None = None,
    service_tier: str | None = None,
    entity_type: str | None = None,
    entity_id: str | None = None,
    session_id: str | None = None,
    tags: Mapping[str, Any] | None = None,
    input_tokens: int = 0,
    output_tokens: int = 0,
    cache_read_input_tokens: int = 0,
    cache_write_input_tokens: int = 0,
    cache_write_1h_input_tokens: int = 0,
    reasoning_output_tokens: int = 0,
    input_audio_tokens: int = 0,
    output_audio_tokens: int = 0,
    web_search_requests: int = 0,
    cost_usd: float | Decimal | None = None,
    timestamp: datetime | None = None,
    id: str | None = None,
) -> str | None:
    """Record a call made by other means; the event's id, or None when nothing is reported.

    Tokens come as a provider's `usage` object (its shape is recognised), or as inclusive totals
    by name, of which the details are parts. `cost_usd` is what the provider itself reported the
    call to cost. `timestamp` (aware) is when it was made, by default now. With an `id` of your own
    (up to 128 characters) the same call is counted once, however often it is tracked.
    """
    try:
        one = default_uploader()
        if one is None:
            return None
        now = _nanoseconds(timestamp)
        event: Event = {
            "id": attribution.printable(id, 128) or new_event_id(now),
            "timestamp": now,
            "provider": attribution.printable(provider, 64) or "unknown",
            "model": attribution.printable(model, 256) or "unknown",
            "success": bool(success),
        }
        if usage is not None:
            event.update(normalise(usage, service_tier))
        else:
            details = {
                "cached_tokens": cache_read_input_tokens,
                "cache_write_tokens": cache_write_input_tokens,
                "cache_write_1h_tokens": cache_write_1h_input_tokens,
                "audio_tokens": input_audio_tokens,
            }
            totals = {
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "input_tokens_details": details,
                "output_tokens_details": {
                    "reasoning_tokens": reasoning_output_tokens,
                    "audio_tokens": output_audio_tokens,
                },
                "server_tool_use": {"web_search_requests": web_search_requests},
                "cost": cost_usd,
            }
            event.update(normalise(totals, service_tier))
        if latency_ms is not None:
            event["latency_ms"] = max(0, int(latency_ms))
        if time_to_first_token_ms is not None:
            event["time_to_first_token_ms"] = max(0, int(time_to_first_token_ms))
        if error_type:
            event["error_type"] = attribution.printable(error_type, 128)
        if error_code:
            event["error_code"] = attribution.printable(error_code, 128)
        given = attribution.cleaned(entity_type, entity_id, session_id, tags)
        with_attribution(event, attribution.merged(attribution.current(), given))
        one.record(event)
    except Exception as error:  # noqa: BLE001 - recording never breaks the host
        own_error("track", error)
        return None
    return str(event["id"])


def _nanoseconds(timestamp: datetime | None) -> int:
    if timestamp is None:
        return time.time_ns()
    if timestamp.tzinfo is None:
        raise ValueError("a timestamp without a zone")
    return (timestamp - _EPOCH) // timedelta(microseconds=1) * 1_000


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it when the process was forked
    _lock = threading.Lock()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
