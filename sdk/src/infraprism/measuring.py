"""The `request` of a provider's client, measured: of a class of ours, of one client, of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infraprism.seam import Seam

# Parameters are named as the providers name them; what only some majors have goes on as it is.


def request_of(base: Any) -> Callable[..., Any]:  # noqa: ANN401 - a provider's client class
    # What `super().request` finds; looked up on the class, which remembers where that was.
    def request(
        self: Any,  # noqa: ANN401
        cast_to: object,
        options: object,
        *rest: Any,  # noqa: ANN401
        stream: bool = False,
        stream_cls: object = None,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        through = _with(base.request, rest, more) if rest or more else base.request
        seam = self._infraprism_seam
        return seam.request(self, through, cast_to, options, stream=stream, stream_cls=stream_cls)

    return request


def request_async_of(base: Any) -> Callable[..., Any]:  # noqa: ANN401 - a provider's client class
    async def request(
        self: Any,  # noqa: ANN401
        cast_to: object,
        options: object,
        *rest: Any,  # noqa: ANN401
        stream: bool = False,
        stream_cls: object = None,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        through = _with(base.request, rest, more) if rest or more else base.request
        seam = self._infraprism_seam
        return await seam.request_async(
            self, through, cast_to, options, stream=stream, stream_cls=stream_cls
        )

    return request


def measured(client: Any, request: Callable[..., Any], seam: Seam) -> Callable[..., Any]:  # noqa: ANN401
    """The client's own `request`, measured: a coroutine function where it is one."""

    def own(_client: object, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return request(*args, **kwargs)

    if type(client).__name__.startswith("Async") or _is_async(client):

        async def request_async(
            cast_to: object,
            options: object,
            *rest: Any,  # noqa: ANN401
            stream: bool = False,
            stream_cls: object = None,
            **more: Any,  # noqa: ANN401
        ) -> Any:  # noqa: ANN401
            through = _with(own, rest, more)
            return await seam.request_async(
                client, through, cast_to, options, stream=stream, stream_cls=stream_cls
            )

        return request_async

    def request_sync(
        cast_to: object,
        options: object,
        *rest: Any,  # noqa: ANN401
        stream: bool = False,
        stream_cls: object = None,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        through = _with(own, rest, more)
        return seam.request(client, through, cast_to, options, stream=stream, stream_cls=stream_cls)

    return request_sync


def _is_async(client: object) -> bool:
    return any(kind.__name__ == "AsyncAPIClient" for kind in type(client).__mro__)


def request_of_any(
    original: Callable[..., Any], seam_of: Callable[[Any], Seam]
) -> Callable[..., Any]:
    """Of every client: `original` is their class's, `seam_of` finds the seam of one."""

    def request(
        self: Any,  # noqa: ANN401
        cast_to: object,
        options: object,
        *rest: Any,  # noqa: ANN401
        stream: bool = False,
        stream_cls: object = None,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        through = _with(original, rest, more)
        if "_infraprism_seam" in vars(self):  # measured already, one level above
            return through(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        return seam_of(self).request(
            self, through, cast_to, options, stream=stream, stream_cls=stream_cls
        )

    return request


def request_of_any_async(
    original: Callable[..., Any], seam_of: Callable[[Any], Seam]
) -> Callable[..., Any]:

    async def request(
        self: Any,  # noqa: ANN401
        cast_to: object,
        options: object,
        *rest: Any,  # noqa: ANN401
        stream: bool = False,
        stream_cls: object = None,
        **more: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        through = _with(original, rest, more)
        if "_infraprism_seam" in vars(self):
            return await through(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        seam = seam_of(self)
        return await seam.request_async(
            self, through, cast_to, options, stream=stream, stream_cls=stream_cls
        )

    return request


def _with(
    request: Callable[..., Any], rest: tuple[Any, ...], more: dict[str, Any]
) -> Callable[..., Any]:
    """A provider's `request` with what else it was given: the request itself where that is nothing,
    and it nearly always is."""
    if not (rest or more):
        return request

    def through(client: object, cast_to: object, options: object, **known: Any) -> Any:  # noqa: ANN401
        return request(client, cast_to, options, *rest, **known, **more)

    return through
