"""How a route is made here: it names its need, and a gate checks it before the route sees anything.

`Area.get/post(..., need)` is the only way routes are added; `unguarded` finds any that came another way, and the app
refuses to start with one. Who asks is a session cookie (browsers, with a CSRF token for changes) or a bearer token
(programs, for the JSON API alone). A check that fails has no second way round it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount

from akto_proxy.dashboard.roles import Need, Role
from akto_proxy.dashboard.sessions import Session
from akto_proxy.dashboard.shield import SAFE

API = "/api/v1"


@dataclass(frozen=True, slots=True)
class Me:
    """Who asks. `csrf` is empty for a bearer token, which needs none."""

    name: str
    role: Role
    csrf: str = ""
    session: str = ""
    token: str = ""

    def may(self, need: Need) -> bool:
        """Whether the role is enough."""
        return need.met_by(self.role)


class NotSignedInError(Exception):
    """Nobody we know asks."""


class NotAllowedError(Exception):
    """Somebody asks for what their role may not, or without the token that proves it was meant."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFoundError(Exception):
    """What was asked for is not there (or not any more)."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class BadInputError(Exception):
    """A form or JSON says something that cannot be done; the message is for the person who sent it."""


class Problem(BaseModel):
    """What is wrong, in a sentence, and its kind."""

    message: str
    type: str


class Refused(BaseModel):
    """An error of the JSON API."""

    error: Problem


Identify = Callable[[Request], Me | None]


class Gate:
    """The check in front of a route: who asks, may they, and did they mean it. `need` None is open to all."""

    def __init__(self, need: Need | None) -> None:
        self.need = need

    async def __call__(self, request: Request) -> None:
        """Let pass (with `request.state.me` set), or raise."""
        identify: Identify = request.app.state.identify
        me = await run_in_threadpool(identify, request)
        request.state.me = me
        if self.need is None:
            return
        if me is None:
            raise NotSignedInError
        if not me.may(self.need):
            raise NotAllowedError(f"This needs the role {self.need.role.label}; yours is {me.role.label}.")
        if request.scope["method"] not in SAFE and not me.token and not await _meant(request, me):
            raise NotAllowedError("The page was open for too long. Reload it and try again.")


async def _meant(request: Request, me: Me) -> bool:
    given = request.headers.get("x-csrf-token", "")
    if not given and request.headers.get("content-type", "").startswith(("application/x-www-form", "multipart/form")):
        value = (await request.form()).get("csrf", "")
        given = value if isinstance(value, str) else ""
    return bool(me.csrf) and hmac.compare_digest(given.encode(), me.csrf.encode())


class Area:
    """Routes of one subject."""

    def __init__(self, prefix: str = "", *, tag: str = "") -> None:
        self._prefix = prefix
        self._tag = tag
        self._routes: list[tuple[str, str, Callable[..., Any], dict[str, Any]]] = []

    def get(self, path: str, need: Need | None, **more: Any) -> Callable[[Any], Any]:
        """A route that reads."""
        return self._route("GET", path, need, more)

    def post(self, path: str, need: Need | None, **more: Any) -> Callable[[Any], Any]:
        """A route that changes something."""
        return self._route("POST", path, need, more)

    def put(self, path: str, need: Need | None, **more: Any) -> Callable[[Any], Any]:
        """A route that replaces something."""
        return self._route("PUT", path, need, more)

    def delete(self, path: str, need: Need | None, **more: Any) -> Callable[[Any], Any]:
        """A route that takes something away."""
        return self._route("DELETE", path, need, more)

    def join(self, app: FastAPI) -> None:
        """Put the routes into the app (straight into it: a nested router would hide them from `unguarded`)."""
        for method, path, endpoint, more in self._routes:
            app.add_api_route(path, endpoint, methods=[method], **more)

    def _route(self, method: str, path: str, need: Need | None, more: dict[str, Any]) -> Callable[[Any], Any]:
        more["dependencies"] = [Depends(Gate(need))]
        if self._prefix.startswith(API):
            more.setdefault("tags", [self._tag])
            more.setdefault("openapi_extra", {"x-needs-role": need.role.label if need else "none"})
            more.setdefault("responses", {status: {"model": Refused} for status in (400, 401, 403, 404, 413, 422, 503)})
        else:
            more.setdefault("response_class", Response)
            more["include_in_schema"] = False

        def keep(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self._routes.append((method, self._prefix + path, endpoint, more))
            return endpoint

        return keep


def need_of(route: BaseRoute) -> tuple[bool, Need | None]:
    """Whether a route has a gate, and what it asks for."""
    if isinstance(route, APIRoute):
        for dependency in route.dependencies:
            if isinstance(dependency.dependency, Gate):
                return True, dependency.dependency.need
    return False, None


def unguarded(app: FastAPI) -> list[str]:
    """Routes without a gate, but for the static files. Must be empty."""
    return [
        getattr(route, "path", repr(route))
        for route in app.routes
        if not need_of(route)[0] and not (isinstance(route, Mount) and route.path == "/static")
    ]


def me(request: Request) -> Me:
    """Who asks, behind a gate that has checked it."""
    found: Me = request.state.me
    return found


@contextmanager
def cursors() -> Iterator[None]:
    """Around a store's question that takes a cursor from an address.

    Raises:
        BadInputError: the cursor is none that a list gave.
    """
    try:
        yield
    except (ValueError, OverflowError):
        raise BadInputError("This is not a cursor that a list gave.") from None


def is_api(request: Request) -> bool:
    """Whether the JSON API was asked, by the path as it came."""
    return str(request.scope["path"]).startswith("/api/")


def from_htmx(request: Request) -> bool:
    """Whether a part of a page was asked for."""
    return request.headers.get("hx-request") == "true"


def goto(path: str, request: Request | None = None) -> Response:
    """To another page, also from within an htmx request."""
    if request is not None and from_htmx(request):
        return Response(headers={"hx-redirect": path})
    return RedirectResponse(path, status_code=303)


def back_to(path: str) -> str:
    """A path of this dashboard, or the front page: never an address elsewhere."""
    good = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if good else "/"


def refused(status: int, message: str, kind: str) -> JSONResponse:
    """An error of the JSON API."""
    return JSONResponse({"error": {"message": message, "type": kind}}, status_code=status)


def to_sign_in(request: Request) -> Response:
    """The answer to a stranger: 401 for a program, the sign-in page for a person."""
    if is_api(request):
        answer = refused(401, "Send a session cookie or `Authorization: Bearer <token>`.", "not_signed_in")
        answer.headers["www-authenticate"] = "Bearer"
        return answer
    target = request.scope["path"]
    if request.scope["query_string"]:
        target += "?" + request.scope["query_string"].decode("latin-1")
    return goto("/login" + (f"?next={quote(target)}" if target != "/" and not from_htmx(request) else ""), request)


def peer(request: Request) -> str:
    """The address of who is connected (not what a header says)."""
    return request.client.host if request.client else ""


def session_me(session: Session, role: Role) -> Me:
    """Who a session belongs to."""
    return Me(session.user, role, session.csrf, session.id)
