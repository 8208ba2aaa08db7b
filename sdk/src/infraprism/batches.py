"""Results of batches: each line is one call, counted once however often it is read.

OpenAI's come as a file (`files.content`), Anthropic's as lines (`messages.batches.results`). Both
are seen as bytes on their way to the host. Ids are derived from the provider's own names of the
results, so that the server knows a line it has counted. Lines that never ran (canceled, expired)
are no calls.
"""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from infraprism.attribution import Attribution, cleaned, merged, printable
from infraprism.calls import SAFE_CODE
from infraprism.event import DERIVED, RAW_USAGE, Event, derived_event_id, with_attribution
from infraprism.quiet import own_error

_ANTHROPIC_RESULTS: Final = re.compile(r"/messages/batches/([^/]+)/results$")
_FILE_CONTENT: Final = re.compile(r"/files/([^/]+)/content$")
_BATCH: Final = re.compile(r"/batches/([^/]+)$")
_PEEK_BYTES: Final = 400
_MAX_LINE_BYTES: Final = 8 * 1024 * 1024
_MAX_KNOWN: Final = 1_000


class ResultSink(Protocol):
    """Where results go: one by one as they are read, or a whole file to be read later."""

    def record(self, event: Event) -> None: ...

    def record_later(self, events: Iterator[Event], lines: bytes) -> None: ...


_ended_at: OrderedDict[str, int] = OrderedDict()
"""When a batch or a file of one was finished, ns: learned from the batch the host looked at."""


def _remember(name: object, at_ns: int) -> None:
    if isinstance(name, str) and at_ns:
        _ended_at[name] = at_ns
        while len(_ended_at) > _MAX_KNOWN:
            _ended_at.popitem(last=False)


