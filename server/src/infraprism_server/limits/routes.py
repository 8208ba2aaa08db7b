"""/v1/limits: what entities may spend, where they stand, and who is blocked."""

from __future__ import annotations

from infraprism_server.errors import InvalidRequest
from infraprism_server.http.authentication import SCOPE_INGEST
from infraprism_server.http.fields import check_entity_id
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
from infraprism_server.http.pagination import Pagination, decode_cursor, encode_cursor
from infraprism_server.limits.schemas import (
    BlockedOut,
    BlockedQuery,
    ChangeLimit,
    CreateLimit,
    LimitDeletedOut,
    LimitId,
    LimitList,
    LimitOut,
    LimitStatus,
    ListLimitsQuery,
    StatusQuery,
)
from infraprism_server.limits.service import LimitService
from infraprism_server.limits.store import Position

_TAG = "Limits"
_ONE = "/v1/limits/{limit_id:str}"
_ID = {"limit_id": LimitId}

LIST_LIMITS = Operation(
    method="GET",
    path="/v1/limits",
    summary="List limits with their current period, newest first",
    tag=_TAG,
    query=ListLimitsQuery,
    answer=LimitList,
)
CREATE_LIMIT = Operation(
    method="POST",
    path="/v1/limits",
    summary="Limit what an entity, or each entity of a type, may spend in a period",
    tag=_TAG,
    body=CreateLimit,
    answer=LimitOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
)
GET_STATUS = Operation(
    method="GET",
    path="/v1/limits/status",
    summary="Ask whether an entity may call now; from memory, before every call if you like",
    tag=_TAG,
    query=StatusQuery,
    answer=LimitStatus,
    extra_scopes=(SCOPE_INGEST,),
)
GET_BLOCKED = Operation(
    method="GET",
    path="/v1/limits/blocked",
    summary="List who is blocked, or what changed since you last asked",
    tag=_TAG,
    query=BlockedQuery,
    answer=BlockedOut,
    extra_scopes=(SCOPE_INGEST,),
)
GET_LIMIT = Operation(
    method="GET",
    path=_ONE,
    summary="Get a limit with its current period",
    tag=_TAG,
    path_params=_ID,
    answer=LimitOut,
    errors=(404,),
)
CHANGE_LIMIT = Operation(
    method="PATCH",
    path=_ONE,
    summary="Change a limit; it is looked at again at once",
    tag=_TAG,
    path_params=_ID,
    body=ChangeLimit,
    answer=LimitOut,
    errors=(404, 413, 415),
)
DELETE_LIMIT = Operation(
    method="DELETE",
    path=_ONE,
    summary="Delete a limit; what it blocked is free",
    tag=_TAG,
    path_params=_ID,
    answer=LimitDeletedOut,
    errors=(404,),
)


@route(LIST_LIMITS)
def list_limits(request: ApiRequest, limits: LimitService) -> JsonResponse:
    account = principal_of(request, LIST_LIMITS).account
    query = query_of(request, ListLimitsQuery)
    check_entity_id(query.entity_id)
    after = None
    if query.cursor is not None:
        if query.offset:
            raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
        after = decode_cursor(query.cursor, Position)
    page = limits.page(
        account,
        query.limit,
        query.offset,
        after,
        entity_type=query.entity_type,
        entity_id=query.entity_id,
    )
    cursor = None if page.next_position is None else encode_cursor(page.next_position)
    pagination = Pagination(page.total, query.limit, query.offset, cursor is not None, cursor)
    return answer(LimitList(page.data, pagination))


@route(CREATE_LIMIT)
def create_limit(request: ApiRequest, body: bytes, limits: LimitService) -> JsonResponse:
    account = principal_of(request, CREATE_LIMIT).account
    new = body_of(request, body, CreateLimit)
    claim = idempotent_request(request.headers.get("idempotency-key"), "POST /v1/limits", body)
    return created(limits.create(account, new, claim))


@route(GET_STATUS)
def get_limit_status(request: ApiRequest, limits: LimitService) -> JsonResponse:
    account = principal_of(request, GET_STATUS).account
    query = query_of(request, StatusQuery)
    return answer(limits.status(account, query.entity_type, query.entity_id))


@route(GET_BLOCKED)
def get_blocked(request: ApiRequest, limits: LimitService) -> JsonResponse:
    account = principal_of(request, GET_BLOCKED).account
    since = query_of(request, BlockedQuery).since
    return answer(limits.blocked_since(account, since))


@route(GET_LIMIT)
def get_limit(request: ApiRequest, limit_id: str, limits: LimitService) -> JsonResponse:
    account = principal_of(request, GET_LIMIT).account
    return answer(limits.get(account, path_text(limit_id, "limit_id")))


@route(CHANGE_LIMIT)
def change_limit(
    request: ApiRequest, limit_id: str, body: bytes, limits: LimitService
) -> JsonResponse:
    account = principal_of(request, CHANGE_LIMIT).account
    change = body_of(request, body, ChangeLimit)
    return answer(limits.change(account, path_text(limit_id, "limit_id"), change))


@route(DELETE_LIMIT)
def delete_limit(request: ApiRequest, limit_id: str, limits: LimitService) -> JsonResponse:
    account = principal_of(request, DELETE_LIMIT).account
    limits.delete(account, path_text(limit_id, "limit_id"))
    return answer(LimitDeletedOut())


ROUTES = [
    list_limits,
    create_limit,
    get_limit_status,
    get_blocked,
    get_limit,
    change_limit,
    delete_limit,
]
