"""Whom a call is for: entity, session and tags, given by keyword or by `attribute(...)`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Final, NamedTuple, TypeVar, cast

from infraprism.quiet import own_error

KEYWORDS = frozenset({"entity_type", "entity_id", "session_id", "tags"})

MAX_TAGS = 32
MAX_TAG_KEY_CHARS = 64
MAX_TEXT_CHARS = 256

_ENTITY_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_Function = TypeVar("_Function", bound=Callable[..., Any])


ByCustomId = Callable[[str], Mapping[str, Any] | None]
"""From the `custom_id` of a batch's result to entity_type, entity_id, session_id, tags of it."""


class Attribution(NamedTuple):
    """Whom a call is for. Only what the server takes: the rest was left out by `cleaned`."""

    entity_type: str | None = None
    entity_id: str | None = None
    session_id: str | None = None
    tags: Mapping[str, str] | None = None
    by_custom_id: ByCustomId | None = None


Given = tuple[object, object, object, object]
"""entity_type, entity_id, session_id and tags as a host passed them, or an Attribution."""

NOBODY = Attribution()
_current: ContextVar[Attribution] = ContextVar("infraprism_attribution", default=NOBODY)


current = _current.get
"""Whom a call made now is for. Not a function of ours: it is looked at in every call."""


def cleaned(
    entity_type: object = None,
    entity_id: object = None,
    session_id: object = None,
    tags: object = None,
) -> Attribution:
    """An Attribution from whatever a host passes; never raises, leaves out what is not valid."""
    kind = entity_type if isinstance(entity_type, str) else None
    who = printable(entity_id, MAX_TEXT_CHARS)
    if kind is None or who in (None, "", ".", "..") or not _ENTITY_TYPE.fullmatch(kind):
        kind = who = None
    session = printable(session_id, MAX_TEXT_CHARS) or None
    return Attribution(kind, who, session, _clean_tags(tags))


def noted(
    entity_type: object, entity_id: object, session_id: object, tags: object
) -> Given | Attribution:
    """What a host passes, for `cleaned` to look at later: it takes longer than all the rest.

    Later, so only plain values are kept as they are, and a copy of a few tags of plain values: they
    can not change and hold nothing else. All else is cleaned at once.
    """
    if type(entity_id) in _PLAIN and type(session_id) in _PLAIN and type(entity_type) in _PLAIN:
        if tags is None:
            return entity_type, entity_id, session_id, None
        if type(tags) is dict and len(tags) <= MAX_TAGS:
            for value in tags.values():
                if type(value) not in _PLAIN:
                    break
            else:
                return entity_type, entity_id, session_id, tags.copy()
    try:
        return cleaned(entity_type, entity_id, session_id, tags)
    except Exception as error:  # noqa: BLE001 - a host's own class may do anything when looked at
        own_error("looking at whom a call is for", error)
        return NOBODY


def merged(outer: Attribution, inner: Attribution) -> Attribution:
    """The inner one wins; tags of both are kept."""
    if outer is NOBODY:
        return inner
    has_entity = inner.entity_type is not None
    tags: Mapping[str, str] | None = inner.tags or outer.tags
    if outer.tags and inner.tags:
        tags = dict(list({**outer.tags, **inner.tags}.items())[-MAX_TAGS:])
    return Attribution(
        inner.entity_type if has_entity else outer.entity_type,
        inner.entity_id if has_entity else outer.entity_id,
        inner.session_id or outer.session_id,
        tags,
        inner.by_custom_id or outer.by_custom_id,
    )


class attribute:  # noqa: N801 - reads as a verb: `with attribute(...)`, `@attribute(...)`
    """Every call made inside is for this entity: a context manager and a decorator.

    Follows asyncio tasks by contextvars; for threads of your own use
    `contextvars.copy_context().run`. Inner blocks win over outer ones, tags add up.
    `by_custom_id` is asked about each result of a batch that is read inside.
    """

    def __init__(
        self,
        *,
        entity_type: str | None = None,
        entity_id: str | None = None,
        session_id: str | None = None,
        tags: Mapping[str, Any] | None = None,
        by_custom_id: ByCustomId | None = None,
    ) -> None:
        self._given = cleaned(entity_type, entity_id, session_id, tags)
        if callable(by_custom_id):
            self._given = self._given._replace(by_custom_id=by_custom_id)
        self._tokens: list[Token[Attribution]] = []

    def __enter__(self) -> Attribution:
        now = merged(_current.get(), self._given)
        self._tokens.append(_current.set(now))
        return now

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._tokens.pop())

    def _again(self) -> attribute:
        copy = attribute()
        copy._given = self._given
        return copy

    def __call__(self, function: _Function) -> _Function:
        import inspect  # noqa: PLC0415 - off the start-up of those who do not decorate

        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(
                "attribute() decorates functions; inside a generator use `with attribute(...)`"
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the host's own
                with self._again():
                    return await function(*args, **kwargs)

            return cast("_Function", run_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the host's own
            with self._again():
                return function(*args, **kwargs)

        return cast("_Function", run)


def printable(value: object, limit: int) -> str | None:
    """One printable line of at most `limit` characters, or None for what is not a plain value."""
    if type(value) is str and value.isascii() and value.isprintable():
        return value if len(value) <= limit else value[:limit]
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        value = str(value) if not isinstance(value, int) or value.bit_length() <= 512 else None
    if not isinstance(value, str):
        return None
    if not (value.isascii() and value.isprintable()):
        value = _UNPRINTABLE.sub("", value)
    return value[:limit]


def _clean_tags(tags: object) -> Mapping[str, str] | None:
    if not (type(tags) is dict or isinstance(tags, Mapping)) or not tags:
        return None
    kept: dict[str, str] = {}
    for key, value in tags.items():
        name = printable(key, MAX_TAG_KEY_CHARS)
        text = printable(value, MAX_TEXT_CHARS)
        if name and text is not None:
            kept[name] = text
        if len(kept) == MAX_TAGS:
            break
    return kept or None
