"""What every page stands in: who visits, what a page answers with, its headers, its errors.

A page is a function of a `Visit`; `page` and `action` make a route of it. Services are called
directly, never over HTTP, and nothing here knows what a page shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from infraprism_server.accounts.account import Account
from infraprism_server.accounts.service import AccountService
from infraprism_server.anomalies.service import AnomalyService
from infraprism_server.api_keys.service import ApiKeyService
from infraprism_server.background.worker import Worker
from infraprism_server.clock import Clock
from infraprism_server.dashboard.origin import check_same_origin, check_token
from infraprism_server.dashboard.recent import Recent
from infraprism_server.dashboard.render import link, render
from infraprism_server.dashboard.service import SignInService
from infraprism_server.dashboard.session import COOKIE, Session
from infraprism_server.entities.service import EntityService
from infraprism_server.errors import InfraPrismError, InvalidRequest, PayloadTooLarge
from infraprism_server.events.service import EventService
from infraprism_server.exports.service import ExportService
from infraprism_server.http.error_body import error_from, error_headers
from infraprism_server.http.idempotency import IdempotentRequest, idempotent_request
from infraprism_server.http.operation import ApiRequest, in_thread, path_text
from infraprism_server.http.rate_limit import RateLimiter
from infraprism_server.limits.service import LimitService
from infraprism_server.pricing.service import PricingService
from infraprism_server.sdk_reports.service import SdkReportService
from infraprism_server.usage.service import UsageService
from infraprism_server.webhooks.service import WebhookService

MAX_FORM_BYTES = 65_536
MAX_FORM_FIELDS = 200
POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    # With no-referrer a browser sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Cookie",
}


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """Every service that pages call."""

    sign_in: SignInService
    accounts: AccountService
    api_keys: ApiKeyService
    events: EventService
    usage: UsageService
    entities: EntityService
    pricing: PricingService
    exports: ExportService
    webhooks: WebhookService
    sdk_reports: SdkReportService
    limits: LimitService
    anomalies: AnomalyService
    worker: Worker
    limiter: RateLimiter
    clock: Clock
    recent: Recent
    public_url: str | None


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One signed-in request for a page. `form` is empty unless it is a POST."""

    request: ApiRequest
    dashboard: Dashboard
    session: Session
    account: Account
    now_us: int
    form: dict[str, list[str]] = {}

    @property
    def zone(self) -> ZoneInfo:
        """The account's time zone."""
        return ZoneInfo(self.account.timezone)

    def path(self, name: str) -> str:
        """A parameter of the path as text."""
        return path_text(str(self.request.path_params[name]), name)

    def query(self, name: str, default: str = "") -> str:
        """The last value of a parameter of the address."""
        return str(self.request.query_params.get(name, default))

    def queries(self, name: str) -> list[str]:
        """Every value of a parameter that may be repeated, empty ones left out."""
        return [value for value in self.request.query_params.getall(name, []) if value]

    def field(self, name: str, default: str = "") -> str:
        """The last value of a form field, without blanks around it."""
        return (self.form.get(name) or [default])[-1].strip()

    def fields(self, name: str) -> list[str]:
        """Every value of a form field, such as of checkboxes."""
        return self.form.get(name, [])

    def once(self, route: str) -> IdempotentRequest | None:
        """The form as a claim: sent twice, by a double click or a reload, it makes one thing."""
        kept = {name: each for name, each in self.form.items() if name not in ("csrf", "once")}
        return idempotent_request(self.field("once") or None, route, msgspec.json.encode(kept))

    @property
    def is_partial(self) -> bool:
        """Whether htmx asks, for a part of the page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def base_url(self) -> str:
        """Where users reach this server, without a slash at the end."""
        if self.dashboard.public_url is not None:
            return self.dashboard.public_url
        return f"{self.request.scope['scheme']}://{self.request.headers.get('host', '127.0.0.1')}"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """HTML to answer with: a template and what it shows."""

    template: str
    context: dict[str, Any] = {}
    status: int = 200
    headers: dict[str, str] = {}


class Go(msgspec.Struct, frozen=True):
    """An answer to a form: look at another page (303), with a notice from NOTICES over it."""

    path: str
    notice: str | None = None


class Download(msgspec.Struct, frozen=True):
    """A file to keep."""

    name: str
    media_type: str
    content: bytes


Answer = Page | Go | Download
PageFunction = Callable[[Visit], Answer]

NOTICES = {
    "saved": "Saved.",
    "created": "Created.",
    "deleted": "Deleted.",
    "sent": "Sent.",
    "marked": "Marked.",
    "started": "Started.",
    "priced": "The price is set. Calls that are stored keep their cost until you price them again.",
}
"""What a page may be asked to say by `?notice=`: only these, so no link can put words in it."""


def page(path: str) -> Callable[[PageFunction], HTTPRouteHandler]:
    """Make a GET route of a function; who is not signed in is sent to sign in."""

    def decorate(function: PageFunction) -> HTTPRouteHandler:
        def show(request: ApiRequest, dashboard: Dashboard) -> Response[bytes]:
            visit = _visit(request, dashboard)
            if visit is None:
                return _to_sign_in(request)
            return _answered(visit, lambda: function(visit))

        return HTTPRouteHandler(path, http_method="GET", name=f"page {path}")(in_thread(show))

    return decorate


def action(path: str) -> Callable[[PageFunction], HTTPRouteHandler]:
    """Make a POST route of a function; Origin, Sec-Fetch-Site and the form's token are checked."""

    def decorate(function: PageFunction) -> HTTPRouteHandler:
        def act(request: ApiRequest, body: bytes, dashboard: Dashboard) -> Response[bytes]:
            visit = _visit(request, dashboard)
            if visit is None:
                return _to_sign_in(request)

            def run() -> Answer:
                check_same_origin(request.headers)
                posted = msgspec.structs.replace(visit, form=parse_form(body))
                check_token(posted.field("csrf"), visit.session.csrf)
                return function(posted)

            return _answered(visit, run)

        handler = HTTPRouteHandler(
            path,
            http_method="POST",
            status_code=200,
            request_max_body_size=MAX_FORM_BYTES,
            name=f"action {path}",
        )
        return handler(in_thread(act))

    return decorate


