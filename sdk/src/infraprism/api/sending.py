"""What both clients share: headers, retries, and what an answer means."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from infraprism._version import __version__
from infraprism.api.decoding import parse_json
from infraprism.api.errors import InfraPrismError, error_from
from infraprism.api.requests import Request
from infraprism.settings import Settings

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")

MAX_WAIT_SECONDS = 60.0
_RETRIED = frozenset({429, 500, 502, 503, 504})
_NOT_DONE = frozenset({429, 503})
_NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})


@dataclass(frozen=True, slots=True)
class Wire:
    """How requests of one client go out."""

    root: str
    api_key: str
    max_retries: int

    @classmethod
    def from_arguments(cls, api_key: str | None, base_url: str | None, max_retries: int) -> Wire:
        settings = Settings.from_environment(api_key, base_url)
        if settings.api_key is None:
            raise InfraPrismError("an API key is needed: api_key=… or INFRAPRISM_API_KEY")
        return cls(settings.root, settings.api_key, max_retries)

    def arguments(self, request: Request[Any]) -> dict[str, Any]:
        """Keyword arguments of httpx2; a POST keeps its idempotency key over all retries."""
        headers = {
            "Authorization": f"Bearer {self.api_key}",
            "User-Agent": f"infraprism-python/{__version__}",
        }
        content = request.content
        if content is not None:
            headers["Content-Type"] = "application/json"
        if request.method == "POST" and request.repeatable:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        return {
            "method": request.method,
            "url": self.root + request.path,
            "params": list(request.query),
            "headers": headers,
            "content": content,
        }

    def wait_before(
        self,
        request: Request[Any],
        attempt: int,
        response: httpx2.Response | None,
        problem: Exception | None,
    ) -> float | None:
        """Seconds to wait before another attempt; None when this answer is final.

        What must not be done twice is sent again only when it was surely not done.
        """
        if attempt >= self.max_retries:
            return None
        if response is None:
            if not request.repeatable and type(problem).__name__ not in _NOT_SENT:
                return None
            return random.uniform(0.0, 0.25 * 2.0**attempt)  # noqa: S311 - spreads clients
        if response.status_code not in (_RETRIED if request.repeatable else _NOT_DONE):
            return None
        try:
            asked = float(response.headers.get("Retry-After") or 0)
        except ValueError:
            asked = 0.0
        if asked > MAX_WAIT_SECONDS:
            return None
        return max(0.0, asked) + random.uniform(0.0, 0.25 * 2.0**attempt)  # noqa: S311


def result_of(request: Request[T], response: httpx2.Response, *, repeated: bool) -> T:
    """The typed result of an answer, or the exception it stands for."""
    try:
        body = parse_json(response.content) if response.content else None
    except ValueError:
        body = None
    if repeated and request.method == "DELETE" and response.status_code == 404:
        return request.read(None)  # an attempt before has done it, and its answer was lost
    if not response.is_success or body is None:
        raise error_from(response.status_code, body, response.headers)
    return request.read(body)


def download_problem(response: httpx2.Response) -> str | None:
    """Why a download can not be what was asked for; None when it can."""
    return None if response.status_code == 200 else f"HTTP {response.status_code}"
