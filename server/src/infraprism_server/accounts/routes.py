"""GET and PATCH /v1/me."""

from __future__ import annotations

from infraprism_server.accounts.schemas import MeOut, PatchMe, me_out
from infraprism_server.accounts.service import AccountService
from infraprism_server.http.authentication import SCOPE_INGEST
from infraprism_server.http.operation import (
    ApiRequest,
    JsonResponse,
    Operation,
    answer,
    body_of,
    principal_of,
    route,
)

GET_ME = Operation(
    method="GET",
    path="/v1/me",
    summary="Get the current account",
    tag="Account",
    answer=MeOut,
    extra_scopes=(SCOPE_INGEST,),
    example="get_me",
)
PATCH_ME = Operation(
    method="PATCH",
    path="/v1/me",
    summary="Change name, company, time zone or retention",
    tag="Account",
    body=PatchMe,
    answer=MeOut,
    errors=(413, 415),
)


@route(GET_ME)
def get_me(request: ApiRequest, accounts: AccountService) -> JsonResponse:
    principal = principal_of(request, GET_ME)
    return answer(me_out(accounts.get(principal.account)))


@route(PATCH_ME)
def patch_me(request: ApiRequest, body: bytes, accounts: AccountService) -> JsonResponse:
    principal = principal_of(request, PATCH_ME)
    return answer(me_out(accounts.patch(principal.account, body_of(request, body, PatchMe))))


ROUTES = [get_me, patch_me]
