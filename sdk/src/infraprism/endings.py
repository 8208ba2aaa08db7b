"""Answers that take more than to note them: streams, raw responses, files of batches' results."""

from __future__ import annotations

import weakref
from typing import Any

from infraprism.answers import learn_from_json, learn_from_object
from infraprism.batches import BatchReading
from infraprism.calls import Call
from infraprism.quiet import own_error
from infraprism.streams import on_close, watch_raw_stream, watch_stream

_shapes: dict[type, str] = {}
PLAIN_ANSWERS: set[type] = set()
"""Those of them that are a whole answer, with its usage where it is looked for."""


def _shape_of(kind: type) -> str:
    """How an answer is read: looked up once per class, of which a client has a few dozen."""
    shape = _shapes.get(kind)
    if shape is None:
        names = {base.__name__ for base in kind.__mro__}
        if names & {"Stream", "AsyncStream"}:
            shape = "stream"
        elif names & {"LegacyAPIResponse", "BaseAPIResponse"}:
            shape = "raw"
        else:
            shape = "object"
            if hasattr(kind, "__pydantic_extra__"):
                PLAIN_ANSWERS.add(kind)
        _shapes[kind] = shape
    return shape


def end_with(client: Any, call: Call | BatchReading, answer: Any) -> None:  # noqa: ANN401
    """See a call to its end: now, or when the host has read what it was answered with."""
    shape = _shape_of(type(answer))
    if isinstance(call, BatchReading):
        _read_batch(call, answer, is_raw=shape == "raw")
    elif shape == "stream":
        watch_stream(client, answer, call, hides_usage=call.asked)
    elif shape == "raw":
        _end_raw(client, call, answer)
    else:
        learn_from_object(call, answer)
        call.finish()


def _read_batch(reading: BatchReading, answer: Any, *, is_raw: bool) -> None:  # noqa: ANN401
    """See the results on their way to the host: in memory already, or as they are streamed."""
    if reading.kind == "batch":
        if not is_raw:
            reading.learn_batch(answer)
        return
    if not is_raw and hasattr(answer, "_raw_iterator"):
        inner = answer._raw_iterator
        taps = reading.tapped_async if hasattr(inner, "__aiter__") else reading.tapped
        answer._raw_iterator = taps(inner)
        return
    response = answer.http_response if is_raw else answer.response
    if hasattr(response, "_content"):
        reading.read_content(response._content)
        return
    held = weakref.ref(response)  # the response must not refer to itself
    kind = type(response)
    response.iter_bytes = lambda *size: reading.tapped(kind.iter_bytes(held(), *size))
    response.aiter_bytes = lambda *size: reading.tapped_async(kind.aiter_bytes(held(), *size))


def _end_raw(client: Any, call: Call, raw: Any) -> None:  # noqa: ANN401
    """`with_raw_response` and `with_streaming_response`: the host reads and parses by itself."""
    if getattr(raw, "_stream", False) or getattr(raw, "_is_sse_stream", False):
        watch_raw_stream(client, raw, call, hides_usage=call.asked)
        return
    response = raw.http_response
    if response.is_closed:
        _learn_from_body(call, response)
        call.finish()
        return

    on_close(response, _RawWatch(call, response).closed)


class _RawWatch:
    """A body the host reads by itself: closed at its end, and again when the host is done."""

    def __init__(self, call: Call, response: Any) -> None:  # noqa: ANN401
        self._call = call
        self._response = weakref.ref(response)
        self._closes = 0

    def closed(self) -> None:
        response = self._response()
        self._closes += 1
        if response is None or not response.is_stream_consumed:
            self._call.abandon()
        elif hasattr(response, "_content") or self._closes > 1:
            _learn_from_body(self._call, response)
            self._call.finish()

    def __del__(self) -> None:
        if not self._call.done:
            self._call.abandon()


def _learn_from_body(call: Call, response: Any) -> None:  # noqa: ANN401
    if hasattr(response, "_content") and "json" in response.headers.get("content-type", ""):
        try:
            learn_from_json(call, response.json())
        except ValueError as error:
            own_error("reading a raw answer", error)
