"""One call of a provider's client, from its start to the one event that is recorded of it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from infraprism.attribution import Attribution, printable
from infraprism.event import RAW_USAGE, Event, new_event_id, with_attribution
from infraprism.quiet import own_error

OPERATIONS: Final = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/responses",
        "/embeddings",
        "/images/generations",
        "/images/edits",
        "/images/variations",
        "/audio/speech",
        "/audio/transcriptions",
        "/audio/translations",
        "/v1/messages",
        "/v1/complete",
    }
)
"""Paths whose POSTs cost money. `/v1/messages/count_tokens` is free and is not one of them."""

USAGE_IS_OPTIONAL_IN_STREAMS: Final = frozenset({"/chat/completions", "/completions"})

SAFE_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_UNKNOWN_MODEL: Final = "unknown"


class Sink(Protocol):
    """Where the event of a call goes: the uploader."""

    def record(self, event: Event) -> None: ...

    def record_from_finalizer(self, event: Event) -> None: ...

    def start(self) -> None: ...


class Call:
    """One call. `finish` or `fail` records it; whichever comes first, and only once."""

    __slots__ = (
        "_done",
        "_first_ns",
        "_model",
        "_provider",
        "_sink",
        "_start_ns",
        "_started_at_ns",
        "_tier",
        "_usage",
        "_who",
        "failure",
    )

    def __init__(self, sink: Sink, provider: str, model: object, who: Attribution) -> None:
        self._sink = sink
        self._provider = provider
        self._model = model
        self._who = who
        self._started_at_ns = time.time_ns()
        self._start_ns = time.perf_counter_ns()
        self._first_ns = 0
        self._usage: dict[str, Any] | None = None
        self._tier: object = None
        self._done = False
        self.failure: tuple[str, str | None] | None = None

    def first_token(self) -> None:
        if not self._first_ns:
            self._first_ns = time.perf_counter_ns()

    def learn(self, model: object, tier: object, usage: Mapping[str, Any] | None) -> None:
        """What an answer or a chunk of it says of itself; later chunks complete earlier ones."""
        if isinstance(model, str) and model:
            self._model = model
        if tier is not None:
            self._tier = tier
        if usage:
            known = {key: value for key, value in usage.items() if value is not None}
            self._usage = {**(self._usage or {}), **known}

    def finish(self) -> None:
        if self.failure is not None:
            self._record(success=False, error=self.failure)
        else:
            self._record(success=True)

    def fail(self, error: BaseException) -> None:
        self._record(success=False, error=(type(error).__name__, error_code(error)))

    def abandon(self) -> None:
        """The host stopped reading: billed by the provider, so recorded with what is known.

        The garbage collector may be what runs this, inside any lock: so it takes none.
        """
        error = self.failure or ("StreamAbandoned", None)
        self._record(success=False, error=error, from_finalizer=True)

    @property
    def done(self) -> bool:
        return self._done

    def _record(
        self,
        *,
        success: bool,
        error: tuple[str, str | None] | None = None,
        from_finalizer: bool = False,
    ) -> None:
        if self._done:
            return
        self._done = True
        try:
            event = self._event(success=success, error=error)
            if from_finalizer:
                self._sink.record_from_finalizer(event)
            else:
                self._sink.record(event)
        except Exception as problem:  # noqa: BLE001 - recording never breaks the host
            own_error("recording a call", problem)

    def _event(self, *, success: bool, error: tuple[str, str | None] | None) -> Event:
        now = time.perf_counter_ns()
        model = self._model
        event: Event = {
            "id": new_event_id(self._started_at_ns),
            "timestamp": self._started_at_ns,
            "provider": self._provider,
            "model": (printable(model, 256) if isinstance(model, str) else None) or _UNKNOWN_MODEL,
            "success": success,
            "latency_ms": (now - self._start_ns + 500_000) // 1_000_000,
        }
        if self._first_ns:
            event["time_to_first_token_ms"] = (self._first_ns - self._start_ns) // 1_000_000
        if self._usage is not None or self._tier is not None:
            event[RAW_USAGE] = (self._usage or {}, self._tier)
        if error is not None:
            event["error_type"] = error[0][:128]
            if error[1] is not None:
                event["error_code"] = error[1]
        return with_attribution(event, self._who)


def error_code(error: BaseException) -> str | None:
    """The provider's code of an error, or its HTTP status. Never its text: that quotes prompts."""
    body = getattr(error, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else None
    candidates = [getattr(error, "code", None)]
    if isinstance(inner, dict):
        candidates += [inner.get("code"), inner.get("type")]
    for value in candidates:
        if isinstance(value, str) and SAFE_CODE.fullmatch(value):
            return value
    status = getattr(error, "status_code", None)
    return str(status) if isinstance(status, int) else None


def as_mapping(value: object) -> dict[str, Any] | None:
    """A provider's model object as plain values, without validating or copying its content."""
    if isinstance(value, dict):
        return value
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict):
        return None
    extra = getattr(value, "__pydantic_extra__", None) or {}
    plain = {**fields, **extra}
    for name, inner in plain.items():
        if inner is not None and hasattr(inner, "__pydantic_fields_set__"):
            plain[name] = as_mapping(inner)
    return plain


def learn_from_object(call: Call, answer: object) -> None:
    """From a parsed answer: only `model`, `service_tier` and `usage` are looked at."""
    usage = getattr(answer, "usage", None)
    call.learn(
        getattr(answer, "model", None),
        getattr(answer, "service_tier", None),
        as_mapping(usage) if usage is not None else None,
    )


def learn_from_json(call: Call, data: object) -> None:
    """From one JSON object of the wire: an answer, a chunk, or an event that carries an answer."""
    if not isinstance(data, dict):
        return
    for part in (data, data.get("response"), data.get("message")):
        if isinstance(part, dict):
            usage = part.get("usage")
            call.learn(
                part.get("model"),
                part.get("service_tier"),
                usage if isinstance(usage, dict) else None,
            )
