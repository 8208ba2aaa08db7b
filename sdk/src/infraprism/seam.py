"""The one place where calls are measured: around the `request` method of a provider's client."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from infraprism.answers import learn_from_json, learn_from_object
from infraprism.attribution import Attribution, Given, current
from infraprism.batches import BatchReading, reading_of
from infraprism.calls import OPERATIONS, USAGE_IS_OPTIONAL_IN_STREAMS, Call, Sink
from infraprism.keywords import HEADER, given_in
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
        """The client's request, measured. `call_through` takes the client first."""
        call = self._begin(client, args, kwargs)
        if call is None:
            return call_through(client, *args, **kwargs)
        if self.gate is not None and (refusal := self.gate.refusal(call)) is not None:
            self.gate.refuse(refusal, call, _options(args, kwargs))
        try:
            answer = call_through(client, *args, **kwargs)
        except BaseException as error:
            if not _refused(client, call, error, args, kwargs):
                call.fail(error)
                raise
            answer = self._again(client, call, call_through, args, kwargs)
        self._end(client, call, answer)
        return answer

    async def request_async(
        self,
        client: Any,  # noqa: ANN401 - AsyncOpenAI or AsyncAnthropic of any major
        call_through: Callable[..., Awaitable[Any]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        call = self._begin(client, args, kwargs)
        if call is None:
            return await call_through(client, *args, **kwargs)
        if self.gate is not None and (refusal := self.gate.refusal(call)) is not None:
            await self.gate.refuse_async(refusal, call, _options(args, kwargs))
        try:
            answer = await call_through(client, *args, **kwargs)
        except BaseException as error:
            if not _refused(client, call, error, args, kwargs):
                call.fail(error)
                raise
            try:
                answer = await call_through(client, *args, **kwargs)
            except BaseException as second:
                call.fail(second)
                raise
        self._end(client, call, answer)
        return answer

    def _again(
        self,
        client: Any,  # noqa: ANN401
        call: Call | BatchReading,
        call_through: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        try:
            return call_through(client, *args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise

    def _begin(
        self,
        client: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Call | BatchReading | None:
        """What is measured, if it is something that costs.

        Few steps, as in `_end`: a provider's client leaves nothing of ours in the processor's
        cache, so that each of them takes four times what it takes by itself.
        """
        try:
            options = args[1] if len(args) > 1 else kwargs["options"]
            headers = options.headers
            carried = None
            if type(headers) is dict:
                if HEADER in headers:
                    carried = _take_carrier(options, headers)
            elif isinstance(headers, Mapping) and HEADER in headers:
                carried = _take_carrier(options, headers)
            sink = self.sink
            if sink is None:
                return None
            if options.url not in OPERATIONS or options.method != "post":
                return self._begin_other(client, options, carried, kwargs)
            body = options.json_data
            model = body.get("model") if type(body) is dict else None
            call = Call(sink, self.provider, model, current(), carried)
            if kwargs.get("stream") or type(body) is not dict or "background" in body:
                self._look_closer(client, call, options, kwargs)
        except Exception as error:  # noqa: BLE001 - measuring never breaks the host
            own_error("looking at a call", error)
            return None
        return call

    def _look_closer(
        self,
        client: Any,  # noqa: ANN401
        call: Call,
        options: Any,  # noqa: ANN401
        kwargs: dict[str, Any],
    ) -> None:
        """A stream, an answer made in the background, or a body of an unusual class."""
        body = options.json_data
        if isinstance(body, Mapping):
            call.learn(body.get("model"), None, None)
            if body.get("background") is True:
                call.made_in_background()
        if kwargs.get("stream"):
            call.start_sink()  # an abandoned stream is recorded where no thread can be started
            call.asked = (
                options.url.partition("?")[0] in USAGE_IS_OPTIONAL_IN_STREAMS
                and str(client.base_url) not in _refusing
                and _ask_for_usage(options)
            )

    def _begin_other(
        self,
        client: Any,  # noqa: ANN401
        options: Any,  # noqa: ANN401
        carried: Given | Attribution | None,
        kwargs: dict[str, Any],
    ) -> Call | BatchReading | None:
        """A path with a query, a GET that looks at what was billed without being seen, or nothing
        that costs."""
        sink = self.sink
        path = options.url.partition("?")[0]
        if sink is None or options.method not in {"get", "post"}:
            return None
        if options.method == "post":
            if path not in OPERATIONS:
                return None
            call = Call(sink, self.provider, None, current(), carried)
            self._look_closer(client, call, options, kwargs)
            return call
        call = Call(sink, self.provider, None, current(), carried)
        if path.startswith("/responses/") and path.count("/") == 2:
            call.made_in_background(fetched=True)
            return call
        if "/batches/" in path or path.endswith("/content"):
            return reading_of(path, sink, self.provider, call.who)
        return None

    def _end(self, client: Any, call: Call | BatchReading, answer: Any) -> None:  # noqa: ANN401
        try:
            shape = _shapes.get(type(answer)) or _shape_of(type(answer))
            if shape == "model" and type(call) is Call and not call.background:
                held = answer.__dict__
                if "tool_usage" not in held and not getattr(answer, "__pydantic_extra__", None):
                    call.answered(held.get("model"), held.get("service_tier"), held.get("usage"))
                    return
            _end_other(client, call, answer, shape)
        except Exception as error:  # noqa: BLE001 - the answer is the host's, whatever we make of it
            own_error("looking at an answer", error)
            if isinstance(call, Call):
                call.finish()


def _end_other(client: Any, call: Call | BatchReading, answer: Any, shape: str) -> None:  # noqa: ANN401
    """A stream, an answer the host reads by itself, or one with more to look at."""
    if isinstance(call, BatchReading):
        _read_batch(call, answer, is_raw=shape == "raw")
    elif shape == "stream":
        watch_stream(client, answer, call, hides_usage=call.asked)
    elif shape == "raw":
        _end_raw(client, call, answer)
    else:
        learn_from_object(call, answer)
        call.finish()


_refusing: set[str] = set()
"""Addresses that answered that they do not know `include_usage`: remembered for all clients."""
_MAX_REFUSING: Final = 1_000


def _options(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
    """The provider's own object that says what is asked for."""
    return args[1] if len(args) > 1 else kwargs["options"]


def _refused(
    client: Any,  # noqa: ANN401
    call: Call | BatchReading,
    error: BaseException,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bool:
    """Whether a host refuses the option we added; then it is taken out again, for good."""
    if not call.asked or getattr(error, "status_code", None) not in {400, 422}:
        return False
    text = str(error)
    if "stream_options" not in text and "include_usage" not in text:
        return False
    if len(_refusing) < _MAX_REFUSING:
        _refusing.add(str(client.base_url))
    call.asked = False
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
            shape = "model" if hasattr(kind, "__pydantic_extra__") else "object"
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


def _take_carrier(
    options: Any,  # noqa: ANN401
    headers: Mapping[str, Any],
) -> Given | Attribution:
    """Our keywords, off the headers they travelled in: they never reach the provider."""
    carried = headers[HEADER]
    left = {name: headers[name] for name in headers if name != HEADER} if len(headers) > 1 else {}
    # Where the options keep it: asking them to set it makes them look for validators.
    vars(options)["headers"] = left
    return given_in(carried)


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
