"""Measuring for clients that exist already, and what the tracked clients share with it."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload
from urllib.parse import urlsplit

from infraprism import recorder
from infraprism.keywords import keyword_members, take_keywords
from infraprism.measuring import (
    measured,
    request_async_of,
    request_of,
    request_of_any,
    request_of_any_async,
)
from infraprism.seam import Seam

if TYPE_CHECKING:
    from infraprism.limits import Gate, Limits, OnLimit, WhenUnreachable

_Client = TypeVar("_Client")

_HOSTS: Final = {
    "api.deepseek.com": "deepseek",
    "api.x.ai": "x-ai",
    "openrouter.ai": "openrouter",
    "api.mistral.ai": "mistral",
    "api.groq.com": "groq",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.perplexity.ai": "perplexity",
    "generativelanguage.googleapis.com": "google",
}
_SUFFIXES: Final = {".openai.azure.com": "azure", ".cognitiveservices.azure.com": "azure"}


def provider_of(client: object) -> str:
    """The provider a client talks to: by its class where that says it, else by its host."""
    names = [kind.__name__ for kind in type(client).__mro__]
    module = type(client).__module__
    if any("Azure" in name or "Foundry" in name for name in names):
        return "azure"
    if any("Bedrock" in name or "AWS" in name for name in names):
        return "aws"
    if any("Vertex" in name for name in names):
        return "google"
    host = urlsplit(str(getattr(client, "base_url", ""))).hostname or ""
    for suffix, provider in _SUFFIXES.items():
        if host.endswith(suffix):
            return provider
    if host in _HOSTS:
        return _HOSTS[host]
    family = "Anthropic" in "".join(names) or module.startswith("anthropic")
    return "anthropic" if family else "openai"


@overload
def instrument(
    client: None = None,
    *,
    provider: str | None = None,
    limits: Limits = "ignore",
    on_limit: OnLimit | None = None,
    when_unreachable: WhenUnreachable = "allow",
) -> None: ...


@overload
def instrument(
    client: _Client,
    *,
    provider: str | None = None,
    limits: Limits = "ignore",
    on_limit: OnLimit | None = None,
    when_unreachable: WhenUnreachable = "allow",
) -> _Client: ...


def instrument(
    client: _Client | None = None,
    *,
    provider: str | None = None,
    limits: Limits = "ignore",
    on_limit: OnLimit | None = None,
    when_unreachable: WhenUnreachable = "allow",
) -> _Client | None:
    """Measure every call of an OpenAI or Anthropic client; returns the same client.

    Without a client: every client of this process, those inside frameworks and those made later
    included. Calls are attributed by `attribute(...)`. Doing it twice does nothing more;
    `uninstrument` undoes it. Clients made by `with_options` are measured too. `provider` names the
    provider where neither the class nor the address tells it.

    `limits="enforce"` refuses the calls of an entity that has reached a blocking limit, with
    LimitReachedError, before anything is sent; `on_limit` is given that error and may answer with
    another model to call instead. While the server can not be reached, what is known goes on to
    hold, and other calls are let through, or with `when_unreachable="block"` refused with
    LimitsUnknownError.
    """
    gate = gate_of(limits, on_limit, when_unreachable)
    if client is None:
        _class_gate[:] = [gate] if gate is not None else _class_gate
        _measure_all()
        return None
    known = vars(client).get("_infraprism_seam")
    if known is not None:
        known.gate = gate or known.gate
        return client
    if not (hasattr(client, "request") and hasattr(client, "_make_sse_decoder")):
        raise TypeError(f"instrument() takes an OpenAI or Anthropic client, not {type(client)!r}")
    seam = Seam(recorder.default_uploader(), provider or provider_of(client), gate)
    target: Any = client
    target._infraprism_seam = seam
    target.request = measured(client, target.request, seam)
    for name in ("copy", "with_options"):
        if hasattr(client, name):
            setattr(client, name, _measured_copy(getattr(client, name), seam))
    return client


def uninstrument(client: _Client | None = None) -> _Client | None:
    """Take the measuring off again: of a client, or of all that `instrument()` covers."""
    if client is None:
        while _patched:
            kind, original = _patched.pop()
            kind.request = original
        _class_gate.clear()
        return None
    if "_infraprism_seam" in vars(client):
        for name in ("_infraprism_seam", "request", "copy", "with_options"):
            vars(client).pop(name, None)
    return client


_patched: list[tuple[Any, Callable[..., Any]]] = []
"""Base classes whose `request` is measured, with what it was."""
_class_gate: list[Gate] = []
"""What all those clients do about limits; empty: nothing."""


def _measure_all() -> None:
    if _patched:
        return
    for package in ("openai", "anthropic"):
        if importlib.util.find_spec(package) is None:
            continue
        base = importlib.import_module(f"{package}._base_client")
        for kind, replacement in (
            (base.SyncAPIClient, request_of_any),
            (base.AsyncAPIClient, request_of_any_async),
        ):
            _patched.append((kind, kind.request))
            kind.request = functools.wraps(kind.request)(replacement(kind.request, _seam_of))


def _seam_of(client: Any) -> Seam:  # noqa: ANN401
    """The seam of a client that only its class is measured by: made at its first call."""
    seam = vars(client).get("_infraprism_class_seam")
    if seam is None:
        seam = Seam(recorder.default_uploader(), provider_of(client))
        client._infraprism_class_seam = seam
    seam.gate = _class_gate[0] if _class_gate else None
    return cast("Seam", seam)


def gate_of(
    limits: Limits, on_limit: OnLimit | None, when_unreachable: WhenUnreachable
) -> Gate | None:
    """What a client does about limits; None where it ignores them, or nothing is reported at all.

    ValueError for a word that means nothing: a typo must not switch limits off.
    """
    if limits not in ("ignore", "enforce"):
        raise ValueError(f'limits is "ignore" or "enforce", not {limits!r}')
    if when_unreachable not in ("allow", "block"):
        raise ValueError(f'when_unreachable is "allow" or "block", not {when_unreachable!r}')
    uploader = recorder.default_uploader() if limits == "enforce" else None
    if uploader is None:
        return None
    from infraprism.limits import Gate  # noqa: PLC0415 - few enforce them

    return Gate(uploader.known_limits(), on_limit, when_unreachable)


def _measured_copy(copy: Callable[..., Any], seam: Seam) -> Callable[..., Any]:
    @functools.wraps(copy)
    def copied(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        client = instrument(copy(*args, **kwargs), provider=seam.provider)
        client._infraprism_seam.gate = seam.gate
        return client

    return copied


def tracked(kind: type) -> Callable[[type], type]:
    """Class decorator of the tracked clients: our keywords on the resources of the base class."""

    def decorate(subclass: type) -> type:
        for name, member in keyword_members(kind).items():
            member.__set_name__(subclass, name)
            setattr(subclass, name, member)
        base: Any = kind
        is_async = issubclass(subclass, TrackedAsync)
        subclass.request = request_async_of(base) if is_async else request_of(base)  # type: ignore[attr-defined]
        return subclass

    return decorate


class TrackedClient:
    """Mixed into a provider's client: measured `request`, our keywords on every method."""

    _infraprism_tracked = True

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - the provider's own
        limits: Limits = "ignore",
        on_limit: OnLimit | None = None,
        when_unreachable: WhenUnreachable = "allow",
        **kwargs: Any,  # noqa: ANN401 - the provider's own
    ) -> None:
        """What `instrument` says of limits holds here too."""
        gate = gate_of(limits, on_limit, when_unreachable)
        super().__init__(*args, **kwargs)
        self._infraprism_seam = Seam(recorder.default_uploader(), provider_of(self), gate)
        take_keywords(self)

    def copy(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the provider's own
        client = super().copy(*args, **kwargs)  # type: ignore[misc]  # the provider's comes after us
        client._infraprism_seam.gate = self._infraprism_seam.gate
        return client

    with_options = copy


class TrackedSync(TrackedClient):
    """The synchronous half."""


class TrackedAsync(TrackedClient):
    """The asynchronous half."""
