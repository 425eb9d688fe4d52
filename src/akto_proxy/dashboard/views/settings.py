"""Settings: people and their sessions, API tokens, channels, what is configured, the audit log."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Form, Query
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need, Role, role_named
from akto_proxy.dashboard.views.door import problem_with
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, goto, me
from akto_proxy.store.control import Person, Token

AREA = Area()
Short = Annotated[str, Form(max_length=300)]
TABS = (
    ("people", "People", "/settings/people"),
    ("tokens", "API tokens", "/settings/tokens"),
    ("keys", "Callers' keys", "/settings/keys"),
    ("channels", "Channels", "/settings/channels"),
    ("system", "System", "/settings/system"),
    ("audit", "Audit log", "/settings/audit"),
)
SCOPES = ("ingest", "guard", *(role.label for role in Role))
LASTS = {"30d": 30 * 86400.0, "90d": 90 * 86400.0, "365d": 365 * 86400.0, "": 0.0}


def page_of(request: Request, tab: str, template: str, values: dict[str, Any], status: int = 200) -> Response:
    """A page under Settings."""
    tabs = [{"key": key, "label": label, "href": href} for key, label, href in TABS]
    title = next(label for key, label, _ in TABS if key == tab)
    common = {"title": title, "section": "settings", "tabs": tabs, "tab": tab}
    return house(request).pages.answer(request, template, {**common, **values}, status=status)


@AREA.get("/settings", Need.ADMIN)
def settings(request: Request) -> Response:
    """The first tab."""
    return goto("/settings/people")


@AREA.get("/settings/people", Need.ADMIN)
def people(request: Request) -> Response:
    """Accounts."""
    return _people(request, "")


def _people(request: Request, problem: str, status: int = 200) -> Response:
    parts = house(request)
    rows = [{"it": person, "sessions": len(parts.sessions.of(person.name))} for person in parts.control.people()]
    values = {"rows": rows, "problem": problem, "roles": [role.label for role in Role]}
    return page_of(request, "people", "settings_people.html", values, status)


@AREA.post("/settings/people", Need.ADMIN)
def add_person(request: Request, name: Short, role: Short, password: Short) -> Response:
    """A new local account. Its owner should change the password at the first sign-in."""
    try:
        new_person(request, name, role, password)
    except BadInputError as error:
        return _people(request, str(error), 422)
    return goto("/settings/people?said=saved")


def new_person(request: Request, name: str, role: str, password: str) -> Person:
    """A new local account.

    Raises:
        BadInputError: the name, role or password cannot be used, or the name is taken.
    """
    parts = house(request)
    problem = problem_with(parts, name, password, password)
    if parts.control.person(name):
        problem = "There is an account of this name already."
    if problem:
        raise BadInputError(problem)
    person = Person(name, _role(role).label, parts.passwords.hash(password), created=parts.clock())
    parts.control.keep_person(person)
    parts.note(request, "person.add", name, role)
    return person


def _role(label: str) -> Role:
    try:
        return role_named(label)
    except ValueError as error:
        raise BadInputError(str(error)) from None


@AREA.post("/settings/people/change", Need.ADMIN)
def change_person(request: Request, name: Short, act: Short, role: Short = "") -> Response:
    """Give another role, switch off or on, sign out, or remove."""
    changed_person(request, name, act, role)
    return goto("/settings/people?said=" + ("removed" if act == "remove" else "saved"))


def changed_person(request: Request, name: str, act: str, role: str) -> None:
    """Change an account and end its sessions.

    Raises:
        NotFoundError: there is no such account. BadInputError: it cannot be changed so.
    """
    parts = house(request)
    person = parts.control.person(name)
    if person is None:
        raise NotFoundError("There is no such account.")
    if name == me(request).name and act != "sign-out":
        raise BadInputError("Somebody else must change your own account, so that nobody locks everybody out.")
    change_account(parts, person, act, role)
    parts.sessions.end_all(name)
    parts.note(request, f"person.{act}", name, role)


def change_account(parts: House, person: Person, act: str, role: str) -> None:
    """Change an account.

    Raises:
        BadInputError: the act is not known, or the last administrator would go.
    """
    admins = [p for p in parts.control.people() if p.role == Role.ADMIN.label and not p.disabled]
    keeps = act in ("on", "sign-out") or (act == "role" and role == Role.ADMIN.label)
    if admins == [person] and not keeps:
        raise BadInputError("This is the last administrator.")
    if act == "role":
        parts.control.keep_person(replace(person, role=_role(role).label))
    elif act in ("on", "off"):
        parts.control.keep_person(replace(person, disabled=act == "off"))
    elif act == "remove":
        parts.control.remove_person(person.name)
    elif act != "sign-out":
        raise BadInputError("An account can get a role, be switched off or on, be signed out or removed.")


@AREA.get("/settings/tokens", Need.ADMIN)
def tokens(request: Request) -> Response:
    """API tokens."""
    return _tokens(request, None, "")


def _tokens(request: Request, made: Token | None, secret: str) -> Response:
    parts = house(request)
    values = {
        "tokens": parts.control.tokens(),
        "scopes": SCOPES,
        "lasts": LASTS,
        "made": made,
        "secret": secret,
        "now": parts.clock(),
    }
    return page_of(request, "tokens", "settings_tokens.html", values)


@AREA.post("/settings/tokens", Need.ADMIN)
def add_token(request: Request, name: Short, scope: Short, last: Short = "") -> Response:
    """A new token; its secret is on this one answer and nowhere else."""
    return _tokens(request, *new_token(request, name, scope, last))


def new_token(request: Request, name: str, scope: str, last: str) -> tuple[Token, str]:
    """A new token and its secret.

    Raises:
        BadInputError: the scope or time is not one that there is, or it has no name.
    """
    parts = house(request)
    if scope not in SCOPES or last not in LASTS or not name.strip():
        raise BadInputError(f"A token has a name and one of the scopes {', '.join(SCOPES)}.")
    now = parts.clock()
    expires = now + LASTS[last] if LASTS[last] else 0.0
    made, secret = parts.control.add_token(name.strip(), scope, by=me(request).name, at=now, expires=expires)
    parts.note(request, "token.add", made.id, f"{name} ({scope})")
    return made, secret


@AREA.post("/settings/tokens/revoke", Need.ADMIN)
def revoke(request: Request, id: Short) -> Response:  # noqa: A002
    """Make a token useless."""
    revoked(request, id)
    return goto("/settings/tokens?said=removed")


def revoked(request: Request, token_id: str) -> None:
    """Make a token useless.

    Raises:
        NotFoundError: there is no such token.
    """
    parts = house(request)
    if token_id not in {token.id for token in parts.control.tokens()}:
        raise NotFoundError("There is no such token.")
    parts.control.revoke_token(token_id)
    parts.note(request, "token.revoke", token_id)


@AREA.get("/settings/channels", Need.ADMIN)
def channels(request: Request) -> Response:
    """Where alerts go, and what was delivered."""
    return _channels(request, "", "")


def _channels(request: Request, name: str, result: str) -> Response:
    parts = house(request)
    values = {
        "channels": parts.notifier.channels() if parts.notifier else (),
        "deliveries": parts.control.deliveries(limit=50),
        "name": name,
        "result": result,
    }
    return page_of(request, "channels", "settings_channels.html", values)


@AREA.post("/settings/channels/test", Need.ADMIN)
def test_channel(request: Request, name: Short) -> Response:
    """Send a test through a channel."""
    return _channels(request, name, tested(request, name))


def tested(request: Request, name: str) -> str:
    """Send a test; what happened, in words.

    Raises:
        NotFoundError: there is no such channel.
    """
    parts = house(request)
    if parts.notifier is None or name not in {known for known, _ in parts.notifier.channels()}:
        raise NotFoundError("There is no such channel.")
    result = parts.notifier.test(name)
    parts.note(request, "channel.test", name)
    return result


@AREA.get("/settings/system", Need.ADMIN)
def system(request: Request) -> Response:
    """What is kept, for how long, and how this server is set up."""
    parts = house(request)
    values = {
        "storage": parts.traces.storage(),
        "about": parts.options.about,
        "sso": parts.sso,
        "options": parts.options,
    }
    return page_of(request, "system", "settings_system.html", values)


@AREA.get("/settings/audit", Need.ADMIN)
def audit(
    request: Request, before: Annotated[int, Query(ge=0, le=1 << 31)] = 0, actor: str = "", action: str = ""
) -> Response:
    """Who did what."""
    parts = house(request)
    notes = parts.control.notes(before=before, limit=100, actor=actor[:80], action=action[:80])
    values = {"notes": notes, "actor": actor, "action": action, "next": notes[-1].number if len(notes) == 100 else 0}
    return page_of(request, "audit", "settings_audit.html", values)
