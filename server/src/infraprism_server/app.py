"""The composition root: settings and stores become services, services become routes.

The only module that imports every feature.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from importlib.resources import files
from typing import cast

from litestar import Litestar, Response
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

import infraprism_server.accounts.routes
import infraprism_server.api_keys.routes
import infraprism_server.entities.routes
import infraprism_server.events.routes
import infraprism_server.exports.routes
import infraprism_server.pricing.routes
import infraprism_server.usage.routes
import infraprism_server.webhooks.routes
from infraprism_server import __version__
from infraprism_server.accounts.service import AccountService
from infraprism_server.api_keys.service import FLUSH_INTERVAL_SECONDS, ApiKeyService
from infraprism_server.background.jobs import JobQueue
from infraprism_server.background.schedule import Recurring, Schedule
from infraprism_server.background.worker import Worker
from infraprism_server.clock import Clock
from infraprism_server.entities.service import EntityService
from infraprism_server.entities.store import EntityRecords
from infraprism_server.event_store.contract import EventStore
from infraprism_server.events.service import EventService
from infraprism_server.exports.files import ExportFolder
from infraprism_server.exports.service import ExportService
from infraprism_server.exports.tasks import export_tasks
from infraprism_server.http.addresses import HostPolicy, TrustedProxies
from infraprism_server.http.error_body import error_answer, error_from, error_headers
from infraprism_server.http.gateway import AsgiApp, Gateway
from infraprism_server.http.idempotency import purge_idempotency_keys
from infraprism_server.http.metrics import RequestMetrics
from infraprism_server.http.openapi import build_openapi
from infraprism_server.http.operation import ApiRequest, Operation
from infraprism_server.http.rate_limit import RateLimiter
from infraprism_server.http.system_routes import Check, system_routes
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.service import PricingService
from infraprism_server.pricing.tasks import pricing_tasks
from infraprism_server.secret_box import SecretBox, open_secret_box
from infraprism_server.settings import Settings
from infraprism_server.usage.service import UsageService
from infraprism_server.webhooks.connection import SystemResolver, look_up
from infraprism_server.webhooks.dispatch import Dispatch
from infraprism_server.webhooks.measures import DeliveryCollector, DeliveryMeasures
from infraprism_server.webhooks.service import WebhookService
from infraprism_server.webhooks.tasks import DeliveryWorker

PURGE_SECONDS = 600.0

FEATURE_ROUTES: list[HTTPRouteHandler] = [
    *infraprism_server.accounts.routes.ROUTES,
    *infraprism_server.events.routes.ROUTES,
    *infraprism_server.entities.routes.ROUTES,
    *infraprism_server.usage.routes.ROUTES,
    *infraprism_server.pricing.routes.ROUTES,
    *infraprism_server.api_keys.routes.ROUTES,
    *infraprism_server.exports.routes.ROUTES,
    *infraprism_server.webhooks.routes.ROUTES,
]
OPERATIONS: list[Operation] = [handler.opt["operation"] for handler in FEATURE_ROUTES]


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
        store: EventStore,
        schedule: Schedule,
        worker: Worker,
        export_worker: Worker,
        deliveries: DeliveryWorker,
        clock: Clock,
    ) -> None:
        self.asgi = asgi
        self.accounts = accounts
        self.api_keys = api_keys
        self.events = events
        self.usage = usage
        self.clock = clock
        self._store = store
        self._schedule = schedule
        self._worker = worker
        self._export_worker = export_worker
        self._deliveries = deliveries

    def start(self) -> None:
        """Begin the background work."""
        self._schedule.start()
        self._worker.start()
        self._export_worker.start()
        self._deliveries.start()

    def close(self, timeout_seconds: float) -> None:
        """Finish what was accepted and let go of the stores."""
        self._schedule.stop(timeout_seconds / 4)
        self._worker.stop(timeout_seconds / 4)
        self._export_worker.stop(timeout_seconds / 4)
        self._deliveries.stop(timeout_seconds / 4)
        self.api_keys.flush_last_used()
        self._store.close(timeout_seconds)


def compose(
    settings: Settings, engine: Engine, store: EventStore, clock: Clock, address: str
) -> Application:
    """The application over two open stores. `address` is where it will answer."""
    accounts = AccountService(engine, clock)
    api_keys = ApiKeyService(engine, accounts, clock)
    jobs = JobQueue(engine, clock)
    book = PriceBook()
    # Reading the price data takes most of a second: meanwhile the rest of the start goes on.
    threading.Thread(target=book.warm, name="price-book", daemon=True).start()
    pricing = PricingService(engine, clock, book, store, jobs)
    worker = Worker(jobs, pricing_tasks(pricing, store))
    events = EventService(store, pricing, accounts, clock)
    usage = UsageService(store, events, accounts, clock)
    entities = EntityService(store, EntityRecords(engine), accounts, clock)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(_StoreCollector(store))
    key = settings.secret_key
    box = open_secret_box(settings.data_dir, key.get_secret_value() if key else None)
    exports = ExportService(
        engine,
        clock=clock,
        events=events,
        event_store=store,
        jobs=jobs,
        box=box,
        folder=ExportFolder(settings.data_dir),
        public_url=settings.public_url,
    )
    webhooks, deliveries = _webhooks(settings, engine, clock, box, registry)
    document = build_openapi(
        OPERATIONS, __version__, contract_examples(), settings.public_url or address
    )
    token = settings.metrics_token
    routes = [
        *FEATURE_ROUTES,
        *infraprism_server.exports.routes.OPEN_ROUTES,
        *system_routes(
            version=__version__,
            document=document,
            readiness=lambda: _readiness(engine, store),
            registry=registry,
            metrics_token=token.get_secret_value() if token else None,
        ),
    ]
    services = {
        "accounts": accounts,
        "api_keys": api_keys,
        "events": events,
        "entities": entities,
        "usage": usage,
        "pricing": pricing,
        "worker": worker,
        "exports": exports,
        "webhooks": webhooks,
    }
    gateway = Gateway(
        _litestar(routes, services),
        authenticator=api_keys,
        limiter=RateLimiter(settings.rate_limit_url, clock),
        hosts=HostPolicy(settings.host, settings.allowed_hosts, settings.public_url),
        proxies=TrustedProxies(settings.trusted_proxies),
        metrics=RequestMetrics(registry),
    )
    schedule = Schedule(
        [
            Recurring("api key use", FLUSH_INTERVAL_SECONDS, api_keys.flush_last_used),
            Recurring("idempotency keys", PURGE_SECONDS, lambda: _purge(engine, clock)),
            Recurring("expired exports", PURGE_SECONDS, exports.purge),
            Recurring("old deliveries", PURGE_SECONDS, webhooks.purge),
        ]
    )
    return Application(
        asgi=gateway,
        accounts=accounts,
        api_keys=api_keys,
        events=events,
        usage=usage,
        store=store,
        schedule=schedule,
        worker=worker,
        export_worker=Worker(jobs, export_tasks(exports)),
        deliveries=deliveries,
        clock=clock,
    )


def _webhooks(
    settings: Settings, engine: Engine, clock: Clock, box: SecretBox, registry: CollectorRegistry
) -> tuple[WebhookService, DeliveryWorker]:
    allow_private = settings.allow_private_webhooks
    registry.register(DeliveryCollector(engine))
    service = WebhookService(engine, clock, box, allow_private=allow_private, look_up=look_up)
    worker = DeliveryWorker(
        Dispatch(engine, clock, box),
        clock,
        allow_private=allow_private,
        resolve=SystemResolver(),
        measures=DeliveryMeasures(registry),
    )
    return service, worker


def _purge(engine: Engine, clock: Clock) -> None:
    with engine.begin() as connection:
        purge_idempotency_keys(connection, clock.now_us())


def contract_examples() -> dict[str, object]:
    """The contract's own examples, by route."""
    path = files("infraprism_server.http").joinpath("contract_examples.json")
    examples: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return examples


