"""Limits without a proxy: a call is compared with what is known, and nobody is asked meanwhile.

A thread of its own keeps the list of one server's blocked entities up to date; it runs only where
some client enforces limits.
"""

from __future__ import annotations

import inspect
import os
import random
import threading
import time
import weakref
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from infraprism._version import __version__
from infraprism.api.decoding import parse_json
from infraprism.blocklist import BlockList, Entity
from infraprism.calls import Call
from infraprism.delivery import full_jitter, open_client, retry_after
from infraprism.limit_errors import CallRefusedError, LimitsUnknownError
from infraprism.quiet import log, own_error

if TYPE_CHECKING:
    import httpx2

Limits = Literal["ignore", "enforce"]
WhenUnreachable = Literal["allow", "block"]
OnLimit = Callable[[CallRefusedError], "str | Awaitable[str | None] | None"]

REFRESH_SECONDS: Final = 15.0
"""Four requests a minute of a rate limit that the account shares with everything else."""
GRACE_SECONDS: Final = 45.0
"""How long a list is good while the server does not answer."""
FIRST_ANSWER_SECONDS: Final = 2.0
"""How long making a client waits for the first list, where calls are refused without one."""


class KnownLimits:
    """What one server says of limits, kept up to date. Safe over threads and forks."""

    def __init__(
        self, root: str, api_key: str, *, refresh_seconds: float = REFRESH_SECONDS
    ) -> None:
        self._url = f"{root}/limits/blocked"
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "User-Agent": f"infraprism-python/{__version__}",
        }
        self.refresh_seconds = refresh_seconds
        self.list = BlockList()
        self._answered_at: float | None = None
        self._failures = 0
        self._start_anew()
        _all.add(self)

    def _start_anew(self) -> None:
        """Without a thread: at the start, and in a child, which knows what its parent did."""
        self.list.let_go()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._ended = threading.Event()
        self._first = threading.Event()
        if self._answered_at is not None:
            self._first.set()

    def start(self) -> None:
        """Start the thread, if this process has none yet."""
        if self._thread is None:
            with self._start_lock:
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name="infraprism-limits")
                    thread.daemon = True
                    try:
                        thread.start()
                    except RuntimeError as error:  # no more threads, or the interpreter is ending
                        own_error("starting the thread of the limits", error)
                        return
                    self._thread = thread

    def close(self) -> None:
        """End the thread; what is known stays, and a later call starts anew."""
        self._ended.set()
        self._start_anew()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the first list; whether there is one."""
        self.start()
        return self._first.wait(timeout_seconds)

    @property
    def is_current(self) -> bool:
        """Whether a list has come, and not long ago unless none was due."""
        if self._answered_at is None:
            return False
        return not self._failures or time.monotonic() - self._answered_at < GRACE_SECONDS

    def answered(self, content: bytes) -> None:
        """Read the answer to an upload; called by the upload thread."""
        if b'"blocked":[]' not in content:
            self.list.tell(parse_json(content)["blocked"])

    def _run(self) -> None:
        ended = self._ended
        client: httpx2.Client | None = None
        while not ended.is_set():
            wait = self.refresh_seconds * random.uniform(0.8, 1.2)  # noqa: S311 - spreads clients
            try:
                client = client or open_client()
                asked = self._refresh(client)
                wait = wait if asked is None else asked
            except Exception as error:  # noqa: BLE001 - whatever the network does, it is tried again
                wait = self._failed(type(error).__name__)
            ended.wait(wait)
        if client is not None:
            client.close()

    def _refresh(self, client: httpx2.Client) -> float | None:
        """Ask for the list; how long to wait where the server says so."""
        turn = self.list.ask()
        since = self.list.as_of
        response = client.get(
            self._url, params={} if since is None else {"since": since}, headers=self._headers
        )
        if response.status_code != 200:
            wait = self._failed(f"HTTP {response.status_code}")
            asked = retry_after(response.headers.get("Retry-After"))
            return wait if asked is None else asked
        date = response.headers.get("Date")
        if date is not None:
            self.list.learn_clock(parsedate_to_datetime(date).timestamp())
        self.list.learn(turn, parse_json(response.content))
        if self._failures:
            log.warning("infraprism: limits are known again")
        self._failures = 0
        self._answered_at = time.monotonic()
        self._first.set()
        return None

    def _failed(self, problem: str) -> float:
        if not self._failures:
            log.warning("infraprism: who is blocked can not be asked (%s)", problem)
        self._failures += 1
        return full_jitter(self._failures)


class Gate:
    """What one client does about limits."""

    __slots__ = ("_blocks_unknown", "_known", "_on_limit")

    def __init__(
        self, known: KnownLimits, on_limit: OnLimit | None, when_unreachable: WhenUnreachable
    ) -> None:
        self._known = known
        self._on_limit = on_limit
        self._blocks_unknown = when_unreachable == "block"
        known.start()
        if self._blocks_unknown:
            known.wait(FIRST_ANSWER_SECONDS)

    def refusal(self, call: object) -> CallRefusedError | None:
        """Why a call must not be made; None when it may. A look into a dictionary."""
        entity = call.entity if isinstance(call, Call) else None
        if entity is None:
            return None
        if self._known._thread is None:
            self._known.start()  # in a forked child
        blocked = self._known.list.find(entity)
        if blocked is not None:
            return blocked.error()
        if self._blocks_unknown and not self._known.is_current:
            return _unknown(entity)
        return None

    def refuse(self, refusal: CallRefusedError, call: object, options: Any) -> None:  # noqa: ANN401
        """Raise, unless `on_limit` names another model: then the request asks for that one."""
        model = None if self._on_limit is None else self._on_limit(refusal)
        if inspect.isawaitable(model):
            if inspect.iscoroutine(model):
                model.close()
            raise TypeError("on_limit of a synchronous client can not be a coroutine function")
        _take_model(model, refusal, call, options)

    async def refuse_async(
        self,
        refusal: CallRefusedError,
        call: object,
        options: Any,  # noqa: ANN401
    ) -> None:
        """The same; `on_limit` may be a coroutine function."""
        model = None if self._on_limit is None else self._on_limit(refusal)
        if inspect.isawaitable(model):
            model = await model
        _take_model(model, refusal, call, options)


def _take_model(model: object, refusal: CallRefusedError, call: object, options: Any) -> None:  # noqa: ANN401
    if not isinstance(model, str) or not model:
        raise refusal
    options.json_data = {**options.json_data, "model": model}
    cast("Call", call).learn(model, None, None)


def _unknown(entity: Entity) -> LimitsUnknownError:
    return LimitsUnknownError(entity_type=entity[0], entity_id=entity[1])


_all: weakref.WeakSet[KnownLimits] = weakref.WeakSet()


def _after_fork() -> None:
    for known in list(_all):
        known._start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
