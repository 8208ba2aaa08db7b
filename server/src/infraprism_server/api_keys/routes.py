"""GET and POST /v1/api-keys, DELETE /v1/api-keys/{key_id}."""

from __future__ import annotations

from infraprism_server.api_keys.schemas import (
    CreatedKeyOut,
    CreateKey,
    DeletedOut,
    KeyId,
    KeyList,
    ListKeysQuery,
)
from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.api_keys.store import KeyPosition
from infraprism_server.errors import InvalidRequest
from infraprism_server.http.idempotency import idempotent_request
from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    body_of,
    path_text,
    principal_of,
    query_of,
    route,
)
from infraprism_server.http.pagination import Pagination, decode_cursor, encode_cursor

LIST_KEYS = Operation(
    method="GET",
    path="/v1/api-keys",
    summary="List API keys, newest first",
    tag="API keys",
    query=ListKeysQuery,
    answer=KeyList,
    example="list_api_keys",
)
CREATE_KEY = Operation(
    method="POST",
    path="/v1/api-keys",
    summary="Create an API key; its text is shown this once",
    tag="API keys",
    body=CreateKey,
    answer=CreatedKeyOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
    example="create_api_key",
)
DELETE_KEY = Operation(
    method="DELETE",
    path="/v1/api-keys/{key_id:str}",
    summary="Delete an API key; it stops within a second",
    tag="API keys",
    path_params={"key_id": KeyId},
    answer=DeletedOut,
    errors=(404,),
    example="delete_api_key",
)


@route(LIST_KEYS)
def list_api_keys(request: ApiRequest, api_keys: ApiKeyService) -> JsonResponse:
    account = principal_of(request, LIST_KEYS).account
    query = query_of(request, ListKeysQuery)
    after = None
    if query.cursor is not None:
        if query.offset:
            raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
        after = decode_cursor(query.cursor, KeyPosition)
    page = api_keys.page(account, query.limit, query.offset, after)
    cursor = None if page.next_position is None else encode_cursor(page.next_position)
    pagination = Pagination(page.total, query.limit, query.offset, cursor is not None, cursor)
    return answer(KeyList(page.keys, pagination))


@route(CREATE_KEY)
def create_api_key(request: ApiRequest, body: bytes, api_keys: ApiKeyService) -> JsonResponse:
    account = principal_of(request, CREATE_KEY).account
    new = body_of(request, body, CreateKey)
    claim = idempotent_request(request.headers.get("idempotency-key"), "POST /v1/api-keys", body)
    return answer(api_keys.create(account, new, claim), CREATE_KEY.status)


@route(DELETE_KEY)
def delete_api_key(request: ApiRequest, key_id: str, api_keys: ApiKeyService) -> JsonResponse:
    account = principal_of(request, DELETE_KEY).account
    api_keys.delete(account, path_text(key_id, "key_id"))
    return answer(DeletedOut())


ROUTES = [list_api_keys, create_api_key, delete_api_key]
