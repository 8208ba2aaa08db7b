"""The one place where calls are measured: around the `request` method of a provider's client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING, Any, Final

from infraprism.attribution import Attribution, Given, current
from infraprism.batches import BatchReading, reading_of
from infraprism.calls import OPERATIONS, USAGE_IS_OPTIONAL_IN_STREAMS, Asked, Call, Sink
from infraprism.endings import PLAIN_ANSWERS, end_with
from infraprism.keywords import HEADER, MarkedModel, given_in
from infraprism.quiet import own_error

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
        through: Callable[..., Any],
        cast_to: object,
        options: Any,  # noqa: ANN401 - the provider's own object that says what is asked for
        *,
        stream: bool,
        stream_cls: object,
    ) -> Any:  # noqa: ANN401
        """The client's request, measured. `through` makes it, and takes the client first."""
        asked = self._look(client, options, stream)
        if isinstance(asked, tuple):
            try:
                answer = through(client, cast_to, options, stream=stream, stream_cls=stream_cls)
            except BaseException as error:
                self._call(asked).fail(error)
                raise
            self._answered(client, asked, answer)
            return answer
        if asked is None:
            return through(client, cast_to, options, stream=stream, stream_cls=stream_cls)
        if self.gate is not None and (refusal := self.gate.refusal(asked)) is not None:
            self.gate.refuse(refusal, asked, options)
        try:
            try:
                answer = through(client, cast_to, options, stream=stream, stream_cls=stream_cls)
            except Exception as error:
                if not _refused(client, asked, error, options):
                    raise
                answer = through(client, cast_to, options, stream=stream, stream_cls=stream_cls)
        except BaseException as error:
            asked.fail(error)
            raise
        self._end(client, asked, answer)
        return answer

    async def request_async(
        self,
        client: Any,  # noqa: ANN401 - AsyncOpenAI or AsyncAnthropic of any major
        through: Callable[..., Awaitable[Any]],
        cast_to: object,
        options: Any,  # noqa: ANN401
        *,
        stream: bool,
        stream_cls: object,
    ) -> Any:  # noqa: ANN401
        """The same, awaited."""
        asked = self._look(client, options, stream)
        if isinstance(asked, tuple):
            try:
                answer = await through(
                    client, cast_to, options, stream=stream, stream_cls=stream_cls
                )
            except BaseException as error:
                self._call(asked).fail(error)
                raise
            self._answered(client, asked, answer)
            return answer
        if asked is None:
            return await through(client, cast_to, options, stream=stream, stream_cls=stream_cls)
        if self.gate is not None and (refusal := self.gate.refusal(asked)) is not None:
            await self.gate.refuse_async(refusal, asked, options)
        try:
            try:
                answer = await through(
                    client, cast_to, options, stream=stream, stream_cls=stream_cls
                )
            except Exception as error:
                if not _refused(client, asked, error, options):
                    raise
                answer = await through(
                    client, cast_to, options, stream=stream, stream_cls=stream_cls
                )
        except BaseException as error:
            asked.fail(error)
            raise
        self._end(client, asked, answer)
        return answer

    def _look(
        self,
        client: Any,  # noqa: ANN401
        options: Any,  # noqa: ANN401
        stream: bool,
    ) -> Asked | Call | BatchReading | None:
        """What is measured, if it is something that costs: a few notes where that is enough.

        Few steps, as in `_answered`: a provider's client leaves nothing of ours in the processor's
        cache, so that each of them takes four times what it takes by itself.
        """
        try:
            fields = options.__dict__  # a model is slow to say what it holds, one by one
            body = fields["json_data"]
            model = carried = None
            if type(body) is dict and type(model := body.get("model")) is MarkedModel:
                carried = model.given
                body["model"] = model = model.name
            else:
                headers = fields["headers"]
                if hasattr(headers, "keys") and HEADER in headers:
                    carried = _take_carrier(options, headers)
            if self.sink is None:
                return None
            asked = (self.provider, model, current(), carried, time_ns(), perf_counter_ns())
            if fields["url"] not in OPERATIONS or fields["method"] != "post":
                return self._look_elsewhere(client, asked, options, stream)
            if stream or self.gate is not None or type(body) is not dict or "background" in body:
                return self._look_closer(client, asked, options, stream)
        except Exception as error:  # noqa: BLE001 - measuring never breaks the host
            own_error("looking at a call", error)
            return None
        return asked

    def _call(self, asked: Asked) -> Call:
        assert self.sink is not None
        return Call(self.sink, asked)

    def _look_closer(
        self,
        client: Any,  # noqa: ANN401
        asked: Asked,
        options: Any,  # noqa: ANN401
        stream: bool,
    ) -> Call:
        """A stream, an answer made in the background, a body of an unusual class, or limits."""
        call = self._call(asked)
        body = options.json_data
        if isinstance(body, Mapping):
            call.learn(body.get("model"), None, None)
            if body.get("background") is True:
                call.made_in_background()
        if stream:
            call.start_sink()  # an abandoned stream is recorded where no thread can be started
            call.asked = (
                options.url.partition("?")[0] in USAGE_IS_OPTIONAL_IN_STREAMS
                and str(client.base_url) not in _refusing
                and _ask_for_usage(options)
            )
        return call

    def _look_elsewhere(
        self,
        client: Any,  # noqa: ANN401
        asked: Asked,
        options: Any,  # noqa: ANN401
        stream: bool,
    ) -> Call | BatchReading | None:
        """A path with a query, a GET that looks at what was billed without being seen, or nothing
        that costs."""
        path = options.url.partition("?")[0]
        if options.method == "post":
            if path not in OPERATIONS:
                return None
            return self._look_closer(client, asked, options, stream)
        if options.method != "get":
            return None
        call = self._call(asked)
        if path.startswith("/responses/") and path.count("/") == 2:
            call.made_in_background(fetched=True)
            return call
        if "/batches/" in path or path.endswith("/content"):
            assert self.sink is not None
            return reading_of(path, self.sink, self.provider, call.who)
        return None

    def _answered(self, client: Any, asked: Asked, answer: Any) -> None:  # noqa: ANN401
        """A whole answer came: the shortest way to the end of a call, and the usual one."""
        end_ns = perf_counter_ns()
        try:
            if (
                type(answer) in PLAIN_ANSWERS
                and "tool_usage" not in (held := answer.__dict__)
                and not answer.__pydantic_extra__
            ):
                self.sink.record(  # type: ignore[union-attr]  # there is one where there are notes
                    (asked, end_ns, held.get("model"), held.get("service_tier"), held.get("usage"))
                )
                return
        except Exception as error:  # noqa: BLE001 - the answer is the host's, whatever we make of it
            own_error("recording a call", error)
            return
        self._end(client, self._call(asked), answer)

    def _end(self, client: Any, call: Call | BatchReading, answer: Any) -> None:  # noqa: ANN401
        try:
            end_with(client, call, answer)
        except Exception as error:  # noqa: BLE001 - the answer is the host's, whatever we make of it
            own_error("looking at an answer", error)
            if isinstance(call, Call):
                call.finish()


_refusing: set[str] = set()
"""Addresses that answered that they do not know `include_usage`: remembered for all clients."""
_MAX_REFUSING: Final = 1_000


def _refused(
    client: Any,  # noqa: ANN401
    call: Call | BatchReading,
    error: Exception,
    options: Any,  # noqa: ANN401
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
    options.json_data = {
        key: value for key, value in options.json_data.items() if key != "stream_options"
    }
    return True


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