class BatchReading:
    """A request that reads a batch or its results. Records nothing but results."""

    __slots__ = ("_name", "_provider", "_sink", "_who", "asked", "kind")

    def __init__(
        self, sink: ResultSink, provider: str, who: Attribution, kind: str, name: str
    ) -> None:
        self.kind = kind
        self.asked = False
        self._name = name
        self._sink = sink
        self._provider = provider
        self._who = who

    def fail(self, error: BaseException) -> None:
        """A reading that fails costs nothing."""

    def learn_batch(self, answer: object) -> None:
        """When the batch ended, for results that do not say it themselves."""
        ended = _ns(getattr(answer, "completed_at", None)) or _ns(getattr(answer, "ended_at", None))
        for name in ("id", "output_file_id", "error_file_id"):
            _remember(getattr(answer, name, None), ended)

    def read_content(self, content: bytes) -> None:
        """A whole file the host has in memory: read by the upload thread, a piece at a time."""
        if is_results(content):
            self._sink.record_later(self._events(content), content)

    def _events(self, content: bytes) -> Iterator[Event]:
        start = 0
        while start < len(content):
            end = content.find(b"\n", start)
            end = len(content) if end < 0 else end
            event = self.event_of(content[start:end])
            start = end + 1
            if event is not None:
                yield event

    def tapped(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same chunks; each complete line in them is recorded."""
        tap = _Lines(self)
        for chunk in chunks:
            tap.feed(chunk)
            yield chunk
        tap.end()

    async def tapped_async(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        tap = _Lines(self)
        async for chunk in chunks:
            tap.feed(chunk)
            yield chunk
        tap.end()

    def record(self, line: bytes) -> None:
        event = self.event_of(line)
        if event is not None:
            self._sink.record(event)

    def event_of(self, line: bytes) -> Event | None:
        """The event of one line, or None: not a result, or none that ran."""
        try:
            data = json.loads(line) if line.strip() else None
            return self._event(data) if isinstance(data, dict) else None
        except Exception as error:  # noqa: BLE001 - a line we do not understand is the host's
            own_error("reading a batch's result", error)
            return None

    def _event(self, data: dict[str, Any]) -> Event | None:
        found = _openai_result(data) or _anthropic_result(data)
        if found is None:
            return None
        source, answer, code = found
        model = answer.get("model")
        made_at = _ns(answer.get("created_at")) or _ns(answer.get("created"))
        event: Event = {
            # Of the line alone: another process may not know when the batch ended.
            "id": derived_event_id(f"{self._provider}:{self._name}:{source}", made_at // 1_000_000),
            "timestamp": made_at or _ended_at.get(self._name, 0) or time.time_ns(),
            "provider": self._provider,
            "model": printable(model, 256) or "unknown",
            "success": code is None,
            DERIVED: True,
        }
        usage = answer.get("usage")
        event[RAW_USAGE] = (usage if isinstance(usage, dict) else {}, "batch")
        if code is not None:
            event["error_type"] = "BatchError"
            if SAFE_CODE.fullmatch(code):
                event["error_code"] = code
        return with_attribution(event, self._attribution(data.get("custom_id")))

    def _attribution(self, custom_id: object) -> Attribution:
        """The reader's own, or what `attribute(by_custom_id=…)` makes of this result's id."""
        choose = self._who.by_custom_id
        if choose is None or not isinstance(custom_id, str):
            return self._who
        try:
            chosen = choose(custom_id)
        except Exception as error:  # noqa: BLE001 - the host's function; the result counts anyway
            own_error("attribute(by_custom_id=…)", error)
            return self._who
        if not isinstance(chosen, Mapping):
            return self._who
        names = ("entity_type", "entity_id", "session_id", "tags")
        return merged(self._who, cleaned(*(chosen.get(name) for name in names)))


class _Lines:
    """Cuts chunks into lines, if the first one is a result; otherwise it lets all pass."""

    __slots__ = ("_looks", "_reading", "_rest")

    def __init__(self, reading: BatchReading) -> None:
        self._reading = reading
        self._rest = b""
        self._looks: bool | None = None

    def feed(self, chunk: bytes) -> None:
        if self._looks is False:
            return
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self._looks is None and (lines or len(self._rest) >= _PEEK_BYTES):
            self._looks = is_results(lines[0] if lines else self._rest)
        if not self._looks or len(self._rest) > _MAX_LINE_BYTES:
            self._looks = self._looks if self._looks is None else False
            return
        for line in lines:
            self._reading.record(line)

    def end(self) -> None:
        if self._looks is None:
            self._looks = is_results(self._rest)
        if self._looks:
            self._reading.record(self._rest)


def reading_of(path: str, sink: ResultSink, provider: str, who: Attribution) -> BatchReading | None:
    """What a GET of this path reads, if it is a batch or its results."""
    for kind, pattern in (
        ("lines", _ANTHROPIC_RESULTS),
        ("file", _FILE_CONTENT),
        ("batch", _BATCH),
    ):
        match = pattern.search(path)
        if match is not None:
            return BatchReading(sink, provider, who, kind, match.group(1))
    return None


def is_results(content: bytes) -> bool:
    """Whether a file is one of results: its first line has a custom id and an answer."""
    head = content[:_PEEK_BYTES]
    return b'"custom_id"' in head and (b'"response"' in head or b'"result"' in head)


def _openai_result(data: dict[str, Any]) -> tuple[str, dict[str, Any], str | None] | None:
    if "response" not in data and "error" not in data:
        return None
    response = data.get("response")
    body = response.get("body") if isinstance(response, dict) else None
    source = str(data.get("id") or data.get("custom_id"))
    answer = body if isinstance(body, dict) else {}
    if isinstance(response, dict) and response.get("status_code") == 200:
        return source, answer, None
    error = answer.get("error") or data.get("error")
    code = error.get("code") or error.get("type") if isinstance(error, dict) else None
    if code in {"batch_expired", "batch_cancelled"}:
        return None
    return source, answer, str(code or (response or {}).get("status_code") or "error")


def _anthropic_result(data: dict[str, Any]) -> tuple[str, dict[str, Any], str | None] | None:
    result = data.get("result")
    if not isinstance(result, dict):
        return None
    source = str(data.get("custom_id"))
    message = result.get("message")
    if result.get("type") == "succeeded" and isinstance(message, dict):
        return source, message, None
    if result.get("type") != "errored":
        return None
    outer = result.get("error")
    inner = outer.get("error", outer) if isinstance(outer, dict) else None
    return source, {}, str(inner.get("type") if isinstance(inner, dict) else "error")


def _ns(moment: object) -> int:
    """Nanoseconds of a Unix time, a datetime or an ISO text; 0 for what is none."""
    try:
        if isinstance(moment, bool) or moment is None:
            return 0
        if isinstance(moment, int | float):
            return int(moment) * 1_000_000_000
        if isinstance(moment, str):
            moment = datetime.fromisoformat(moment)
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            return int(moment.timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        pass
    return 0
