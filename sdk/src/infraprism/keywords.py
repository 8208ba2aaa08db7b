"""Our keywords on every method of a provider's client, by one generic wrapper.

`entity_type`, `entity_id`, `session_id` and `tags` are taken off and travel with an argument that
the method passes on, also when it is run later (coroutines, stream managers): with the model's
name, or where there is none in `extra_headers`, which every method has but which costs the provider
its validation. The seam takes them out before a request is made. No method of a provider is written
out here.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final

from infraprism.attribution import KEYWORDS, Attribution, Given, cleaned, noted

HEADER: Final = "x-infraprism-attribution"

_tracked: dict[type, type] = {}


class MarkedModel(str):
    """A model's name that carries whom a call is for between our wrapper and our seam.

    Whoever writes it, writes the name and nothing else.
    """

    __slots__ = ("given", "name")

    given: Given | Attribution
    name: str
    """The same, as the host gave it."""


class Carrier(str):
    """A header value that carries whom a call is for between our wrapper and our seam."""

    __slots__ = ("given",)

    given: Given | Attribution

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Of a client that turns headers into bytes before our seam sees them."""
        given = self.given
        who = given if isinstance(given, Attribution) else cleaned(*given)
        return ascii(tuple(who[:4])).encode(encoding, errors)


def given_in(value: str | bytes) -> Given | Attribution:
    """What a header carries; from its text where a client has turned headers into bytes."""
    if isinstance(value, Carrier):
        return value.given
    return Attribution(*ast.literal_eval(value if isinstance(value, str) else value.decode()))


def with_keywords(resource: Any) -> Any:  # noqa: ANN401 - any resource of any provider's client
    """The resource itself, its class replaced by a subclass whose methods take our keywords."""
    kind = type(resource)
    if getattr(kind, "_infraprism_keywords", False) or not _is_resource(resource):
        return resource
    if kind not in _tracked:
        _tracked[kind] = _subclass(kind)
    resource.__class__ = _tracked[kind]
    for name, inner in list(vars(resource).items()):
        if not name.startswith("_") and _is_resource(inner):
            with_keywords(inner)
    return resource


def _is_resource(value: object) -> bool:
    """Resources of both providers, old and new, keep their client and its verbs under these."""
    return hasattr(value, "_client") and hasattr(value, "_post") and hasattr(value, "_get")


def _subclass(kind: type) -> type:
    members: dict[str, Any] = {"_infraprism_keywords": True, "__module__": kind.__module__}
    for base in reversed(kind.__mro__):
        for name, member in vars(base).items():
            if name.startswith("_"):
                continue
            if inspect.isfunction(member) and takes_headers(member):
                members[name] = wrapped(member)
            elif isinstance(member, property | functools.cached_property):
                members[name] = cached_child(name, member)
    return type(kind.__name__, (kind,), members)


def takes_headers(function: Callable[..., Any]) -> bool:
    return "extra_headers" in inspect.signature(function).parameters


def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that takes our keywords off, unless the provider's own has one of that name."""
    own = frozenset(inspect.signature(method).parameters)
    if own & KEYWORDS:
        return _wrapped_beside(method, own)
    is_seen = _is_seen(own)
    marks_model = is_seen and "model" in own

    # Our keywords as parameters, and few steps: this is in the way of every call.
    @functools.wraps(method)
    def call(
        *args: Any,  # noqa: ANN401 - the provider's signature
        entity_type: object = None,
        entity_id: object = None,
        session_id: object = None,
        tags: object = None,
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        if entity_id is None and tags is None and session_id is None and entity_type is None:
            return method(*args, **kwargs)
        given = noted(entity_type, entity_id, session_id, tags)
        model = kwargs.get("model")
        if marks_model and type(model) is str:
            kwargs["model"] = marked = MarkedModel(model)
            marked.name = model
            marked.given = given
        elif is_seen:
            _put_in_headers(kwargs, given)
        return method(*args, **kwargs)

    return call


def _wrapped_beside(method: Callable[..., Any], own: frozenset[str]) -> Callable[..., Any]:
    """The same of a method that has one of our names as its own: that one is no key of ours."""
    kind, who, session, tags = (
        "" if name in own else name for name in ("entity_type", "entity_id", "session_id", "tags")
    )
    not_ours = (KEYWORDS - own).isdisjoint
    is_seen = _is_seen(own)

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the provider's signature
        if not_ours(kwargs):
            return method(*args, **kwargs)
        take = kwargs.pop
        given = noted(take(kind, None), take(who, None), take(session, None), take(tags, None))
        if is_seen:
            _put_in_headers(kwargs, given)
        return method(*args, **kwargs)

    return call


def _is_seen(own: frozenset[str]) -> bool:
    """A connection is not a request that our seam could take anything off again."""
    return "websocket_connection_options" not in own


def _put_in_headers(kwargs: dict[str, Any], given: Given | Attribution) -> None:
    carrier = Carrier()
    carrier.given = given
    headers = kwargs.get("extra_headers")
    if isinstance(headers, Mapping):
        kwargs["extra_headers"] = {**headers, HEADER: carrier}
    else:
        kwargs["extra_headers"] = {HEADER: carrier}


def cached_child(name: str, member: Any) -> Any:  # noqa: ANN401 - property or cached_property
    """The property of a sub-resource, whose methods take our keywords too."""
    read = member.func if isinstance(member, functools.cached_property) else member.fget

    def child(self: Any) -> Any:  # noqa: ANN401
        return with_keywords(read(self))

    child.__name__ = name
    if isinstance(member, functools.cached_property):
        return functools.cached_property(child)
    return property(child)


def keyword_members(kind: type) -> dict[str, Any]:
    """Overrides for a client class whose resources are made on demand (the newer majors)."""
    members: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        for name, member in vars(base).items():
            if isinstance(member, functools.cached_property) and not name.startswith("_"):
                members[name] = cached_child(name, member)
    return members


def take_keywords(client: Any) -> None:  # noqa: ANN401 - a client of any provider
    """The resources a client made in its constructor (the older majors)."""
    for name, inner in list(vars(client).items()):
        if not name.startswith("_"):
            with_keywords(inner)
