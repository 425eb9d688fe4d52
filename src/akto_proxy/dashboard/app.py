"""Joins the dashboard: parts in, one ASGI app out. All that could be left open by mistake is checked here, at start.

Handlers are plain functions run in threads, because stores are synchronous; the price is a bounded thread pool, the
gain that no page can stall the loop. The app makes no outside call of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api import account as api_account
from akto_proxy.dashboard.api import decisions as api_decisions
from akto_proxy.dashboard.api import incidents as api_incidents
from akto_proxy.dashboard.api import limits as api_limits
from akto_proxy.dashboard.api import policy as api_policy
from akto_proxy.dashboard.api import reports as api_reports
from akto_proxy.dashboard.api import run as api_run
from akto_proxy.dashboard.api import traces as api_traces
from akto_proxy.dashboard.house import House, Options, house
from akto_proxy.dashboard.lessons import Lessons
from akto_proxy.dashboard.pages import Pages
from akto_proxy.dashboard.passwords import Passwords
from akto_proxy.dashboard.ports import Keys, Notifier
from akto_proxy.dashboard.printer import Printer
from akto_proxy.dashboard.ready import Readiness
from akto_proxy.dashboard.replays import Replays
from akto_proxy.dashboard.roles import Role, role_named
from akto_proxy.dashboard.sessions import Sessions
from akto_proxy.dashboard.setup import Setup
from akto_proxy.dashboard.shield import Shield
from akto_proxy.dashboard.sso import Provider, Sso
from akto_proxy.dashboard.statics import Statics
from akto_proxy.dashboard.throttle import Throttle
from akto_proxy.dashboard.views import (
    activity,
    door,
    exception,
    incidents,
    issued,
    limits,
    overview,
    policies,
    policy_texts,
    profiles,
    reference,
    reports,
    sessions,
    settings,
    traces,
    trials,
)
from akto_proxy.dashboard.web import (
    BadInputError,
    Me,
    NotAllowedError,
    NotFoundError,
    NotSignedInError,
    from_htmx,
    is_api,
    refused,
    session_me,
    to_sign_in,
    unguarded,
)
from akto_proxy.dashboard.workshop import Workshop
from akto_proxy.errors import AktoProxyError, ConfigError
from akto_proxy.model import IncidentState
from akto_proxy.store.control import ControlStore
from akto_proxy.store.face import TraceStore

COOKIE = "akto_session"


def create_app(
    *,
    traces: TraceStore,
    control: ControlStore,
    clock: Callable[[], float],
    randomness: Callable[[int], bytes],
    options: Options | None = None,
    workshop: Workshop,
    notifier: Notifier | None = None,
    provider: Provider | None = None,
    printer: Printer | None = None,
    keys: Keys | None = None,
    unseal: Callable[[str], bytes] | None = None,
    hasher: PasswordHasher | None = None,
) -> FastAPI:
    """The app. `app.state.house.setup.path` is the one-time path to print at the first start (empty after it).

    Raises:
        ConfigError: the browser files are missing, or a route has no gate.
    """
    statics = Statics()
    chosen = options or Options()
    app = FastAPI(title="Akto Agent Proxy", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.house = House(
        traces=traces,
        control=control,
        pages=Pages(statics, clock, lambda: len(control.incidents((IncidentState.OPEN,)))),
        sessions=Sessions(clock, randomness),
        passwords=Passwords(hasher),
        throttle=Throttle(clock),
        setup=Setup(clock, randomness, needed=not control.people()),
        clock=clock,
        randomness=randomness,
        options=chosen,
        workshop=workshop,
        replays=Replays(traces, workshop, randomness),
        lessons=Lessons(traces, control, clock, randomness),
        readiness=Readiness(traces, control, clock),
        notifier=notifier,
        unseal=unseal,
        sso=Sso(provider, clock) if provider else None,
        printer=printer,
        keys=keys,
    )
    app.state.identify = identify
    app.mount("/static", statics)
    for area in _AREAS:
        area.join(app)
    _errors(app)
    app.add_middleware(Shield, hosts=chosen.hosts, https=chosen.https)
    if open_routes := unguarded(app):
        raise ConfigError(f"routes without a gate: {open_routes}")
    return app


_PAGES = (
    *(door, overview, traces, sessions, activity, exception, policies, policy_texts, trials),
    *(incidents, limits, profiles, reports, settings, issued, reference),
)
_API = (api_traces, api_decisions, api_policy, api_incidents, api_limits, api_reports, api_account, api_run)
_AREAS = (*(module.AREA for module in (*_PAGES, *_API)), issued.API_AREA)


def identify(request: Request) -> Me | None:
    """Who asks: by bearer token on the JSON API, else by the session cookie. Any doubt is nobody."""
    parts = house(request)
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_api(request):
        return _by_token(parts, secret.strip())
    cookie = request.cookies.get(COOKIE, "")
    session = parts.sessions.find(cookie) if cookie else None
    person = parts.control.person(session.user) if session else None
    if session is None or person is None or person.disabled:
        return None
    return session_me(session, role_named(person.role))


def _by_token(parts: House, secret: str) -> Me | None:
    token = parts.control.token(secret, parts.clock())
    if token is None or token.scope not in {role.label for role in Role}:
        return None
    return Me(f"token:{token.name}", role_named(token.scope), token=token.id)


def _errors(app: FastAPI) -> None:
    app.add_exception_handler(NotSignedInError, lambda request, error: to_sign_in(request))
    app.add_exception_handler(NotAllowedError, lambda request, error: _fail(request, 403, str(error), "not_allowed"))
    app.add_exception_handler(NotFoundError, lambda request, error: _fail(request, 404, str(error), "not_found"))
    app.add_exception_handler(BadInputError, lambda request, error: _fail(request, 422, str(error), "bad_input"))
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ValueError, _cursor)
    app.add_exception_handler(AktoProxyError, lambda request, error: _fail(request, 503, str(error), "unavailable"))


def _cursor(request: Request, error: Exception) -> Response:
    # A store says so of a cursor that it did not make; any other ValueError is a bug of ours.
    if "cursor" not in request.query_params:
        raise error
    return _fail(request, 422, "Not understood: cursor. Take it from the answer before.", "bad_input")


def _invalid(request: Request, error: Exception) -> Response:
    # The library's own answer repeats what was sent; ours names the fields alone.
    names = {".".join(str(part) for part in item["loc"][1:]) for item in getattr(error, "errors", list)()}
    return _fail(request, 422, f"Not understood: {', '.join(sorted(names)) or 'the body'}.", "bad_input")


def _http(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 500)
    words = {404: "There is no such page.", 405: "This address does not take that."}
    answer = _fail(request, status, words.get(status, "That did not work."), "http")
    if status == 405:
        answer.headers["allow"] = ", ".join(sorted(_methods(request)))
    return answer


def _methods(request: Request) -> set[str]:
    """What the address takes. The library names the methods of one route, and an address may have several."""
    path = request.scope["path"]
    routes = (route for route in request.app.routes if isinstance(route, APIRoute) and route.path_regex.match(path))
    return {method for route in routes for method in route.methods or ()}


def _fail(request: Request, status: int, message: str, kind: str) -> Response:
    if is_api(request):
        return refused(status, message, kind)
    pages = house(request).pages
    if from_htmx(request):
        answer = pages.answer(request, "toast.html", {"kind": "bad", "text": message})
        answer.headers["hx-retarget"], answer.headers["hx-reswap"] = "#toast", "innerHTML"
        return answer
    title = {403: "Not allowed", 404: "Not found", 503: "Not available"}.get(status, "That did not work")
    return pages.answer(request, "error.html", {"title": title, "message": message}, status=status)
