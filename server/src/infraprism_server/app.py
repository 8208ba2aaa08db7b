"""The composition root: settings and stores become services, services become routes.

The only module that imports every feature.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, cast

from litestar import Litestar, Response
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine

import infraprism_server.accounts.routes
import infraprism_server.anomalies.routes
import infraprism_server.api_keys.routes
import infraprism_server.dashboard.routes
import infraprism_server.entities.routes
import infraprism_server.events.routes
import infraprism_server.exports.routes
import infraprism_server.limits.routes
import infraprism_server.pricing.routes
import infraprism_server.sdk_reports.routes
import infraprism_server.usage.routes
import infraprism_server.webhooks.routes
from infraprism_server import __version__
from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies.measures import AnomalyCollector
from infraprism_server.anomalies.service import AnomalyService
from infraprism_server.anomalies.tasks import anomaly_tasks
from infraprism_server.anomalies.watch import Watch
from infraprism_server.api_keys.service import FLUSH_INTERVAL_SECONDS, ApiKeyService
from infraprism_server.application import Application
from infraprism_server.background.jobs import JobQueue
from infraprism_server.background.measures import JobCollector
from infraprism_server.background.schedule import BackgroundWork, Recurring, Schedule
from infraprism_server.background.worker import Worker
from infraprism_server.clock import Clock
from infraprism_server.dashboard.frame import Dashboard, error_page, wants_page
from infraprism_server.dashboard.reading import ask
from infraprism_server.dashboard.recent import Recent
from infraprism_server.dashboard.service import SignInService
from infraprism_server.entities.service import EntityService
from infraprism_server.entities.store import EntityRecords
from infraprism_server.event_store.contract import EventStore
from infraprism_server.events.service import EventService
from infraprism_server.exports.bucket import BucketAccess, ExportBucket
from infraprism_server.exports.files import ExportFiles, ExportFolder
from infraprism_server.exports.service import ExportService
from infraprism_server.exports.tasks import export_workers
from infraprism_server.http.addresses import HostPolicy, TrustedProxies
from infraprism_server.http.error_body import error_answer, error_from, error_headers
from infraprism_server.http.gateway import AsgiApp, Gateway
from infraprism_server.http.idempotency import purge_idempotency_keys
from infraprism_server.http.metrics import RequestMetrics
from infraprism_server.http.openapi import build_openapi, contract_examples
from infraprism_server.http.operation import ApiRequest, Operation
from infraprism_server.http.rate_limit import RateLimiter
from infraprism_server.http.system_routes import system_routes
from infraprism_server.limits.ledger import Ledger
from infraprism_server.limits.measures import LimitMeasures
from infraprism_server.limits.service import LimitService
from infraprism_server.limits.tasks import LimitWorker
from infraprism_server.limits.watch import LimitWatch
from infraprism_server.monitoring import process_registry, readiness
from infraprism_server.pricing.price_book import PriceBook
from infraprism_server.pricing.repricing import KIND as REPRICE
from infraprism_server.pricing.service import PricingService
from infraprism_server.pricing.tasks import UNPRICED_KIND, pricing_tasks
from infraprism_server.pricing.unpriced_alerts import TELL_SECONDS, UnpricedAlerts
from infraprism_server.sdk_reports.service import SdkReportService
from infraprism_server.secret_box import SecretBox, open_secret_box
from infraprism_server.settings import Settings
from infraprism_server.upkeep.service import UpkeepService
from infraprism_server.upkeep.tasks import upkeep_tasks
from infraprism_server.usage.service import UsageService
from infraprism_server.webhooks.connection import BoundedLookUp, SystemResolver, look_up
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
    *infraprism_server.anomalies.routes.ROUTES,
    *infraprism_server.limits.routes.ROUTES,
    *infraprism_server.sdk_reports.routes.ROUTES,
]
OPERATIONS: list[Operation] = [handler.opt["operation"] for handler in FEATURE_ROUTES]


class _Ground(NamedTuple):
    """What every feature may stand on."""

    settings: Settings
    engine: Engine
    store: EventStore
    clock: Clock
    jobs: JobQueue
    box: SecretBox
    registry: CollectorRegistry
    accounts: AccountService


class _Feature(NamedTuple):
    """What a feature adds: services by the name routes ask for, and its background work."""

    services: dict[str, object]
    recurring: tuple[Recurring, ...] = ()
    background: tuple[BackgroundWork, ...] = ()


def compose(
    settings: Settings, engine: Engine, store: EventStore, clock: Clock, address: str
) -> Application:
    """The application over two open stores. `address` is where it will answer."""
    accounts = AccountService(engine, clock)
    api_keys = ApiKeyService(engine, accounts, clock)
    key = settings.secret_key
    box = open_secret_box(settings.data_dir, key.get_secret_value() if key else None)
    registry = process_registry(store)
    jobs = JobQueue(engine, clock)
    registry.register(JobCollector(jobs, clock))
    if settings.control_url is None:  # then nobody but us works on this folder
        jobs.take_back()
    ground = _Ground(settings, engine, store, clock, jobs, box, registry, accounts)
    pricing, pricing_feature = _pricing(ground)
    limits, limits_feature = _limits(ground)
    events = EventService(store, pricing, accounts, clock, limits)
    usage = UsageService(store, events, accounts, clock)
    exports, exports_feature = _exports(ground, events)
    upkeep, upkeep_feature = _upkeep(ground, pricing, exports, limits)
    features = [
        _keys(ground, api_keys),
        pricing_feature,
        _Feature({"events": events, "usage": usage}),
        _Feature({"entities": EntityService(store, EntityRecords(engine), accounts, clock)}),
        exports_feature,
        _webhooks(ground),
        _anomalies(ground),
        limits_feature,
        _sdk_reports(ground),
        upkeep_feature,
    ]
    limiter = RateLimiter(settings.rate_limit_url, clock)
    sign_in = SignInService(engine, clock, api_keys)
    features.append(_dashboard(ground, features, sign_in, limiter))
    routes = [
        *FEATURE_ROUTES,
        *infraprism_server.exports.routes.OPEN_ROUTES,
        *infraprism_server.dashboard.routes.ROUTES,
        *_system_routes(ground, settings.public_url or address),
    ]
    gateway = Gateway(
        _litestar(routes, features),
        authenticator=api_keys,
        limiter=limiter,
        hosts=HostPolicy(settings.host, settings.allowed_hosts, settings.public_url),
        proxies=TrustedProxies(settings.trusted_proxies),
        metrics=RequestMetrics(registry),
    )
    schedule = Schedule([task for feature in features for task in feature.recurring])
    return Application(
        asgi=gateway,
        accounts=accounts,
        api_keys=api_keys,
        events=events,
        usage=usage,
        sign_in=sign_in,
        store=store,
        background=[schedule, *(work for feature in features for work in feature.background)],
        upkeep=upkeep,
        services={name: each for feature in features for name, each in feature.services.items()},
        clock=clock,
    )


def _keys(ground: _Ground, api_keys: ApiKeyService) -> _Feature:
    def purge() -> None:
        with ground.engine.begin() as connection:
            purge_idempotency_keys(connection, ground.clock.now_us())

    return _Feature(
        {"accounts": ground.accounts, "api_keys": api_keys},
        recurring=(
            Recurring("api key use", FLUSH_INTERVAL_SECONDS, api_keys.flush_last_used),
            Recurring("idempotency keys", PURGE_SECONDS, purge),
        ),
    )


def _pricing(ground: _Ground) -> tuple[PricingService, _Feature]:
    book = PriceBook()
    # Reading the price data takes most of a second: meanwhile the rest of the start goes on.
    threading.Thread(target=book.warm, name="price-book", daemon=True).start()
    pricing = PricingService(ground.engine, ground.clock, book, ground.store, ground.jobs)
    tasks = pricing_tasks(pricing, ground.store)
    questions = Worker(ground.jobs, {UNPRICED_KIND: tasks[UNPRICED_KIND]})
    alerts = UnpricedAlerts(ground.engine, ground.store, ground.clock)
    return pricing, _Feature(
        {"pricing": pricing},
        recurring=(Recurring("unpriced models", TELL_SECONDS, alerts.tell),),
        background=(questions,),
    )


def _upkeep(
    ground: _Ground, pricing: PricingService, exports: ExportService, limits: LimitService
) -> tuple[Worker, _Feature]:
    """One worker for all that changes stored events: a compaction must not meet new prices."""
    service = UpkeepService(
        ground.engine,
        data_dir=ground.settings.data_dir,
        clock=ground.clock,
        store=ground.store,
        jobs=ground.jobs,
        accounts=ground.accounts,
        exports=exports,
        limits=limits,
    )
    tasks = upkeep_tasks(service) | {REPRICE: pricing_tasks(pricing, ground.store)[REPRICE]}
    # Whoever did these before is gone: one process at a time holds the folder.
    ground.jobs.reclaim(list(tasks))
    worker = Worker(ground.jobs, tasks)
    retention = Recurring(
        "retention", ground.settings.retention_seconds, service.ask_for_due_expiries
    )
    services: dict[str, object] = {"worker": worker, "upkeep": service}
    return worker, _Feature(services, recurring=(retention,), background=(worker,))


def _limits(ground: _Ground) -> tuple[LimitService, _Feature]:
    engine, clock = ground.engine, ground.clock
    ledger = Ledger(clock)
    measures = LimitMeasures(ground.registry, ledger)
    watch = LimitWatch(engine, ground.store, clock, ledger, measures)
    service = LimitService(engine, clock, ground.accounts, ledger, watch)
    return service, _Feature(
        {"limits": service},
        recurring=(Recurring("old limit alerts", PURGE_SECONDS, watch.purge),),
        background=(LimitWorker(watch, ledger),),
    )


def _exports(ground: _Ground, events: EventService) -> tuple[ExportService, _Feature]:
    settings = ground.settings
    files: ExportFiles = ExportFolder(settings.data_dir)
    if settings.exports_url is not None:
        secret = settings.exports_secret_access_key
        access = BucketAccess(
            url=settings.exports_url,
            endpoint=settings.exports_endpoint,
            region=settings.exports_region,
            access_key_id=settings.exports_access_key_id,
            secret_access_key=None if secret is None else secret.get_secret_value(),
        )
        files = ExportBucket(access, settings.data_dir)
    exports = ExportService(
        ground.engine,
        clock=ground.clock,
        events=events,
        event_store=ground.store,
        jobs=ground.jobs,
        box=ground.box,
        files=files,
        public_url=settings.public_url,
    )
    return exports, _Feature(
        {"exports": exports},
        recurring=(Recurring("expired exports", PURGE_SECONDS, exports.purge),),
        background=export_workers(ground.jobs, exports),
    )


def _anomalies(ground: _Ground) -> _Feature:
    engine, clock, accounts, jobs = ground.engine, ground.clock, ground.accounts, ground.jobs
    ground.registry.register(AnomalyCollector(engine))
    service = AnomalyService(
        engine, clock=clock, accounts=accounts, event_store=ground.store, jobs=jobs
    )
    seconds = ground.settings.anomaly_seconds
    watch = Watch(engine, ground.store, accounts, clock, open_hour_seconds=15 * seconds)
    return _Feature(
        {"anomalies": service},
        recurring=(Recurring("anomalies", seconds, watch.run_due),),
        background=(Worker(jobs, anomaly_tasks(watch)),),
    )


def _sdk_reports(ground: _Ground) -> _Feature:
    service = SdkReportService(ground.engine, ground.clock)
    return _Feature(
        {"sdk_reports": service},
        recurring=(Recurring("old SDK counts", PURGE_SECONDS, service.purge),),
    )


def _webhooks(ground: _Ground) -> _Feature:
    engine, clock, box = ground.engine, ground.clock, ground.box
    allow_private = ground.settings.allow_private_webhooks
    ground.registry.register(DeliveryCollector(engine))
    service = WebhookService(
        engine, clock, box, allow_private=allow_private, look_up=BoundedLookUp(look_up)
    )
    dispatch = Dispatch(engine, clock, box)
    if ground.settings.control_url is None:
        dispatch.take_back()
    worker = DeliveryWorker(
        dispatch,
        clock,
        allow_private=allow_private,
        resolve=SystemResolver(),
        measures=DeliveryMeasures(ground.registry),
    )
    return _Feature(
        {"webhooks": service},
        recurring=(Recurring("old deliveries", PURGE_SECONDS, service.purge),),
        background=(worker,),
    )


def _dashboard(
    ground: _Ground,
    features: Sequence[_Feature],
    sign_in: SignInService,
    limiter: RateLimiter,
) -> _Feature:
    """Pages call every other feature's service: those that `Dashboard` has a field for."""
    services = {name: each for feature in features for name, each in feature.services.items()}
    wanted = set(Dashboard.__struct_fields__)
    dashboard = Dashboard(
        sign_in=sign_in,
        limiter=limiter,
        clock=ground.clock,
        recent=Recent(ground.clock, ask),
        public_url=ground.settings.public_url,
        **{name: service for name, service in services.items() if name in wanted},  # type: ignore[arg-type]
    )
    return _Feature(
        {"dashboard": dashboard},
        recurring=(Recurring("ended dashboard sessions", PURGE_SECONDS, sign_in.purge),),
    )


