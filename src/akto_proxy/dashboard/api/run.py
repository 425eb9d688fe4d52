"""Running the program, by the API: proxies, storage, people, tokens, channels, the audit log."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from akto_proxy.dashboard.api.base import Id, Limit, Number, Word, answer, document, plain
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.passwords import LONGEST, SHORTEST
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views import settings
from akto_proxy.dashboard.views.door import NAME
from akto_proxy.dashboard.web import API, Area
from akto_proxy.store.control import Person

AREA = Area(API, tag="administration")
RoleName = Literal["viewer", "analyst", "editor", "admin"]


class NewPerson(BaseModel):
    """A local account and its first password."""

    name: str = Field(max_length=80, pattern=f"^{NAME.pattern}$")
    role: RoleName
    password: str = Field(min_length=SHORTEST, max_length=LONGEST)


class Change(BaseModel):
    """A change of an account: another role, off, on, or signed out everywhere."""

    act: Literal["role", "off", "on", "sign-out"]
    role: RoleName = "viewer"


class NewToken(BaseModel):
    """An API token: what for, what it may, when it ends."""

    name: str = Field(min_length=1, max_length=100)
    scope: Literal["ingest", "guard", "viewer", "analyst", "editor", "admin"]
    last: Literal["", "30d", "90d", "365d"] = ""


@AREA.get("/proxies", Need.READ)
def proxies(request: Request) -> Response:
    """What proxies last said of themselves."""
    return answer({"items": house(request).control.proxies()})


@AREA.get("/storage", Need.READ)
def storage(request: Request) -> Response:
    """How much is kept."""
    return answer(house(request).traces.storage())


@AREA.get("/audit", Need.ADMIN)
def audit(
    request: Request,
    before: Annotated[Number, Query()] = 0,
    actor: Annotated[Word, Query()] = "",
    action: Annotated[Word, Query()] = "",
    limit: Annotated[Limit, Query()] = 50,
) -> Response:
    """The audit log, newest first."""
    notes = house(request).control.notes(before=before, limit=limit, actor=actor, action=action)
    return answer({"items": notes})


@AREA.get("/people", Need.ADMIN)
def people(request: Request) -> Response:
    """Accounts, without password hashes."""
    return answer({"items": [shown(person) for person in house(request).control.people()]})


def shown(person: Person) -> dict[str, object]:
    """An account without its password hash."""
    return {key: value for key, value in plain(person).items() if key != "password"}


@AREA.post("/people", Need.ADMIN, status_code=201)
def add_person(request: Request, body: NewPerson) -> Response:
    """A new local account."""
    return answer(shown(settings.new_person(request, body.name, body.role, body.password)), 201)


@AREA.post("/people/{name}", Need.ADMIN)
def change_person(request: Request, name: Id, body: Change) -> Response:
    """Change an account."""
    settings.changed_person(request, name, body.act, body.role)
    return answer({"changed": name})


@AREA.delete("/people/{name}", Need.ADMIN)
def remove_person(request: Request, name: Id) -> Response:
    """Take an account away."""
    settings.changed_person(request, name, "remove", "")
    return answer({"removed": name})


@AREA.get("/tokens", Need.ADMIN)
def tokens(request: Request) -> Response:
    """API tokens, without secrets."""
    return answer({"items": house(request).control.tokens()})


@AREA.post("/tokens", Need.ADMIN, status_code=201)
def add_token(request: Request, body: NewToken) -> Response:
    """A new token; its secret is in this one answer and nowhere else."""
    made, secret = settings.new_token(request, body.name, body.scope, body.last)
    return answer({"token": made, "secret": secret}, 201)


@AREA.delete("/tokens/{token_id}", Need.ADMIN)
def revoke(request: Request, token_id: Id) -> Response:
    """Make a token useless."""
    settings.revoked(request, token_id)
    return answer({"revoked": token_id})


@AREA.get("/channels", Need.ADMIN)
def channels(request: Request) -> Response:
    """Where alerts go, and what was delivered."""
    parts = house(request)
    known = parts.notifier.channels() if parts.notifier else ()
    items = [{"name": name, "kind": kind} for name, kind in known]
    return answer({"items": items, "deliveries": parts.control.deliveries(limit=50)})


@AREA.post("/channels/{name}/test", Need.ADMIN)
def test_channel(request: Request, name: Id) -> Response:
    """Send a test through a channel."""
    return answer({"result": settings.tested(request, name)})


@AREA.get("/openapi.json", Need.READ)
def openapi(request: Request) -> Response:
    """This API as OpenAPI."""
    return JSONResponse(document(request.app))
