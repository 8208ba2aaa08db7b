"""The one place where calls are measured: around the `request` method of a provider's client."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from infraprism import attribution
from infraprism.batches import BatchReading, reading_of
from infraprism.calls import (
    OPERATIONS,
    USAGE_IS_OPTIONAL_IN_STREAMS,
    Call,
    Sink,
    learn_from_json,
    learn_from_object,
)
from infraprism.keywords import HEADER, attribution_in
from infraprism.quiet import own_error
from infraprism.streams import on_close, watch_raw_stream, watch_stream

if TYPE_CHECKING:
    from infraprism.limits import Gate


class Seam:
    """What measuring one client needs to know: where events go, and who the provider is."""

    __slots__ = ("gate", "provider", "sink")

    def __init__(self, sink: Sink | None, provider: str, gate: Gate | None = None) -> None:
        self.sink = sink
        self.provider = provider
        self.gate = gate
        """What refuses calls of those who have reached a limit; None: nothing does."""

    def request(
        self,
        client: Any,  # noqa: ANN401 - OpenAI or Anthropic of any major
        call_through: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        call, asked = self._begin(client, args, kwargs)
        if call is None:
            return call_through(*args, **kwargs)
        if self.gate is not None and (refusal := self.gate.refusal(call)) is not None:
            self.gate.refuse(refusal, call, _options(args, kwargs))
        try:
            answer = call_through(*args, **kwargs)
        except BaseException as error:
            if not (asked and _refused(client, error, args, kwargs)):
                call.fail(error)
                raise
            asked = False
            answer = self._again(call, call_through, args, kwargs)
        self._end(client, call, answer, asked=asked)
        return answer

    async def request_async(
        self,
        client: Any,  # noqa: ANN401 - AsyncOpenAI or AsyncAnthropic of any major
        call_through: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        call, asked = self._begin(client, args, kwargs)
        if call is None:
            return await call_through(*args, **kwargs)
        if self.gate is not None and (refusal := self.gate.refusal(call)) is not None:
            await self.gate.refuse_async(refusal, call, _options(args, kwargs))
        try:
            answer = await call_through(*args, **kwargs)
        except BaseException as error:
            if not (asked and _refused(client, error, args, kwargs)):
                call.fail(error)
                raise
            asked = False
            try:
                answer = await call_through(*args, **kwargs)
            except BaseException as second:
                call.fail(second)
                raise
        self._end(client, call, answer, asked=asked)
        return answer

    def _again(
        self,
        call: Call | BatchReading,
        call_through: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        try:
            return call_through(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise

    def _begin(
        self,
        client: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[Call | BatchReading | None, bool]:
        """What is measured, if it is something that costs; and whether we asked for usage."""
        try:
            options = _options(args, kwargs)
            carried = _take_carrier(options)
            if self.sink is None:
                return None, False
            path = options.url.partition("?")[0]
            if options.method != "post":
                return self._fetched(options, path, carried), False
            if path not in OPERATIONS:
                return None, False
            body = options.json_data
            is_mapping = type(body) is dict or isinstance(body, Mapping)
            call = Call(
                self.sink,
                self.provider,
                body.get("model") if is_mapping else None,
                _who(carried),
                background=is_mapping and body.get("background") is True,
            )
            if kwargs.get("stream"):
                self.sink.start()  # an abandoned stream is recorded where no thread can be started
            asks = (
                kwargs.get("stream")
                and path in USAGE_IS_OPTIONAL_IN_STREAMS
                and str(client.base_url) not in _refusing
                and _ask_for_usage(options)
            )
        except Exception as error:  # noqa: BLE001 - measuring never breaks the host
            own_error("looking at a call", error)
            return None, False
        return call, bool(asks)

    def _fetched(
        self,
        options: Any,  # noqa: ANN401
        path: str,
        carried: attribution.Attribution | None,
    ) -> Call | BatchReading | None:
        """What a GET looks at that was billed without being seen: an answer made in the background,
        or the results of a batch."""
        if options.method != "get" or self.sink is None:
            return None
        if path.startswith("/responses/") and path.count("/") == 2:
            return Call(self.sink, self.provider, None, _who(carried), fetched=True)
        if "/batches/" in path or path.endswith("/content"):
            return reading_of(path, self.sink, self.provider, _who(carried))
        return None

    def _end(self, client: Any, call: Call | BatchReading, answer: Any, *, asked: bool) -> None:  # noqa: ANN401
        try:
            shape = _shape_of(type(answer))
            if isinstance(call, BatchReading):
                _read_batch(call, answer, is_raw=shape == "raw")
                return
            if shape == "stream":
                watch_stream(client, answer, call, hides_usage=asked)
            elif shape == "raw":
                _end_raw(client, call, answer, asked=asked)
            else:
                learn_from_object(call, answer)
                call.finish()
        except Exception as error:  # noqa: BLE001 - the answer is the host's, whatever we make of it
            own_error("looking at an answer", error)
            if isinstance(call, Call):
                call.finish()


_refusing: set[str] = set()
"""Addresses that answered that they do not know `include_usage`: remembered for all clients."""
_MAX_REFUSING: Final = 1_000


def _options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    """The provider's own object that says what is asked for."""
    return args[1] if len(args) > 1 else kwargs["options"]


def _who(carried: attribution.Attribution | None) -> attribution.Attribution:
    now = attribution.current()
    return now if carried is None else attribution.merged(now, carried)


def _refused(
    client: Any,  # noqa: ANN401
    error: BaseException,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bool:
    """Whether a host refuses the option we added; then it is taken out again, for good."""
    if getattr(error, "status_code", None) not in {400, 422}:
        return False
    text = str(error)
    if "stream_options" not in text and "include_usage" not in text:
        return False
    if len(_refusing) < _MAX_REFUSING:
        _refusing.add(str(client.base_url))
    options = _options(args, kwargs)
    options.json_data = {
        key: value for key, value in options.json_data.items() if key != "stream_options"
    }
    return True


_shapes: dict[type, str] = {}


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
        _shapes[kind] = shape
    return shape


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


def _end_raw(client: Any, call: Call, raw: Any, *, asked: bool) -> None:  # noqa: ANN401
    """`with_raw_response` and `with_streaming_response`: the host reads and parses by itself."""
    if getattr(raw, "_stream", False) or getattr(raw, "_is_sse_stream", False):
        watch_raw_stream(client, raw, call, hides_usage=asked)
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


def _take_carrier(options: Any) -> attribution.Attribution | None:  # noqa: ANN401
    """Our keywords, off the headers they travelled in: they never reach the provider."""
    headers = options.headers
    if not (type(headers) is dict or isinstance(headers, Mapping)) or HEADER not in headers:
        return None
    carried = headers[HEADER]
    options.headers = {name: value for name, value in headers.items() if name != HEADER}
    return attribution_in(carried)


def _ask_for_usage(options: Any) -> bool:  # noqa: ANN401
    """Ask a stream for its usage where the host did not; True when we did."""
    body = options.json_data
    extra = options.extra_json
    if not isinstance(body, dict) or (isinstance(extra, Mapping) and "stream_options" in extra):
        return False
    given = body.get("stream_options")
    if isinstance(given, Mapping) and given.get("include_usage"):
        return False
    wanted = {**given} if isinstance(given, Mapping) else {}
    options.json_data = {**body, "stream_options": {**wanted, "include_usage": True}}
    return True