def _system_routes(ground: _Ground, address: str) -> Sequence[HTTPRouteHandler]:
    token = ground.settings.metrics_token
    return system_routes(
        version=__version__,
        document=lambda: build_openapi(OPERATIONS, __version__, contract_examples(), address),
        readiness=lambda: readiness(ground.engine, ground.store),
        registry=ground.registry,
        metrics_token=token.get_secret_value() if token else None,
    )


def _litestar(routes: list[HTTPRouteHandler], features: Sequence[_Feature]) -> AsgiApp:
    app = Litestar(
        route_handlers=routes,
        dependencies={
            name: _provide(service)
            for feature in features
            for name, service in feature.services.items()
        },
        exception_handlers={Exception: _answer_error},
        openapi_config=None,
        logging_config=None,
    )
    return cast("AsgiApp", app)  # the same protocol, spelled with other types


def _provide(service: object) -> Provide:
    return Provide(lambda: service, use_cache=True, sync_to_thread=False)


def _answer_error(request: ApiRequest, exception: Exception) -> Response[bytes]:
    error = error_from(exception, str(request.scope["infraprism_request_id"]))  # type: ignore[typeddict-item]
    if wants_page(request):
        return error_page(request, error)
    return Response(
        error_answer(error),
        status_code=error.status,
        media_type="application/json",
        headers={name.decode(): value.decode() for name, value in error_headers(error)},
    )
