"""/v1/sdk: what the SDKs say became of the calls they saw."""

from __future__ import annotations

from infraprism_server.http.authentication import SCOPE_INGEST
from infraprism_server.http.idempotency import idempotent_request
from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    body_of,
    created,
    principal_of,
    query_of,
    route,
)
from infraprism_server.sdk_reports.schemas import (
    SdkHealth,
    SdkHealthQuery,
    SdkReport,
    SdkReportOut,
    health_out,
)
from infraprism_server.sdk_reports.service import SdkReportService

_TAG = "SDK"

POST_REPORT = Operation(
    method="POST",
    path="/v1/sdk/reports",
    summary="Report how many events were queued, sent, and dropped and why",
    tag=_TAG,
    body=SdkReport,
    answer=SdkReportOut,
    status=201,
    extra_scopes=(SCOPE_INGEST,),
    errors=(409, 413, 415),
    idempotent=True,
)
GET_HEALTH = Operation(
    method="GET",
    path="/v1/sdk/health",
    summary="Sum up what the SDKs reported, by version and by day",
    tag=_TAG,
    query=SdkHealthQuery,
    answer=SdkHealth,
)


@route(POST_REPORT)
def post_sdk_report(
    request: ApiRequest, body: bytes, sdk_reports: SdkReportService
) -> JsonResponse:
    account = principal_of(request, POST_REPORT).account
    report = body_of(request, body, SdkReport)
    claim = idempotent_request(request.headers.get("idempotency-key"), "POST /v1/sdk/reports", body)
    return created(sdk_reports.take(account, report, claim))


@route(GET_HEALTH)
def get_sdk_health(request: ApiRequest, sdk_reports: SdkReportService) -> JsonResponse:
    account = principal_of(request, GET_HEALTH).account
    query = query_of(request, SdkHealthQuery)
    return answer(health_out(sdk_reports.health(account, query.days)))


ROUTES = [post_sdk_report, get_sdk_health]
