"""The door: sign in and out, the one-time setup, one's own account. Everything a stranger can reach is in this file."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Form
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need, Role
from akto_proxy.dashboard.sessions import OLDEST
from akto_proxy.dashboard.sso import SsoError
from akto_proxy.dashboard.web import Area, NotFoundError, back_to, goto, me, peer
from akto_proxy.store.control import AuditNote, Person

AREA = Area()
COOKIE = "akto_session"
STATE = "akto_sso"
WRONG = "Name or password is not right."
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{1,79}")

Text = Annotated[str, Form(max_length=1000)]


@AREA.get("/healthz", None)
def healthz() -> Response:
    """Whether the server lives; says nothing else."""
    return PlainTextResponse("ok\n")


@AREA.get("/readyz", None)
def readyz(request: Request) -> Response:
    """Whether traces and settings can be read; a load balancer sends nobody here while they cannot."""
    problem = house(request).readiness.problem()
    return PlainTextResponse(f"{problem or 'ok'}\n", 503 if problem else 200)


@AREA.get("/login", None)
def login_page(request: Request) -> Response:
    """The sign-in form."""
    if request.state.me:
        return goto(back_to(request.query_params.get("next", "/")))
    return _login(request, "")


@AREA.post("/login", None)
def login(request: Request, name: Text = "", password: Text = "", next: Text = "/") -> Response:  # noqa: A002
    """Check name and password; on success, a new session."""
    parts = house(request)
    keys = (f"name:{name.lower()}", f"ip:{peer(request)}")
    wait = parts.throttle.wait(*keys)
    if wait > 0:
        return _login(request, f"Too many failed tries. Wait {wait:.0f} s.", status=429, wait=wait)
    person = parts.control.person(name)
    known = person if person and person.source == "local" and not person.disabled else None
    if not parts.passwords.check(known.password if known else "", password) or known is None:
        parts.throttle.failed(*keys)
        parts.control.note(AuditNote(parts.clock(), name[:80], "sign-in.failed", ip=peer(request)))
        return _login(request, WRONG, status=401)
    parts.throttle.passed(*keys)
    return let_in(request, known, back_to(next))


def let_in(request: Request, person: Person, target: str) -> Response:
    """A new session for `person`, its cookie, and on to the page. A session that was open here before is ended."""
    parts = house(request)
    old = parts.sessions.find(request.cookies.get(COOKIE, ""))
    if old:
        parts.sessions.end(old.id)
    token = parts.sessions.begin(person.name, ip=peer(request), agent=request.headers.get("user-agent", ""))
    parts.control.note(AuditNote(parts.clock(), person.name, "sign-in", ip=peer(request)))
    answer = goto(target)
    # Lax, not Strict: a link in an alert must open for somebody who is signed in. Changes need a token besides.
    answer.set_cookie(
        COOKIE, token, max_age=int(OLDEST), httponly=True, samesite="lax", secure=parts.options.https, path="/"
    )
    return answer


def _login(request: Request, problem: str, *, status: int = 200, wait: float = 0.0) -> Response:
    target = back_to(request.query_params.get("next", "/"))
    parts = house(request)
    values: dict[str, Any] = {"title": "Sign in", "problem": problem, "next": target, "waiting": bool(parts.setup.path)}
    values["sso"] = parts.sso.provider.name if parts.sso else ""
    answer = parts.pages.answer(request, "login.html", values, status=status)
    if wait:
        answer.headers["retry-after"] = str(int(wait) + 1)
    return answer


@AREA.post("/logout", Need.ACCOUNT)
def logout(request: Request) -> Response:
    """End this session."""
    parts = house(request)
    parts.sessions.end(me(request).session)
    parts.note(request, "sign-out")
    answer = goto("/login?said=signed-out")
    answer.delete_cookie(COOKIE, path="/")
    return answer


@AREA.get("/oidc/start", None)
def sso_start(request: Request) -> Response:
    """Off to the identity provider."""
    parts = house(request)
    if parts.sso is None:
        raise NotFoundError("Single sign-on is not set up here.")
    try:
        url, state = parts.sso.start(back_to(request.query_params.get("next", "/")))
    except SsoError as error:
        return _login(request, str(error), status=502)
    answer = RedirectResponse(url, status_code=303)
    options: dict[str, Any] = {"httponly": True, "samesite": "lax", "secure": parts.options.https, "path": "/oidc"}
    answer.set_cookie(STATE, state, max_age=600, **options)
    return answer


@AREA.get("/oidc/callback", None)
def sso_finish(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
    """Back from the identity provider."""
    parts = house(request)
    if parts.sso is None:
        raise NotFoundError("Single sign-on is not set up here.")
    if error:  # its words are not shown: anybody can make such an address
        return _login(request, "The identity provider did not sign you in. Try again, or ask who runs it.", status=401)
    try:
        name, role, target = parts.sso.finish(state[:200], request.cookies.get(STATE, ""), code[:4000])
        person = _provided(parts, name, role)
    except SsoError as problem:
        parts.control.note(AuditNote(parts.clock(), "", "sign-in.failed", detail=str(problem), ip=peer(request)))
        return _login(request, str(problem), status=401)
    answer = let_in(request, person, target)
    answer.delete_cookie(STATE, path="/oidc")
    return answer


def _provided(parts: House, name: str, role: Role) -> Person:
    """The account of somebody the provider vouches for; made at the first time, its role follows the provider."""
    known = parts.control.person(name)
    if known and known.source != "oidc":
        raise SsoError("There is a local account of this name. Sign in with its password.")
    if known and known.disabled:
        raise SsoError("This account is switched off.")
    person = Person(name, role.label, source="oidc", created=known.created if known else parts.clock())
    if known is None or known.role != role.label:
        parts.control.keep_person(person)
    return person


@AREA.get("/setup", None)
def setup_page(request: Request, token: str = "") -> Response:
    """The form behind the one-time link."""
    if not house(request).setup.good(token):
        raise NotFoundError("This link was used, is too old, or was never valid. A restart prints a new one.")
    return _setup(request, token, "", "admin")


@AREA.post("/setup", None)
def setup(request: Request, token: Text = "", name: Text = "admin", password: Text = "", again: Text = "") -> Response:
    """Make the first administrator."""
    parts = house(request)
    if not parts.setup.good(token):
        raise NotFoundError("This link was used, is too old, or was never valid. A restart prints a new one.")
    problem = problem_with(parts, name, password, again)
    if problem:
        return _setup(request, token, problem, name, status=422)
    if parts.control.people() or not parts.setup.use(token):
        raise NotFoundError("There is an administrator already.")
    person = Person(name, Role.ADMIN.label, parts.passwords.hash(password), created=parts.clock())
    parts.control.keep_person(person)
    parts.control.note(AuditNote(parts.clock(), name, "setup", ip=peer(request)))
    return let_in(request, person, "/")


def problem_with(parts: House, name: str, password: str, again: str) -> str:
    """What is wrong with a new name and password, or nothing."""
    if not NAME.fullmatch(name):
        return "A name has 2 to 80 letters, digits or . _ @ + - and begins with a letter or digit."
    if password != again:
        return "The two passwords differ."
    return parts.passwords.weakness(password, name)


def _setup(request: Request, token: str, problem: str, name: str, status: int = 200) -> Response:
    values = {"title": "Set up", "token": token, "problem": problem, "name": name}
    return house(request).pages.answer(request, "setup.html", values, status=status)


@AREA.get("/account", Need.ACCOUNT)
def account(request: Request) -> Response:
    """One's own account."""
    return _account(request, "")


