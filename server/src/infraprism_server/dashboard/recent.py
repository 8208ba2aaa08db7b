"""Answers that may be a little old: what a page shows beside the numbers it is about."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from typing import TypeVar, cast

from infraprism_server.clock import Clock

KEPT_US = 30_000_000
MOST_KEPT = 512

_Answer = TypeVar("_Answer")


class Recent:
    """Up to MOST_KEPT answers, each for half a minute. Safe for many threads.

    For spans that are over, the forecast and what forms suggest; never for what was asked for: that
    has every call that was acknowledged. The key says whose answer it is: the account comes first.
    """

    def __init__(self, clock: Clock, begin: Callable[[Callable[[], object]], object]) -> None:
        """`begin` starts what is made beside, on another thread, and does not wait for it."""
        self._clock = clock
        self._begin = begin
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[int, object]] = OrderedDict()

    def get(
        self,
        key: tuple[int, *tuple[Hashable, ...]],
        make: Callable[[], _Answer],
        *,
        renewed_within_us: int = 0,
    ) -> _Answer:
        """The kept answer, or a new one. Two threads may make the same: both are right.

        For so long after its half minute an answer is still given, and a new one is made beside.
        """
        now_us = self._clock.now_us()
        with self._lock:
            found = self._kept.get(key)
            if found is not None and found[0] <= now_us < found[0] + renewed_within_us:
                # Kept once more, so that one thread alone makes the new one.
                self._kept[key] = (now_us + KEPT_US, found[1])
                self._begin(partial(self._make, key, make))
                return cast(_Answer, found[1])
        if found is not None and found[0] > now_us:
            return cast(_Answer, found[1])
        return self._make(key, make)

    def _make(self, key: Hashable, make: Callable[[], _Answer]) -> _Answer:
        now_us = self._clock.now_us()
        made = make()
        with self._lock:
            self._kept[key] = (now_us + KEPT_US, made)
            self._kept.move_to_end(key)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return made
