"""The closed vocabulary of what can go wrong; http/error_body.py alone turns it into responses.

An error's message is written for the person who reads it in a terminal or an API answer: it
names what was wrong and, where that is known, what to do. It never holds SQL, a path of the
server, a key or another account's text.
"""

from __future__ import annotations


class InfraPrismError(Exception):
    """Anything this program raises on purpose. `param` is the field at fault, or None."""

    code = "internal_error"
    status = 500

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidRequest(InfraPrismError):
    """The request itself is wrong; `param` names the parameter or the path inside the body."""

    code = "invalid_request"
    status = 400


class Unauthorized(InfraPrismError):
    """No key, or not one of ours: the same answer for every reason."""

    code = "unauthorized"
    status = 401


class Forbidden(InfraPrismError):
    """A good key whose scopes do not cover the route."""

    code = "forbidden"
    status = 403


class NotFound(InfraPrismError):
    """No such object for this account, whether or not another account has it."""

    code = "not_found"
    status = 404


class MethodNotAllowed(InfraPrismError):
    """The path exists, the method does not; `allow` lists those that do."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, message: str, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class Conflict(InfraPrismError):
    """The request is fine but contradicts what is stored."""

    code = "conflict"
    status = 409


class PayloadTooLarge(InfraPrismError):
    """The body is larger than the route takes, before or after decompression."""

    code = "payload_too_large"
    status = 413


class UnsupportedMediaType(InfraPrismError):
    """A content type or encoding the route does not read."""

    code = "unsupported_media_type"
    status = 415


class RateLimited(InfraPrismError):
    """Too many requests; `retry_after_seconds` says when the next one is welcome."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(InfraPrismError):
    """Not now, but maybe soon: a full disk, a full queue, a store that is closing."""

    code = "unavailable"
    status = 503

    def __init__(self, message: str, retry_after_seconds: int = 1) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StartupError(InfraPrismError):
    """The program can not start; the message is one line and says what to do."""