def _litestar(routes: list[HTTPRouteHandler], services: dict[str, object]) -> AsgiApp:
    app = Litestar(
        route_handlers=routes,
        dependencies={name: _provide(service) for name, service in services.items()},
        exception_handlers={Exception: _answer_error},
        openapi_config=None,
        logging_config=None,
    )
    return cast("AsgiApp", app)  # the same protocol, spelled with other types


def _provide(service: object) -> Provide:
    return Provide(lambda: service, use_cache=True, sync_to_thread=False)


def _answer_error(request: ApiRequest, exception: Exception) -> Response[bytes]:
    error = error_from(exception, str(request.scope["infraprism_request_id"]))  # type: ignore[typeddict-item]
    return Response(
        error_answer(error),
        status_code=error.status,
        media_type="application/json",
        headers={name.decode(): value.decode() for name, value in error_headers(error)},
    )


def _readiness(engine: Engine, store: EventStore) -> list[Check]:
    """What /readyz tells: both stores, and no path or URL of this machine."""
    status = store.status()
    checks = [Check("event store", status.healthy, status.problem or "ok")]
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        checks.append(Check("control store", True, "ok"))
    except SQLAlchemyError:
        checks.append(Check("control store", False, "it does not answer"))
    return checks


class _StoreCollector(Collector):
    """What the event store says of itself, when /metrics is asked."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def collect(self) -> Iterable[GaugeMetricFamily]:
        status = self._store.status()
        for name, words, value in (
            ("infraprism_events_stored", "Events stored.", status.events),
            ("infraprism_events_waiting", "Events waiting to be committed.", status.waiting_events),
            ("infraprism_event_store_bytes", "Size of the event store.", status.bytes_on_disk),
            ("infraprism_event_store_healthy", "1 when it works.", int(status.healthy)),
        ):
            yield GaugeMetricFamily(name, words, value=value)
