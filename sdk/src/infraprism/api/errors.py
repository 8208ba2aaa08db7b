"""What the API answers when it is not a success: a class for each code of its vocabulary."""

from __future__ import annotations

from typing import Any


class InfraPrismError(Exception):
    """Anything the API client raises."""


class ConnectionFailed(InfraPrismError):
    """No answer came, after all retries."""


class ExportFailed(InfraPrismError):
    """The server could not make the file; its text says why."""


class ExportGone(InfraPrismError):
    """The export's file has expired or was removed."""


class DownloadFailed(InfraPrismError):
    """The file did not arrive whole, after all retries."""


class APIError(InfraPrismError):
    """An answer with an error body. `param` names the parameter or body path at fault."""

    code = "unknown"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code or type(self).code
        self.param = param
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(APIError):
    """A parameter or a field is wrong."""

    code = "invalid_request"


class Unauthorized(APIError):
    """The key is missing, malformed, unknown, expired or deleted."""

    code = "unauthorized"


class Forbidden(APIError):
    """The key's scopes do not cover this."""

    code = "forbidden"


class NotFound(APIError):
    """There is no such object in this account."""

    code = "not_found"


class MethodNotAllowed(APIError):
    """The path does not take this method."""

    code = "method_not_allowed"


class Conflict(APIError):
    """The object is there already, or an idempotency key was used for something else."""

    code = "conflict"


class PayloadTooLarge(APIError):
    """The body is larger than the server takes."""

    code = "payload_too_large"


class UnsupportedMediaType(APIError):
    """The body's type or encoding is not one the server takes."""

    code = "unsupported_media_type"


class RateLimited(APIError):
    """Too many requests; `retry_after_seconds` says when the next one is taken."""

    code = "rate_limited"


class InternalError(APIError):
    """The server failed; its log has `request_id`."""

    code = "internal_error"


class Unavailable(APIError):
    """The server can not answer now; try later."""

    code = "unavailable"


_CLASSES = {kind.code: kind for kind in APIError.__subclasses__()}
_BY_STATUS = {400: InvalidRequest, 401: Unauthorized, 403: Forbidden, 404: NotFound}


def error_from(status: int, body: Any, headers: Any) -> APIError:  # noqa: ANN401 - JSON, headers
    """The exception for an answer; by its status where the body is not the API's."""
    detail = body.get("error") if isinstance(body, dict) else None
    detail = detail if isinstance(detail, dict) else {}
    code = detail.get("code")
    fallback = _BY_STATUS.get(status, InternalError if status >= 500 else APIError)
    kind = _CLASSES.get(str(code), fallback)
    try:
        wait = float(headers.get("Retry-After") or "")
    except ValueError:
        wait = None
    return kind(
        str(detail.get("message") or f"HTTP {status}"),
        status=status,
        code=str(code) if code else None,
        param=detail.get("param"),
        request_id=headers.get("X-Request-Id"),
        retry_after_seconds=wait,
    )
