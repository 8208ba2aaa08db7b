"""One call of a provider's client, from its start to the one event that is recorded of it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from time import perf_counter_ns
from typing import Any, Final, Protocol

from infraprism.attribution import Attribution, Given, cleaned, merged, printable
from infraprism.event import DERIVED, Event, derived_event_id, new_event_id, with_attribution
from infraprism.quiet import own_error
from infraprism.usage import as_mapping, normalise

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


Asked = tuple[str, object, Attribution, "Given | Attribution | None", int, int]
"""What is noted of a call when it starts: the provider; the model asked for; whom it is for by the
block around it, and by the call itself; when, in nanoseconds since 1970 and by the clock that only
goes on."""

Answered = tuple[Asked, int, object, object, object]
"""A call that ended with a whole answer, which is what most do: when, by that second clock; the
answer's model, service tier and usage as its client made them. Nothing else of it is held."""


class Sink(Protocol):
    """Where a call goes when it has ended: the uploader. It asks for the event when it has time."""

    def record(self, what: Call | Answered | Event) -> None: ...

    def record_later(self, events: Iterator[Event], lines: bytes) -> None: ...

    def record_from_finalizer(self, what: Call) -> None: ...

    def start(self) -> None: ...


def event_of(what: Call | Answered) -> Event:
    """What is reported of a call. The upload thread asks, once."""
    if not isinstance(what, tuple):
        return what.event()
    (provider, asked_for, outer, given, started_at_ns, start_ns), end_ns, model, tier, usage = what
    event: Event = {
        "id": new_event_id(started_at_ns),
        "timestamp": started_at_ns,
        "provider": provider,
        "model": _model_name(model) or _model_name(asked_for) or _UNKNOWN_MODEL,
        "success": True,
        "latency_ms": _milliseconds(end_ns - start_ns),
    }
    if usage is not None or tier is not None:
        event.update(normalise(as_mapping(usage) or {}, tier))
    return with_attribution(event, _who(outer, given))


def _model_name(model: object) -> str | None:
    return printable(model, 256) if isinstance(model, str) else None


def _milliseconds(nanoseconds: int) -> int:
    return (nanoseconds + 500_000) // 1_000_000


def _who(outer: Attribution, given: Given | Attribution | None) -> Attribution:
    if given is None:
        return outer
    return merged(outer, given if isinstance(given, Attribution) else cleaned(*given))


class Call:
    """One call that takes more than to note its answer: a stream, a failure, one with limits.

    `finish` or `fail` records it; whichever comes first, and only once.

    The host's thread notes what can not be known later, and nothing else: `event` is for the
    upload thread. What is held meanwhile is small and has no content: names, times, the answer's
    usage.
    """

    _background = _fetched = _done = False
    _answer_id: str | None = None
    _created_at = 0
    _status: object = None
    _first_ns = _first_any_ns = 0
    _end_ns = 0
    _usage: dict[str, Any] | None = None
    _tier: object = None
    _error: tuple[str, str | None] | None = None
    failure: tuple[str, str | None] | None = None
    asked = False
    """Whether we asked for the usage that a stream of it ends with."""

    def __init__(self, sink: Sink, asked: Asked) -> None:
        self._sink = sink
        self._provider, self._model, self._outer, self._given = asked[:4]
        self._started_at_ns, self._start_ns = asked[4:]

    def made_in_background(self, *, fetched: bool = False) -> None:
        """It is an answer that is made later, or one of those that is only looked at here."""
        self._background = True
        self._fetched = fetched

    def start_sink(self) -> None:
        self._sink.start()

    @property
    def who(self) -> Attribution:
        self._outer, self._given = _who(self._outer, self._given), None
        return self._outer

    @property
    def entity(self) -> tuple[str, str] | None:
        """Whom a limit could block; None for a call without an entity, or that is made already."""
        who = self.who
        if who.entity_type is None or who.entity_id is None or self._fetched:
            return None
        return who.entity_type, who.entity_id

    def first_token(self, *, is_token: bool) -> None:
        """An event of a stream came; whether it carries some of the answer."""
        if not self._first_ns:
            now = perf_counter_ns()
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
        self._record(self.failure)

    def fail(self, error: BaseException) -> None:
        if self._fetched or self._answer_id is not None:
            self.abandon()
            return
        self._record((type(error).__name__, error_code(error)))

    def abandon(self) -> None:
        """The host stopped reading: billed by the provider, so recorded with what is known.

        The garbage collector may be what runs this, inside any lock: so it takes none.
        """
        if self._background:
            self._ended_in_background()
            self._done = True  # it goes on at the provider, and is recorded when it is fetched
            return
        self._record(self.failure or ("StreamAbandoned", None), from_finalizer=True)

    def _ended_in_background(self) -> bool:
        """Whether the answer is there now; who asked for it is remembered until it is."""
        if self._answer_id is None:
            return False
        if self._status in {"queued", "in_progress"}:
            if not self._fetched:
                _background[self._answer_id] = self.who
            while len(_background) > _MAX_BACKGROUND:
                _background.popitem(last=False)
            return False
        self._outer = _background.get(self._answer_id, self.who)
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
        self, error: tuple[str, str | None] | None, *, from_finalizer: bool = False
    ) -> None:
        if self._done:
            return
        self._done = True
        self._end_ns = perf_counter_ns()
        self._error = error
        try:
            if from_finalizer:
                self._sink.record_from_finalizer(self)
            else:
                self._sink.record(self)
        except Exception as problem:  # noqa: BLE001 - recording never breaks the host
            own_error("recording a call", problem)

    def event(self) -> Event:
        event: Event = {
            "id": new_event_id(self._started_at_ns),
            "timestamp": self._started_at_ns,
            "provider": self._provider,
            "model": _model_name(self._model) or _UNKNOWN_MODEL,
            "success": self._error is None,
            "latency_ms": _milliseconds(self._end_ns - self._start_ns),
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
            event.update(normalise(self._usage or {}, self._tier))
        if self._error is not None:
            name, code = self._error
            event["error_type"] = name[:128]
            if code is not None:
                event["error_code"] = code
        return with_attribution(event, self.who)


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