def _account(request: Request, problem: str, status: int = 200) -> Response:
    parts, who = house(request), me(request)
    values = {
        "title": "Your account",
        "problem": problem,
        "person": parts.control.person(who.name),
        "sessions": parts.sessions.of(who.name),
    }
    return parts.pages.answer(request, "account.html", values, status=status)


@AREA.post("/account/password", Need.ACCOUNT)
def change_password(request: Request, old: Text = "", password: Text = "", again: Text = "") -> Response:
    """Set one's own password; other sessions end."""
    status, problem = changed_password(request, old, password, again)
    return _account(request, problem, status) if problem else goto("/account?said=password")


def changed_password(request: Request, old: str, password: str, again: str) -> tuple[int, str]:
    """Set one's own password and end other sessions: (200, "") or the status and what was wrong.

    Raises:
        NotFoundError: who asks has no password here (single sign-on, an API token).
    """
    parts, who = house(request), me(request)
    person = parts.control.person(who.name)
    if person is None or person.source != "local":
        raise NotFoundError("This account has no password here.")
    key = f"name:{who.name.lower()}"
    if parts.throttle.wait(key) > 0:
        return 429, "Too many failed tries. Wait a moment."
    if not parts.passwords.check(person.password, old):
        parts.throttle.failed(key)
        return 422, "The old password is not right."
    problem = problem_with(parts, who.name, password, again)
    if problem:
        return 422, problem
    parts.control.keep_person(_with_password(person, parts.passwords.hash(password)))
    parts.sessions.end_all(who.name, keep=who.session)
    parts.note(request, "password.change", who.name)
    return 200, ""


@AREA.post("/account/sessions/end", Need.ACCOUNT)
def end_sessions(request: Request) -> Response:
    """Sign out everywhere else."""
    ended_elsewhere(request)
    return goto("/account?said=removed")


def ended_elsewhere(request: Request) -> int:
    """End every other session of who asks, and log it; how many ended."""
    parts, who = house(request), me(request)
    ended = parts.sessions.end_all(who.name, keep=who.session)
    parts.note(request, "sessions.end", who.name)
    return ended


def _with_password(person: Person, encoded: str) -> Person:
    return Person(person.name, person.role, encoded, person.source, person.disabled, person.created, person.seen)
