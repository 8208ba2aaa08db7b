"""Errors as answers: the one place where an error becomes a status, headers and a body."""

from __future__ import annotations

import msgspec
import structlog
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)

from infraprism_server.errors import (
    InfraPrismError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    Unavailable,
)
from infraprism_server.http.wire import encode

log = structlog.get_logger(__name__)


class ErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong. `param` is the parameter or the path in the body at fault, or null."""

    code: str
    message: str
    param: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every answer that is not a success."""

    error: ErrorDetail


def error_detail(error: InfraPrismError) -> ErrorDetail:
    return ErrorDetail(error.code, error.message, error.param)


def error_from(exception: Exception, request_id: str) -> InfraPrismError:
    """Our error for whatever was raised; what is not ours is logged and becomes internal_error."""
    match exception:
        case InfraPrismError():
            return exception
        case MethodNotAllowedException():
            told = (exception.headers or {}).get("allow", "").split(",")
            allow = ", ".join(sorted({method.strip() for method in told} - {"", "OPTIONS"}))
            return MethodNotAllowed(f"This path takes {allow or 'other methods'}", allow)
        case NotFoundException():
            return NotFound("There is nothing at this path; see /v1/openapi.json")
        case HTTPException() if exception.status_code == 413:
            return PayloadTooLarge("The body is too large")
        case ClientException():
            return InvalidRequest("The request could not be read")
    log.error("request failed", request_id=request_id, exc_info=exception)
    return InfraPrismError(f"Something went wrong on our side; request {request_id} is in the log")


def error_headers(error: InfraPrismError) -> list[tuple[bytes, bytes]]:
    """Headers that belong to an error: WWW-Authenticate, Retry-After, Allow."""
    match error:
        case Unauthorized():
            return [(b"www-authenticate", b"Bearer")]
        case RateLimited() | Unavailable():
            return [(b"retry-after", str(error.retry_after_seconds).encode())]
        case MethodNotAllowed():
            return [(b"allow", error.allow.encode())]
    return []


def error_answer(error: InfraPrismError) -> bytes:
    return encode(ErrorBody(error_detail(error)))
