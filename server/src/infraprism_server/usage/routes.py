"""GET /v1/usage."""

from __future__ import annotations

from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    principal_of,
    query_of,
    route,
)
from infraprism_server.http.pagination import offset_from, page_of
from infraprism_server.usage.interval import iso_in_zone
from infraprism_server.usage.schemas import (
    UsageOut,
    UsageQueryIn,
    UsageRowOut,
    sums_fields,
    sums_out,
)
from infraprism_server.usage.service import UsageService

GET_USAGE = Operation(
    method="GET",
    path="/v1/usage",
    summary="Sum cost and tokens by group and interval",
    tag="Usage",
    query=UsageQueryIn,
    answer=UsageOut,
    example="get_usage",
)


@route(GET_USAGE)
def get_usage(request: ApiRequest, usage: UsageService) -> JsonResponse:
    account = principal_of(request, GET_USAGE).account
    query = query_of(request, UsageQueryIn)
    offset = offset_from(query.cursor, query.offset)
    result = usage.sum(account, query, offset)
    rows = [
        UsageRowOut(
            start=iso_in_zone(result.bounds_us[row.bucket], result.zone),
            end=iso_in_zone(result.bounds_us[row.bucket + 1], result.zone),
            group=(
                None if row.group is None else dict(zip(result.group_by, row.group, strict=True))
            ),
            other=row.group is None,
            **sums_fields(row.sums),
        )
        for row in result.page.rows
    ]
    pagination = page_of(result.page.total, query.limit, offset, len(rows))
    return answer(UsageOut(rows, sums_out(result.page.totals), pagination))


ROUTES = [get_usage]
