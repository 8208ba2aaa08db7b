"""Questions of one page that are asked at the same time: a page takes as long as its longest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

MOST_AT_ONCE = 4
"""Of all pages together: more would only take cores from each other, and from ingest."""

_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")
_READERS = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="dashboard-read")


def ask(
    question: Callable[_Asked, _Answer], *given: _Asked.args, **named: _Asked.kwargs
) -> Future[_Answer]:
    """Begin to answer; `result()` waits, and raises what the question raised.

    A question must not `ask` itself: with all readers waiting for each other nobody would answer.
    """
    return _READERS.submit(question, *given, **named)
