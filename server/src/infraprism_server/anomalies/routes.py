"""/v1/anomalies, how they are looked for, and what is planned."""

from __future__ import annotations

from infraprism_server.anomalies.schemas import (
    AnomalyId,
    AnomalyList,
    AnomalyOut,
    AnomalySeries,
    CreatePlanned,
    ListAnomaliesQuery,
    PatchAnomaly,
    PatchSettings,
    PlannedDeletedOut,
    PlannedId,
    PlannedList,
    PlannedOut,
    PlannedQuery,
    SeriesQuery,
    SettingsOut,
)
from infraprism_server.anomalies.service import AnomalyService
from infraprism_server.anomalies.store import Position
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
from infraprism_server.http.pagination import (
    Pagination,
    decode_cursor,
    encode_cursor,
    offset_from,
    page_of,
)

_TAG = "Anomalies"
_ONE = "/v1/anomalies/{anomaly_id:str}"
_ID = {"anomaly_id": AnomalyId}

LIST_ANOMALIES = Operation(
    method="GET",
    path="/v1/anomalies",
    summary="List anomalies, newest first",
    tag=_TAG,
    query=ListAnomaliesQuery,
    answer=AnomalyList,
)
GET_ANOMALY = Operation(
    method="GET",
    path=_ONE,
    summary="Get an anomaly with its reasons",
    tag=_TAG,
    path_params=_ID,
    answer=AnomalyOut,
    errors=(404,),
)
GET_SERIES = Operation(
    method="GET",
    path=f"{_ONE}/series",
    summary="Get the hours around an anomaly with the band they were judged by",
    tag=_TAG,
    path_params=_ID,
    query=SeriesQuery,
    answer=AnomalySeries,
    errors=(404,),
)
PATCH_ANOMALY = Operation(
    method="PATCH",
    path=_ONE,
    summary="Mark an anomaly as expected or resolved, or open it again",
    tag=_TAG,
    path_params=_ID,
    body=PatchAnomaly,
    answer=AnomalyOut,
    errors=(404, 413, 415),
)
GET_SETTINGS = Operation(
    method="GET",
    path="/v1/anomalies/settings",
    summary="Get how anomalies are looked for",
    tag=_TAG,
    answer=SettingsOut,
)
PATCH_SETTINGS = Operation(
    method="PATCH",
    path="/v1/anomalies/settings",
    summary="Change sensitivity, minimum impact, watched types, or snooze",
    tag=_TAG,
    body=PatchSettings,
    answer=SettingsOut,
    errors=(413, 415),
)
LIST_PLANNED = Operation(
    method="GET",
    path="/v1/anomalies/planned",
    summary="List planned activity",
    tag=_TAG,
    query=PlannedQuery,
    answer=PlannedList,
)
CREATE_PLANNED = Operation(
    method="POST",
    path="/v1/anomalies/planned",
    summary="Announce activity, so that it is no anomaly",
    tag=_TAG,
    body=CreatePlanned,
    answer=PlannedOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
)
DELETE_PLANNED = Operation(
    method="DELETE",
    path="/v1/anomalies/planned/{planned_id:str}",
    summary="Remove planned activity",
    tag=_TAG,
    path_params={"planned_id": PlannedId},
    answer=PlannedDeletedOut,
    errors=(404,),
)


@route(LIST_ANOMALIES)
def list_anomalies(request: ApiRequest, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, LIST_ANOMALIES).account
    query = query_of(request, ListAnomaliesQuery)
    after = None
    if query.cursor is not None:
        if query.offset:
            raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
        after = decode_cursor(query.cursor, Position)
    page = anomalies.page(account, query, after)
    cursor = None if page.next_position is None else encode_cursor(page.next_position)
    pagination = Pagination(page.total, query.limit, query.offset, cursor is not None, cursor)
    return answer(AnomalyList(page.data, pagination))


@route(GET_ANOMALY)
def get_anomaly(request: ApiRequest, anomaly_id: str, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, GET_ANOMALY).account
    return answer(anomalies.get(account, path_text(anomaly_id, "anomaly_id")))


@route(GET_SERIES)
def get_series(request: ApiRequest, anomaly_id: str, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, GET_SERIES).account
    around = query_of(request, SeriesQuery)
    wanted = path_text(anomaly_id, "anomaly_id")
    return answer(anomalies.picture(account, wanted, around.hours_before, around.hours_after))


@route(PATCH_ANOMALY)
def patch_anomaly(
    request: ApiRequest, body: bytes, anomaly_id: str, anomalies: AnomalyService
) -> JsonResponse:
    account = principal_of(request, PATCH_ANOMALY).account
    change = body_of(request, body, PatchAnomaly)
    return answer(anomalies.mark(account, path_text(anomaly_id, "anomaly_id"), change.status))


@route(GET_SETTINGS)
def get_settings(request: ApiRequest, anomalies: AnomalyService) -> JsonResponse:
    return answer(anomalies.settings(principal_of(request, GET_SETTINGS).account))


@route(PATCH_SETTINGS)
def patch_settings(request: ApiRequest, body: bytes, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, PATCH_SETTINGS).account
    return answer(anomalies.change_settings(account, body_of(request, body, PatchSettings)))


@route(LIST_PLANNED)
def list_planned(request: ApiRequest, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, LIST_PLANNED).account
    query = query_of(request, PlannedQuery)
    offset = offset_from(query.cursor, query.offset)
    found, total = anomalies.planned(account, query.limit, offset)
    return answer(PlannedList(found, page_of(total, query.limit, offset, len(found))))


@route(CREATE_PLANNED)
def create_planned(request: ApiRequest, body: bytes, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, CREATE_PLANNED).account
    new = body_of(request, body, CreatePlanned)
    key = request.headers.get("idempotency-key")
    claim = idempotent_request(key, "POST /v1/anomalies/planned", body)
    return created(anomalies.plan(account, new, claim))


@route(DELETE_PLANNED)
def delete_planned(request: ApiRequest, planned_id: str, anomalies: AnomalyService) -> JsonResponse:
    account = principal_of(request, DELETE_PLANNED).account
    anomalies.delete_planned(account, path_text(planned_id, "planned_id"))
    return answer(PlannedDeletedOut())


ROUTES = [
    list_anomalies,
    get_anomaly,
    get_series,
    patch_anomaly,
    get_settings,
    patch_settings,
    list_planned,
    create_planned,
    delete_planned,
]
