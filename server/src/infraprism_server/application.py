"""A server put together (app.py does that): what its process starts, asks and ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from infraprism_server.accounts.service import AccountService
from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.background.schedule import BackgroundWork
from infraprism_server.background.worker import Worker
from infraprism_server.clock import Clock
from infraprism_server.dashboard.service import SignInService
from infraprism_server.event_store.contract import EventStore
from infraprism_server.events.service import EventService
from infraprism_server.http.gateway import Gateway
from infraprism_server.usage.service import UsageService


class Application:
    """Everything a running server is made of, put together."""

    def __init__(
        self,
        *,
        asgi: Gateway,
        accounts: AccountService,
        api_keys: ApiKeyService,
        events: EventService,
        usage: UsageService,
        sign_in: SignInService,
        store: EventStore,
        background: Sequence[BackgroundWork],
        upkeep: Worker,
        services: Mapping[str, object],
        clock: Clock,
    ) -> None:
        self.asgi = asgi
        self.accounts = accounts
        self.api_keys = api_keys
        self.events = events
        self.usage = usage
        self.sign_in = sign_in
        self.upkeep = upkeep
        self.services = services
        """Every feature's, by the name routes ask for."""
        self.clock = clock
        self._store = store
        self._background = background

    def start(self) -> None:
        """Begin the background work."""
        for work in self._background:
            work.start()

    def close(self, timeout_seconds: float) -> None:
        """Finish what was accepted and let go of the stores."""
        with ThreadPoolExecutor(len(self._background)) as pool:
            for work in self._background:
                pool.submit(work.stop, timeout_seconds)
        self.api_keys.flush_last_used()
        self._store.close(timeout_seconds)
