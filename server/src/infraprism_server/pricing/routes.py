"""/v1/prices: the account's own prices, look-ups, unpriced models and repricings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from infraprism_server.accounts.service import AccountService
from infraprism_server.background.worker import Worker
from infraprism_server.clock import to_us
from infraprism_server.http.idempotency import idempotent_request
from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    body_of,
    created,
    path_text,
    principal_of,
    query_of,
    route,
)
from infraprism_server.http.pagination import offset_from
from infraprism_server.http.time_range import parse_range, zone_named
from infraprism_server.pricing.schemas import (
    DeletedPrice,
    PageQuery,
    PriceLookupQuery,
    PriceOut,
    PriceOverrideIn,
    PriceOverrideList,
    PriceOverrideOut,
    RepricingIn,
    RepricingOut,
    UnpricedModelList,
)
from infraprism_server.pricing.service import PricingService

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]

LIST_PRICES = Operation(
    method="GET",
    path="/v1/prices",
    summary="List the account's own prices, newest first",
    tag="Prices",
    query=PageQuery,
    answer=PriceOverrideList,
)
CREATE_PRICE = Operation(
    method="POST",
    path="/v1/prices",
    summary="Set a price of your own: for a model, a prefix, or a discount for a provider",
    tag="Prices",
    body=PriceOverrideIn,
    answer=PriceOverrideOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
)
DELETE_PRICE = Operation(
    method="DELETE",
    path="/v1/prices/{price_id:str}",
    summary="Remove a price of your own; what it priced keeps its cost",
    tag="Prices",
    path_params={"price_id": _Id},
    answer=DeletedPrice,
    errors=(404,),
)
LOOKUP_PRICE = Operation(
    method="GET",
    path="/v1/prices/lookup",
    summary="Look up what a call would be charged by",
    tag="Prices",
    query=PriceLookupQuery,
    answer=PriceOut,
    errors=(404,),
)
LIST_UNPRICED = Operation(
    method="GET",
    path="/v1/prices/unpriced",
    summary="List models whose calls could not be priced",
    tag="Prices",
    query=PageQuery,
    answer=UnpricedModelList,
)
CREATE_REPRICING = Operation(
    method="POST",
    path="/v1/prices/repricings",
    summary="Price stored events again; by default a dry run that shows the difference",
    tag="Prices",
    body=RepricingIn,
    answer=RepricingOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
)
GET_REPRICING = Operation(
    method="GET",
    path="/v1/prices/repricings/{repricing_id:str}",
    summary="Get a repricing: how far it is, and the difference per entity",
    tag="Prices",
    path_params={"repricing_id": _Id},
    answer=RepricingOut,
    errors=(404,),
)


@route(LIST_PRICES)
def list_prices(request: ApiRequest, pricing: PricingService) -> JsonResponse:
    account = principal_of(request, LIST_PRICES).account
    query = query_of(request, PageQuery)
    offset = offset_from(query.cursor, query.offset)
    return answer(pricing.list_overrides(account, query.limit, offset))


@route(CREATE_PRICE)
def create_price(request: ApiRequest, body: bytes, pricing: PricingService) -> JsonResponse:
    account = principal_of(request, CREATE_PRICE).account
    wanted = body_of(request, body, PriceOverrideIn)
    claim = idempotent_request(request.headers.get("idempotency-key"), "POST /v1/prices", body)
    return created(pricing.create_override_once(account, wanted, claim))


@route(DELETE_PRICE)
def delete_price(request: ApiRequest, price_id: str, pricing: PricingService) -> JsonResponse:
    account = principal_of(request, DELETE_PRICE).account
    pricing.delete_override(account, path_text(price_id, "price_id"))
    return answer(DeletedPrice())


@route(LOOKUP_PRICE)
def lookup_price(request: ApiRequest, pricing: PricingService) -> JsonResponse:
    account = principal_of(request, LOOKUP_PRICE).account
    query = query_of(request, PriceLookupQuery)
    at_us = None if query.at is None else to_us(query.at)
    return answer(pricing.lookup(account, query.provider, query.model, query.service_tier, at_us))


@route(LIST_UNPRICED)
def list_unpriced(request: ApiRequest, pricing: PricingService) -> JsonResponse:
    account = principal_of(request, LIST_UNPRICED).account
    query = query_of(request, PageQuery)
    offset = offset_from(query.cursor, query.offset)
    return answer(pricing.list_unpriced(account, query.limit, offset))


@route(CREATE_REPRICING)
def create_repricing(
    request: ApiRequest,
    body: bytes,
    pricing: PricingService,
    accounts: AccountService,
    worker: Worker,
) -> JsonResponse:
    account = principal_of(request, CREATE_REPRICING).account
    wanted = body_of(request, body, RepricingIn)
    zone = zone_named(accounts.get(account).timezone)
    span = parse_range(wanted.start_date, wanted.end_date, zone)
    claim = idempotent_request(
        request.headers.get("idempotency-key"), "POST /v1/prices/repricings", body
    )
    started = pricing.start_repricing_once(account, wanted, span.start_us, span.end_us, claim)
    worker.nudge()
    return created(started)


@route(GET_REPRICING)
def get_repricing(request: ApiRequest, repricing_id: str, pricing: PricingService) -> JsonResponse:
    account = principal_of(request, GET_REPRICING).account
    return answer(pricing.get_repricing(account, path_text(repricing_id, "repricing_id")))


ROUTES = [
    list_prices,
    create_price,
    delete_price,
    lookup_price,
    list_unpriced,
    create_repricing,
    get_repricing,
]
