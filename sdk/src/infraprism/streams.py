"""Streams: usage, first token, hidden chunk and the way they end, seen at the SSE decoder.

Every stream class of the providers' clients, helpers included, asks its client for a decoder
(`_make_sse_decoder`) and reads events from it. A stand-in client gives it a decoder that looks at
each event; nothing is parsed twice but the chunks that carry usage.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from infraprism.answers import learn_from_json
from infraprism.calls import SAFE_CODE, Call
from infraprism.quiet import own_error

_ENDS = frozenset({"message_stop", "response.completed", "response.incomplete", "response.failed"})


_STARTS = frozenset({"response.created", "response.queued"})
_EMPTY = ('"content":""', '"content": ""', '"choices":[]', '"choices": []')


def _is_token(text: str, name: str | None) -> bool:
    """Whether an event carries some of the answer: providers open a stream before they think."""
    if name is not None:
        return "delta" in name or "partial" in name
    return not any(empty in text for empty in _EMPTY)


class StreamWatch:
    """What is seen of one stream, however many objects the provider's client wraps around it."""

    __slots__ = ("__weakref__", "call", "hides_usage", "reading")

    def __init__(self, call: Call, *, hides_usage: bool) -> None:
        self.call = call
        self.hides_usage = hides_usage
        self.reading = False

    def shows(self, event: Any) -> bool:  # noqa: ANN401 - a provider's ServerSentEvent
        """Look at one event; False for the chunk with usage that the host did not ask for."""
        try:
            return self._look(event.data or "", event.event)
        except Exception as error:  # noqa: BLE001 - a chunk we do not understand is the host's
            own_error("reading a stream", error)
            return True

    def _look(self, text: str, name: str | None) -> bool:
        call = self.call
        call.first_token(is_token=_is_token(text, name))
        if text.startswith("[DONE]"):
            call.finish()
            return True
        if name == "error" or text.startswith(('{"error"', '{"type":"error"')):
            self._failed(text)
            call.finish()  # now: older clients leave the stream open, and nothing more will come
            return True
        shown = True
        if '"usage"' in text and '"usage":null' not in text and '"usage": null' not in text:
            data = json.loads(text)
            learn_from_json(call, data)
            if self.hides_usage and data.get("usage") is not None and data.get("choices") == []:
                shown = False
        if call.background and name in _STARTS:
            learn_from_json(call, json.loads(text))
        if name in _ENDS:
            if name == "response.failed":
                self._failed(text)
            call.finish()
        return shown

    def _failed(self, text: str) -> None:
        """Keep the code of the provider's error; its message could quote content."""
        self.call.failure = ("StreamError", None)
        data = json.loads(text)
        error = (data.get("response") or data).get("error") or data
        code = error.get("code") or error.get("type")
        if isinstance(code, str) and SAFE_CODE.fullmatch(code):
            self.call.failure = ("StreamError", code)

    def closed(self) -> None:
        """The response was closed. By the host, unless it happened while we were reading."""
        if not self.reading:
            self.call.abandon()

    def __del__(self) -> None:
        if not self.call.done:
            self.call.abandon()


class WatchedDecoder:
    """A provider's SSE decoder that shows each event to the watch before the host sees it."""

    def __init__(self, decoder: Any, watch: StreamWatch) -> None:  # noqa: ANN401
        self._decoder = decoder
        self._watch = watch

    def iter_bytes(self, chunks: Iterator[bytes]) -> Iterator[Any]:
        watch = self._watch
        events = iter(self._decoder.iter_bytes(chunks))
        try:
            while True:
                watch.reading = True
                try:
                    event = next(events)
                except StopIteration:
                    break
                finally:
                    watch.reading = False
                if watch.shows(event):
                    yield event
        except GeneratorExit:
            watch.call.abandon()
            raise
        except BaseException as error:
            watch.call.fail(error)
            raise
        watch.call.finish()

    async def aiter_bytes(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        watch = self._watch
        events = aiter(self._decoder.aiter_bytes(chunks))
        try:
            while True:
                watch.reading = True
                try:
                    event = await anext(events)
                except StopAsyncIteration:
                    break
                finally:
                    watch.reading = False
                if watch.shows(event):
                    yield event
        except GeneratorExit:
            watch.call.abandon()
            raise
        except BaseException as error:
            watch.call.fail(error)
            raise
        watch.call.finish()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._decoder, name)


class ClientStandIn:
    """A provider's client as one stream sees it: everything as it is, but the decoder watched."""

    def __init__(self, client: Any, watch: StreamWatch) -> None:  # noqa: ANN401
        self._infraprism_client = client
        self._infraprism_watch = watch

    def _make_sse_decoder(self) -> WatchedDecoder:
        return WatchedDecoder(self._infraprism_client._make_sse_decoder(), self._infraprism_watch)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._infraprism_client, name)


def watch_stream(client: Any, stream: Any, call: Call, *, hides_usage: bool) -> None:  # noqa: ANN401
    """Watch a Stream that was just made and that nobody has read from."""
    watch = StreamWatch(call, hides_usage=hides_usage)
    stream._decoder = WatchedDecoder(stream._decoder, watch)
    stream._client = ClientStandIn(client, watch)
    on_close(stream.response, watch.closed)


def watch_raw_stream(client: Any, raw: Any, call: Call, *, hides_usage: bool) -> None:  # noqa: ANN401
    """Watch the stream that `.parse()` of a raw response will make."""
    watch = StreamWatch(call, hides_usage=hides_usage)
    raw._client = ClientStandIn(client, watch)
    on_close(raw.http_response, watch.closed)


def on_close(response: Any, closed: Callable[[], None]) -> None:  # noqa: ANN401
    """Call `closed` before a response closes; the response is held weakly, so it makes no cycle."""
    held = weakref.ref(response)
    kind = type(response)

    def close() -> None:
        closed()
        one = held()
        if one is not None:
            kind.close(one)

    async def aclose() -> None:
        closed()
        one = held()
        if one is not None:
            await kind.aclose(one)

    if hasattr(response, "close"):
        response.close = close
    if hasattr(response, "aclose"):
        response.aclose = aclose
