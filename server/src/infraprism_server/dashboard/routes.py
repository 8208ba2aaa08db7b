"""The dashboard's routes: signing in and out, the files browsers load, and every page."""

from __future__ import annotations

from anyio import to_thread
from litestar import Response
from litestar.handlers import HTTPRouteHandler, get, post

from infraprism_server.dashboard.assets import assets, version
from infraprism_server.dashboard.frame import (
    MAX_FORM_BYTES,
    Dashboard,
    Go,
    Visit,
    action,
    error_page,
    html,
    parse_form,
    redirect,
)
from infraprism_server.dashboard.origin import SAFE_SITES, check_same_origin
from infraprism_server.dashboard.pages import (
    alerts,
    entities,
    entity,
    events,
    explorer,
    exports,
    keys,
    limits,
    overview,
    prices,
    repricing,
    sdk,
    sessions,
    settings,
    webhooks,
)
from infraprism_server.dashboard.session import COOKIE, cookie_header
from infraprism_server.errors import InfraPrismError, NotFound
from infraprism_server.http.operation import ApiRequest, in_thread

MAX_NEXT_CHARS = 8_000
BAD_LINK = "This link was used already, or is too old. Make a new one: infraprism login-link"
BAD_KEY = "This is not an API key with scope full. Check that you pasted all of it."


@get("/sign-in", sync_to_thread=False)
def sign_in_page(request: ApiRequest) -> Response[bytes]:
    return html("sign_in.html", {"next": safe_next(request.query_params.get("next"))})


@post("/sign-in", status_code=200, request_max_body_size=MAX_FORM_BYTES)
async def sign_in_with_key(
    request: ApiRequest, body: bytes, dashboard: Dashboard
) -> Response[bytes]:
    """There is no session yet, so no token: Origin and Sec-Fetch-Site alone vouch for the form."""
    try:
        check_same_origin(request.headers)
        form = parse_form(body)
        key = form.get("key", [""])[-1]
        wanted = safe_next(form.get("next", ["/"])[-1])
        former = request.cookies.get(COOKIE)
        token = await to_thread.run_sync(dashboard.sign_in.sign_in_with_key, key, former)
        if token is None:
            await _count_failure(request, dashboard)
            return html("sign_in.html", {"next": wanted, "problem": BAD_KEY}, 401)
    except InfraPrismError as error:
        return error_page(request, error)
    return _signed_in(request, token, wanted)


@get("/sign-in/link")
async def open_link(request: ApiRequest, dashboard: Dashboard) -> Response[bytes]:
    """Use a link up. Reached from another site it asks first: nobody is signed in by a trick."""
    token = request.query_params.get("token", "")
    if request.headers.get("sec-fetch-site", "none") not in SAFE_SITES:
        return html("sign_in.html", {"next": "/", "token": token})
    return await _redeem(request, dashboard, token)


@post("/sign-in/link", status_code=200, request_max_body_size=MAX_FORM_BYTES)
async def confirm_link(request: ApiRequest, body: bytes, dashboard: Dashboard) -> Response[bytes]:
    try:
        check_same_origin(request.headers)
        token = parse_form(body).get("token", [""])[-1]
    except InfraPrismError as error:
        return error_page(request, error)
    return await _redeem(request, dashboard, token)


@action("/sign-out")
def sign_out(visit: Visit) -> Go:
    visit.dashboard.sign_in.sign_out(visit.request.cookies[COOKIE])
    return Go("/sign-in")


def _static(request: ApiRequest) -> Response[bytes]:
    path = str(request.path_params["path"]).lstrip("/")
    found = assets().get(path)
    if found is None:
        raise NotFound("There is no such file")
    current = request.path_params["asked_version"] == version()
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
        "Vary": "Accept-Encoding",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.gzipped, media_type=found.media_type, headers=headers)
    return Response(found.plain, media_type=found.media_type, headers=headers)


static = HTTPRouteHandler("/static/{asked_version:str}/{path:path}", http_method="GET")(
    in_thread(_static)
)


def safe_next(path: str | None) -> str:
    """A page of ours to go to after signing in; the start page for anything else."""
    if path is None or len(path) > MAX_NEXT_CHARS or not path.startswith("/"):
        return "/"
    # `//host` and `/\host` are other hosts to a browser.
    outside = path.startswith(("//", "/\\")) or any(ord(letter) < 33 for letter in path)
    return "/" if outside or path.startswith("/sign-") else path


async def _redeem(request: ApiRequest, dashboard: Dashboard, link: str) -> Response[bytes]:
    former = request.cookies.get(COOKIE)
    token = await to_thread.run_sync(dashboard.sign_in.redeem_link, link, former)
    if token is not None:
        return _signed_in(request, token, "/")
    if await to_thread.run_sync(dashboard.sign_in.find, former) is not None:
        return redirect("/")  # the same link again, in a browser that it signed in
    try:
        await _count_failure(request, dashboard)
    except InfraPrismError as error:
        return error_page(request, error)
    return html("sign_in.html", {"next": "/", "problem": BAD_LINK}, 401)


async def _count_failure(request: ApiRequest, dashboard: Dashboard) -> None:
    """RateLimited when this address tried too often: the bound that API keys have too."""
    address = str(request.scope["infraprism_client"])  # type: ignore[typeddict-item]
    allowance = await dashboard.limiter.count_failure(address)
    if not allowance.admitted:
        raise allowance.refusal("Too many failed attempts to sign in; wait a minute")


def _signed_in(request: ApiRequest, token: str, wanted: str) -> Response[bytes]:
    response = redirect(wanted)
    secure = request.scope["scheme"] == "https"
    response.headers["Set-Cookie"] = cookie_header(token, secure=secure)
    return response


ROUTES: list[HTTPRouteHandler] = [
    sign_in_page,
    sign_in_with_key,
    open_link,
    confirm_link,
    sign_out,
    static,
    *overview.ROUTES,
    *explorer.ROUTES,
    *entities.ROUTES,
    *entity.ROUTES,
    *events.ROUTES,
    *sessions.ROUTES,
    *alerts.ROUTES,
    *limits.ROUTES,
    *webhooks.ROUTES,
    *exports.ROUTES,
    *keys.ROUTES,
    *prices.ROUTES,
    *repricing.ROUTES,
    *sdk.ROUTES,
    *settings.ROUTES,
]
