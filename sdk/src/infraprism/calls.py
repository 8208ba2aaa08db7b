"""One call of a provider's client, from its start to the one event that is recorded of it."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

from infraprism.attribution import Attribution, printable
from infraprism.event import (
    DERIVED,
    RAW_USAGE,
    Event,
    derived_event_id,
    new_event_id,
    with_attribution,
)
from infraprism.quiet import own_error

OPERATIONS: Final = frozenset(
    {
        "/chat/completions",
        "/completions",
        "/responses",
        "/responses/compact",
        "/decisions",
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

    def record_later(self, events: Iterator[Event], lines: bytes) -> None: ...

    def record_from_finalizer(self, event: Event) -> None: ...

    def start(self) -> None: ...


class Call:
    """One call. `finish` or `fail` records it; whichever comes first, and only once."""

    __slots__ = (
        "_answer_id",
        "_background",
        "_created_at",
        "_done",
        "_fetched",
        "_first_any_ns",
        "_first_ns",
        "_model",
        "_provider",
        "_sink",
        "_start_ns",
        "_started_at_ns",
        "_status",
        "_tier",
        "_usage",
        "_who",
        "failure",
    )

    def __init__(
        self,
        sink: Sink,
        provider: str,
        model: object,
        who: Attribution,
        *,
        background: bool = False,
        fetched: bool = False,
    ) -> None:
        """`background`: an answer that is made later; `fetched`: it is only looked at here."""
        self._background = background or fetched
        self._fetched = fetched
        self._answer_id: str | None = None
        self._created_at = 0
        self._status: object = None
        self._sink = sink
        self._provider = provider
        self._model = model
        self._who = who
        self._started_at_ns = time.time_ns()
        self._start_ns = time.perf_counter_ns()
        self._first_ns = self._first_any_ns = 0
        self._usage: dict[str, Any] | None = None
        self._tier: object = None
        self._done = False
        self.failure: tuple[str, str | None] | None = None

    @property
    def entity(self) -> tuple[str, str] | None:
        """Whom a limit could block; None for a call without an entity, or that is made already."""
        who = self._who
        if who.entity_type is None or who.entity_id is None or self._fetched:
            return None
        return who.entity_type, who.entity_id

    def first_token(self, *, is_token: bool) -> None:
        """An event of a stream came; whether it carries some of the answer."""
        if not self._first_ns:
            now = time.perf_counter_ns()
            self._first_any_ns = self._first_any_ns or now
            if is_token:
                self._first_ns = now

    def learn(self, model: object, tier: object, usage: Mapping[str, Any] | None) -> None:
        """What an answer or a chunk of it says of itself; later chunks complete earlier ones."""
        if isinstance(model, str) and model:
            self._model = model
        if tier is not None:
            self._tier = tier
        if usage:
            known = {key: value for key, value in usage.items() if value is not None}
            self._usage = {**(self._usage or {}), **known}

    def learn_of_background(self, answer: Mapping[str, Any]) -> None:
        """Which answer it is and how far it has come; nothing where no background answer is."""
        if not self._background:
            return
        made, created = answer.get("id"), answer.get("created_at")
        if answer.get("background") is True and isinstance(made, str):
            self._answer_id = made
            self._created_at = int(created) if isinstance(created, int | float) else 0
            self._status = answer.get("status")

    def finish(self) -> None:
        if self._background and not self._ended_in_background():
            self._done = True
            return
        if self.failure is not None:
            self._record(success=False, error=self.failure)
        else:
            self._record(success=True)

    def fail(self, error: BaseException) -> None:
        if self._fetched or self._answer_id is not None:
            self.abandon()
            return
        self._record(success=False, error=(type(error).__name__, error_code(error)))

    def abandon(self) -> None:
        """The host stopped reading: billed by the provider, so recorded with what is known.

        The garbage collector may be what runs this, inside any lock: so it takes none.
        """
        if self._background:
            self._ended_in_background()
            self._done = True  # it goes on at the provider, and is recorded when it is fetched
            return
        error = self.failure or ("StreamAbandoned", None)
        self._record(success=False, error=error, from_finalizer=True)

    def _ended_in_background(self) -> bool:
        """Whether the answer is there now; who asked for it is remembered until it is."""
        if self._answer_id is None:
            return False
        if self._status in {"queued", "in_progress"}:
            if not self._fetched:
                _background[self._answer_id] = self._who
            while len(_background) > _MAX_BACKGROUND:
                _background.popitem(last=False)
            return False
        self._who = _background.get(self._answer_id, self._who)
        if self._status == "failed" and self.failure is None:
            self.failure = ("ResponseFailed", None)
        elif self._status == "cancelled":
            self.failure = ("ResponseCancelled", None)
        return True

    @property
    def background(self) -> bool:
        return self._background

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
        if self._answer_id is not None:
            # Fetched twice it must be the same event: nothing of this one request is in it.
            del event["latency_ms"]
            event["id"] = derived_event_id(
                f"{self._provider}:{self._answer_id}", self._created_at * 1_000
            )
            event["timestamp"] = self._created_at * 1_000_000_000 or self._started_at_ns
            event[DERIVED] = True
        elif self._first_any_ns:
            first = self._first_ns or self._first_any_ns
            event["time_to_first_token_ms"] = (first - self._start_ns) // 1_000_000
        if self._usage is not None or self._tier is not None:
            event[RAW_USAGE] = (self._usage or {}, self._tier)
        if error is not None:
            event["error_type"] = error[0][:128]
            if error[1] is not None:
                event["error_code"] = error[1]
        return with_attribution(event, self._who)


_background: OrderedDict[str, Attribution] = OrderedDict()
"""Whom answers are for that are still being made: asked for here, fetched later."""
_MAX_BACKGROUND: Final = 10_000


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


_PLAIN: Final = frozenset({int, str, float, bool, type(None)})


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
        if type(inner) not in _PLAIN and hasattr(inner, "__pydantic_fields_set__"):
            plain[name] = as_mapping(inner)
    return plain


def learn_from_object(call: Call, answer: object) -> None:
    """From a parsed answer: only `model`, `service_tier` and `usage` are looked at."""
    # Looked up in what the model holds: asking a model for what it has not takes microseconds.
    held = getattr(answer, "__dict__", None) or {}
    extra = (getattr(answer, "__pydantic_extra__", None) if held else None) or {}
    usage = as_mapping(held.get("usage") or extra.get("usage"))
    tools = held.get("tool_usage") or extra.get("tool_usage")
    if tools is not None and usage is not None:
        usage = {**usage, "tool_usage": as_mapping(tools)}
    tier = held.get("service_tier") or extra.get("service_tier")
    call.learn(held.get("model") or extra.get("model"), tier, usage)
    if call.background:
        call.learn_of_background(as_mapping(answer) or {})


def learn_from_json(call: Call, data: object) -> None:
    """From one JSON object of the wire: an answer, a chunk, or an event that carries an answer."""
    if not isinstance(data, dict):
        return
    for part in (data, data.get("response"), data.get("message")):
        if isinstance(part, dict):
            usage = part.get("usage")
            usage = usage if isinstance(usage, dict) else None
            if usage is not None and isinstance(part.get("tool_usage"), dict):
                usage = {**usage, "tool_usage": part["tool_usage"]}
            call.learn(part.get("model"), part.get("service_tier"), usage)
            call.learn_of_background(part)