def parse_form(body: bytes) -> dict[str, list[str]]:
    """The fields of a urlencoded form. InvalidRequest when it is none."""
    if len(body) > MAX_FORM_BYTES:
        raise PayloadTooLarge("The form is too large")
    form: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MAX_FORM_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise InvalidRequest("The form could not be read") from None
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    return form


def html(template: str, context: dict[str, Any], status: int = 200) -> Response[bytes]:
    """A page with the headers that all pages have."""
    return Response(
        render(template, context).encode(),
        status_code=status,
        media_type="text/html",
        headers=PAGE_HEADERS,
    )


def redirect(path: str, *, partial: bool = False) -> Response[bytes]:
    """See another page. htmx follows a header, a browser a 303."""
    headers = {**PAGE_HEADERS, **({"HX-Redirect": path} if partial else {"Location": path})}
    return Response(
        b"", status_code=200 if partial else 303, media_type="text/plain", headers=headers
    )


def error_page(request: ApiRequest, error: InfraPrismError) -> Response[bytes]:
    """An error for people, in a page of its own that needs no session."""
    return _error_response(html("error.html", _told(request, error), error.status), error)


def _trouble(visit: Visit, error: InfraPrismError) -> Response[bytes]:
    """An error for who is signed in: the page stays, with its navigation and a way back."""
    path = str(visit.request.scope["path"])
    context = _shown(
        visit, {**_told(visit.request, error), "back": path if error.status != 404 else "/"}
    )
    return _error_response(html("trouble.html", context, error.status), error)


def _told(request: ApiRequest, error: InfraPrismError) -> dict[str, Any]:
    return {
        "error": error,
        "title": _ERROR_TITLES.get(error.status, "Something went wrong"),
        "request_id": request.scope["infraprism_request_id"],  # type: ignore[typeddict-item]
    }


def _error_response(response: Response[bytes], error: InfraPrismError) -> Response[bytes]:
    for name, value in error_headers(error):
        response.headers[name.decode()] = value.decode()
    return response


def wants_page(request: ApiRequest) -> bool:
    """Whether a browser asks for something that is not the API's."""
    path = str(request.scope["path"])
    return not path.startswith("/v1/") and "text/html" in request.headers.get("accept", "")


_ERROR_TITLES = {
    400: "That does not work",
    403: "Not allowed",
    404: "Nothing here",
    405: "That does not work",
    409: "That contradicts what is stored",
    429: "Too fast",
    503: "Not right now",
}


def _visit(request: ApiRequest, dashboard: Dashboard) -> Visit | None:
    session = dashboard.sign_in.find(request.cookies.get(COOKIE))
    if session is None:
        return None
    return Visit(
        request=request,
        dashboard=dashboard,
        session=session,
        account=dashboard.accounts.get(session.account),
        now_us=dashboard.clock.now_us(),
    )


def _to_sign_in(request: ApiRequest) -> Response[bytes]:
    partial = request.headers.get("hx-request") == "true"
    query = request.scope["query_string"].decode("latin-1")
    wanted = str(request.scope["path"]) + (f"?{query}" if query else "")
    back = wanted if request.method == "GET" and wanted != "/" and not partial else None
    return redirect(link("/sign-in", next=back), partial=partial)


def _answered(visit: Visit, run: Callable[[], Answer]) -> Response[bytes]:
    try:
        answer = run()
        match answer:
            case Go():
                path = answer.path
                if answer.notice is not None:
                    path += ("&" if "?" in path else "?") + f"notice={answer.notice}"
                return redirect(path, partial=visit.is_partial)
            case Download():
                return _download(answer)
        response = html(answer.template, _shown(visit, answer.context), answer.status)
        response.headers.update(answer.headers)
    except Exception as exception:  # noqa: BLE001 - told to the person, logged by error_from
        request_id = str(visit.request.scope["infraprism_request_id"])  # type: ignore[typeddict-item]
        return _trouble(visit, error_from(exception, request_id))
    return response


def _shown(visit: Visit, context: dict[str, Any]) -> dict[str, Any]:
    """What layout.html knows on every page, and the page's own."""
    return {
        "visit": visit,
        "account": visit.account,
        "csrf": visit.session.csrf,
        "now_us": visit.now_us,
        "zone": visit.zone,
        "notice": NOTICES.get(visit.query("notice")),
        **context,
    }


def _download(answer: Download) -> Response[bytes]:
    headers = {
        **PAGE_HEADERS,
        "Content-Disposition": f'attachment; filename="{answer.name}"',
    }
    return Response(answer.content, media_type=answer.media_type, headers=headers)
