"""/v1/exports, and the link that a finished export is fetched by."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

from anyio import AsyncFile, open_file, to_thread
from litestar import get
from litestar.response import Stream

from infraprism_server.errors import InvalidRequest, NotFound
from infraprism_server.exports.link import PATH_PREFIX
from infraprism_server.exports.schemas import (
    MEDIA_TYPES,
    CreateExport,
    ExportDeletedOut,
    ExportId,
    ExportList,
    ExportOut,
    ListExportsQuery,
)
from infraprism_server.exports.service import ExportService
from infraprism_server.exports.store import Position
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

_TAG = "Exports"
_ONE = "/v1/exports/{export_id:str}"
_ID = {"export_id": ExportId}
_CHUNK_BYTES = 256 * 1024

CREATE_EXPORT = Operation(
    method="POST",
    path="/v1/exports",
    summary="Export events to a file",
    tag=_TAG,
    body=CreateExport,
    answer=ExportOut,
    status=201,
    errors=(409, 413, 415),
    idempotent=True,
)
LIST_EXPORTS = Operation(
    method="GET",
    path="/v1/exports",
    summary="List exports, newest first",
    tag=_TAG,
    query=ListExportsQuery,
    answer=ExportList,
)
GET_EXPORT = Operation(
    method="GET",
    path=_ONE,
    summary="Get an export: how far it is, and its link",
    tag=_TAG,
    path_params=_ID,
    answer=ExportOut,
    errors=(404,),
)
DELETE_EXPORT = Operation(
    method="DELETE",
    path=_ONE,
    summary="Cancel an export, or remove it with its file",
    tag=_TAG,
    path_params=_ID,
    answer=ExportDeletedOut,
    errors=(404,),
)


@route(CREATE_EXPORT)
def create_export(request: ApiRequest, body: bytes, exports: ExportService) -> JsonResponse:
    account = principal_of(request, CREATE_EXPORT).account
    new = body_of(request, body, CreateExport)
    claim = idempotent_request(request.headers.get("idempotency-key"), "POST /v1/exports", body)
    return created(exports.create(account, new, _own_address(request), claim))


@route(LIST_EXPORTS)
def list_exports(request: ApiRequest, exports: ExportService) -> JsonResponse:
    account = principal_of(request, LIST_EXPORTS).account
    query = query_of(request, ListExportsQuery)
    after = None
    if query.cursor is not None:
        if query.offset:
            raise InvalidRequest("Give 'cursor' or 'offset', not both", "offset")
        after = decode_cursor(query.cursor, Position)
    page = exports.page(account, query.limit, query.offset, after)
    cursor = None if page.next_position is None else encode_cursor(page.next_position)
    pagination = Pagination(page.total, query.limit, query.offset, cursor is not None, cursor)
    return answer(ExportList(page.data, pagination))


@route(GET_EXPORT)
def get_export(request: ApiRequest, export_id: str, exports: ExportService) -> JsonResponse:
    account = principal_of(request, GET_EXPORT).account
    return answer(exports.get(account, path_text(export_id, "export_id")))


@route(DELETE_EXPORT)
def delete_export(request: ApiRequest, export_id: str, exports: ExportService) -> JsonResponse:
    account = principal_of(request, DELETE_EXPORT).account
    exports.delete(account, path_text(export_id, "export_id"))
    return answer(ExportDeletedOut())


@get(PATH_PREFIX + "{export_id:str}")
async def download(request: ApiRequest, export_id: str, exports: ExportService) -> Stream:
    """The file of a signed link; no key is asked for."""
    query: bytes = request.scope["query_string"]
    path = request.scope["raw_path"].decode("latin-1")  # Litestar tidies the other one
    file, file_format = await to_thread.run_sync(exports.file_of, export_id, path, query)
    # Opened here: what is removed from now on is still sent whole.
    opened = await _open(file)
    size = os.fstat(opened.wrapped.fileno()).st_size
    return Stream(
        _chunks(opened),
        media_type=MEDIA_TYPES[file_format],
        headers={
            # With its length, a download that was cut off is noticed.
            "Content-Length": str(size),
            "Content-Disposition": f'attachment; filename="{export_id}.{file_format}"',
            "Cache-Control": "private, no-store",
        },
    )


async def _open(file: Path) -> AsyncFile[bytes]:
    try:
        return await open_file(file, "rb")
    except FileNotFoundError:
        raise NotFound("This export was removed") from None


async def _chunks(opened: AsyncFile[bytes]) -> AsyncIterator[bytes]:
    async with opened:
        while chunk := await opened.read(_CHUNK_BYTES):
            yield chunk


def _own_address(request: ApiRequest) -> str:
    """How the caller reaches this server; the gateway has checked the Host header."""
    return f"{request.scope['scheme']}://{request.headers.get('host', '')}"


ROUTES = [create_export, list_exports, get_export, delete_export]
OPEN_ROUTES = [download]
"""Routes that ask for no key."""
