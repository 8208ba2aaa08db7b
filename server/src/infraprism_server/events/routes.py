"""POST and GET /v1/events, one event, and how its cost came about."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Annotated

import msgspec

from infraprism_server.errors import InvalidRequest
from infraprism_server.event_store.contract import Event, Position
from infraprism_server.events.admission import Admission
from infraprism_server.events.schemas import (
    BatchAnswer,
    EventBatch,
    EventList,
    EventOut,
    ListEventsQuery,
)
from infraprism_server.events.service import EventService, PendingBatch
from infraprism_server.http.authentication import SCOPE_INGEST
from infraprism_server.http.body import check_media_type, decompressed
from infraprism_server.http.fields import printable
from infraprism_server.http.idempotency import idempotency_key_of
from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    path_text,
    principal_of,
    query_of,
    route,
)
from infraprism_server.http.pagination import Pagination, decode_cursor, encode_cursor
from infraprism_server.http.wire import Dollars, Instant
from infraprism_server.one_core import stay_on_one_core
from infraprism_server.pricing.schemas import CostExplanationOut
from infraprism_server.pricing.service import PricingService

MAX_BATCH_BYTES = 5 * 1024 * 1024

_EVENT_ID = {"event_id": Annotated[str, printable(128, "The event's id.")]}

POST_EVENTS = Operation(
    method="POST",
    path="/v1/events",
    summary="Report LLM calls",
    tag="Events",
    body=EventBatch,
    answer=BatchAnswer,
    extra_scopes=(SCOPE_INGEST,),
    errors=(413, 415),
    idempotent=True,
    encodings=("gzip", "zstd"),
    reads_body_itself=True,
    example="post_events",
)
LIST_EVENTS = Operation(
    method="GET",
    path="/v1/events",
    summary="List events, newest first",
    tag="Events",
    query=ListEventsQuery,
    answer=EventList,
    example="list_events",
)
GET_EVENT = Operation(
    method="GET",
    path="/v1/events/{event_id:str}",
    summary="Get one event",
    tag="Events",
    path_params=_EVENT_ID,
    answer=EventOut,
    errors=(404,),
    example="get_event",
)
GET_COST = Operation(
    method="GET",
    path="/v1/events/{event_id:str}/cost",
    summary="Explain the cost of one event, line by line",
    tag="Events",
    path_params=_EVENT_ID,
    answer=CostExplanationOut,
    errors=(404,),
)


_admission = Admission()


@cache
def _intake() -> ThreadPoolExecutor:
    """Decoding and pricing hold the interpreter: more threads would only take turns at it."""
    return ThreadPoolExecutor(1, "intake", stay_on_one_core)


@route(POST_EVENTS)
async def post_events(request: ApiRequest, events: EventService) -> JsonResponse:
    account = principal_of(request, POST_EVENTS).account
    headers = request.headers
    check_media_type(headers.get("content-type"))
    key = idempotency_key_of(headers.get("idempotency-key"))
    body = await _admission.read(request.stream(), headers.get("content-length"), MAX_BATCH_BYTES)
    encoding = headers.get("content-encoding")

    def take() -> PendingBatch:
        return events.take(account, decompressed(body, encoding, MAX_BATCH_BYTES), key)

    with _admission.wait(len(body)):
        pending = await asyncio.get_running_loop().run_in_executor(_intake(), take)
    return answer(pending.answer(await asyncio.wrap_future(pending.stored)))


@route(LIST_EVENTS)
def list_events(request: ApiRequest, events: EventService) -> JsonResponse:
    account = principal_of(request, LIST_EVENTS).account
    query = query_of(request, ListEventsQuery)
    after = None
    if query.cursor is not None:
        if query.offset:
            raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
        after = decode_cursor(query.cursor, Position)
    page = events.page(events.where(account, query), query.limit, query.offset, after)
    cursor = None if page.next_position is None else encode_cursor(page.next_position)
    pagination = Pagination(page.total, query.limit, query.offset, cursor is not None, cursor)
    return answer(EventList([event_out(event) for event in page.events], pagination))


@route(GET_EVENT)
def get_event(request: ApiRequest, event_id: str, events: EventService) -> JsonResponse:
    account = principal_of(request, GET_EVENT).account
    return answer(event_out(events.get(account, path_text(event_id, "event_id"))))


@route(GET_COST)
def get_event_cost(
    request: ApiRequest, event_id: str, events: EventService, pricing: PricingService
) -> JsonResponse:
    account = principal_of(request, GET_COST).account
    event = events.get(account, path_text(event_id, "event_id"))
    return answer(pricing.explain(event, account))


def event_out(event: Event) -> EventOut:
    """An event as the contract shows it."""
    computed_pico = event.computed_cost_pico
    if event.cost_source == "computed":
        computed_pico = event.cost_pico
    return EventOut(
        id=event.id,
        timestamp=Instant(event.timestamp_us),
        model=event.model,
        provider=event.provider,
        input_tokens=event.input_tokens,
        output_tokens=event.output_tokens,
        cost_usd=Dollars(event.cost_pico),
        latency_ms=event.latency_ms,
        entity_type=event.entity_type,
        entity_id=event.entity_id,
        tags=msgspec.json.decode(event.tags, type=dict[str, str]) if event.tags else {},
        success=event.success,
        total_tokens=event.input_tokens + event.output_tokens,
        cache_read_input_tokens=event.cache_read_input_tokens,
        cache_write_input_tokens=event.cache_write_input_tokens,
        cache_write_1h_input_tokens=event.cache_write_1h_input_tokens,
        reasoning_output_tokens=event.reasoning_output_tokens,
        input_audio_tokens=event.input_audio_tokens,
        output_audio_tokens=event.output_audio_tokens,
        web_search_requests=event.web_search_requests,
        service_tier=event.service_tier,
        session_id=event.session_id,
        error_type=event.error_type,
        error_code=event.error_code,
        cost_source=event.cost_source,
        computed_cost_usd=None if computed_pico is None else Dollars(computed_pico),
    )


ROUTES = [post_events, list_events, get_event, get_event_cost]
