"""/v1/webhooks: endpoints, their secrets, tests, deliveries and sending again."""

from __future__ import annotations

from infraprism_server.errors import InvalidRequest
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
from infraprism_server.webhooks.schemas import (
    ChangeWebhook,
    CreateWebhook,
    DeliveryId,
    DeliveryList,
    DeliveryOut,
    ListQuery,
    SecretOut,
    WebhookDeletedOut,
    WebhookId,
    WebhookList,
    WebhookOut,
)
from infraprism_server.webhooks.service import WebhookService
from infraprism_server.webhooks.store import Position

_TAG = "Webhooks"
_ONE = "/v1/webhooks/{webhook_id:str}"
_ID = {"webhook_id": WebhookId}

LIST_WEBHOOKS = Operation(
    method="GET",
    path="/v1/webhooks",
    summary="List webhooks, newest first",
    tag=_TAG,
    query=ListQuery,
    answer=WebhookList,
)
CREATE_WEBHOOK = Operation(
    method="POST",
    path="/v1/webhooks",
    summary="Create a webhook; its secret is shown this once",
    tag=_TAG,
    body=CreateWebhook,
    answer=SecretOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
)
GET_WEBHOOK = Operation(
    method="GET",
    path=_ONE,
    summary="Get a webhook",
    tag=_TAG,
    path_params=_ID,
    answer=WebhookOut,
    errors=(404,),
)
CHANGE_WEBHOOK = Operation(
    method="PATCH",
    path=_ONE,
    summary="Change a webhook's URL or events, enable or disable it",
    tag=_TAG,
    path_params=_ID,
    body=ChangeWebhook,
    answer=WebhookOut,
    errors=(404, 413, 415),
)
DELETE_WEBHOOK = Operation(
    method="DELETE",
    path=_ONE,
    summary="Delete a webhook and its deliveries",
    tag=_TAG,
    path_params=_ID,
    answer=WebhookDeletedOut,
    errors=(404,),
)
TEST_WEBHOOK = Operation(
    method="POST",
    path=f"{_ONE}/test",
    summary="Send a webhook.test to this webhook",
    tag=_TAG,
    path_params=_ID,
    answer=DeliveryOut,
    status=201,
    errors=(404, 409, 413),
    idempotent=True,
)
ROTATE_SECRET = Operation(
    method="POST",
    path=f"{_ONE}/rotate-secret",
    summary="Make a new secret; the former one signs as well for 24 hours",
    tag=_TAG,
    path_params=_ID,
    answer=SecretOut,
    errors=(404, 413),
)
LIST_DELIVERIES = Operation(
    method="GET",
    path=f"{_ONE}/deliveries",
    summary="List a webhook's deliveries with their attempts, newest first",
    tag=_TAG,
    path_params=_ID,
    query=ListQuery,
    answer=DeliveryList,
    errors=(404,),
)
REDELIVER = Operation(
    method="POST",
    path=f"{_ONE}/deliveries/{{delivery_id:str}}/redeliver",
    summary="Send a delivery again, with the same message id",
    tag=_TAG,
    path_params={**_ID, "delivery_id": DeliveryId},
    answer=DeliveryOut,
    errors=(404, 409, 413),
)


@route(LIST_WEBHOOKS)
def list_webhooks(request: ApiRequest, webhooks: WebhookService) -> JsonResponse:
    account = principal_of(request, LIST_WEBHOOKS).account
    query = query_of(request, ListQuery)
    page = webhooks.page(account, query.limit, query.offset, _after(query))
    return answer(WebhookList(page.data, _pagination(query, page.total, page.next_position)))


@route(CREATE_WEBHOOK)
def create_webhook(request: ApiRequest, body: bytes, webhooks: WebhookService) -> JsonResponse:
    account = principal_of(request, CREATE_WEBHOOK).account
    new = body_of(request, body, CreateWebhook)
    claim = idempotent_request(request.headers.get("idempotency-key"), "POST /v1/webhooks", body)
    return answer(webhooks.create(account, new, claim), CREATE_WEBHOOK.status)


@route(GET_WEBHOOK)
def get_webhook(request: ApiRequest, webhook_id: str, webhooks: WebhookService) -> JsonResponse:
    account = principal_of(request, GET_WEBHOOK).account
    return answer(webhooks.get(account, path_text(webhook_id, "webhook_id")))


@route(CHANGE_WEBHOOK)
def change_webhook(
    request: ApiRequest, webhook_id: str, body: bytes, webhooks: WebhookService
) -> JsonResponse:
    account = principal_of(request, CHANGE_WEBHOOK).account
    change = body_of(request, body, ChangeWebhook)
    return answer(webhooks.change(account, path_text(webhook_id, "webhook_id"), change))


@route(DELETE_WEBHOOK)
def delete_webhook(request: ApiRequest, webhook_id: str, webhooks: WebhookService) -> JsonResponse:
    account = principal_of(request, DELETE_WEBHOOK).account
    webhooks.delete(account, path_text(webhook_id, "webhook_id"))
    return answer(WebhookDeletedOut())


@route(TEST_WEBHOOK)
def test_webhook(
    request: ApiRequest, webhook_id: str, body: bytes, webhooks: WebhookService
) -> JsonResponse:
    account = principal_of(request, TEST_WEBHOOK).account
    _check_empty(body)
    webhook = path_text(webhook_id, "webhook_id")
    claim = idempotent_request(
        request.headers.get("idempotency-key"), f"POST /v1/webhooks/{webhook}/test", body
    )
    return created(webhooks.test(account, webhook, claim))


@route(ROTATE_SECRET)
def rotate_secret(
    request: ApiRequest, webhook_id: str, body: bytes, webhooks: WebhookService
) -> JsonResponse:
    account = principal_of(request, ROTATE_SECRET).account
    _check_empty(body)
    return answer(webhooks.rotate_secret(account, path_text(webhook_id, "webhook_id")))


@route(LIST_DELIVERIES)
def list_deliveries(request: ApiRequest, webhook_id: str, webhooks: WebhookService) -> JsonResponse:
    account = principal_of(request, LIST_DELIVERIES).account
    query = query_of(request, ListQuery)
    webhook = path_text(webhook_id, "webhook_id")
    page = webhooks.delivery_page(account, webhook, query.limit, query.offset, _after(query))
    return answer(DeliveryList(page.data, _pagination(query, page.total, page.next_position)))


@route(REDELIVER)
def redeliver(
    request: ApiRequest,
    webhook_id: str,
    delivery_id: str,
    body: bytes,
    webhooks: WebhookService,
) -> JsonResponse:
    account = principal_of(request, REDELIVER).account
    _check_empty(body)
    webhook = path_text(webhook_id, "webhook_id")
    return answer(webhooks.redeliver(account, webhook, path_text(delivery_id, "delivery_id")))


def _check_empty(body: bytes) -> None:
    if body.strip() not in (b"", b"{}"):
        raise InvalidRequest("This route takes no body")


def _after(query: ListQuery) -> Position | None:
    if query.cursor is None:
        return None
    if query.offset:
        raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
    return decode_cursor(query.cursor, Position)


def _pagination(query: ListQuery, total: int, next_position: Position | None) -> Pagination:
    cursor = None if next_position is None else encode_cursor(next_position)
    return Pagination(total, query.limit, query.offset, cursor is not None, cursor)


ROUTES = [
    list_webhooks,
    create_webhook,
    get_webhook,
    change_webhook,
    delete_webhook,
    test_webhook,
    rotate_secret,
    list_deliveries,
    redeliver,
]
