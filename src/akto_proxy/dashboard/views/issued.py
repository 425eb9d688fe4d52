"""Keys that this deployment issues to callers: made, shown once, revoked. And the same by the JSON API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import Form
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from akto_proxy.config.managed import ManagedKey
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.ports import Keys
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views.settings import page_of
from akto_proxy.dashboard.web import API, Area, BadInputError, NotFoundError, goto

AREA = Area()
API_AREA = Area(API, tag="administration")
Short = Annotated[str, Form(max_length=300)]
LASTS = {"30d": 30 * 86400.0, "90d": 90 * 86400.0, "365d": 365 * 86400.0, "": 0.0}


class NewKey(BaseModel):
    """A key for a caller. `endpoints` and `models` are globs, empty for all; `days` is 0 for no end."""

    name: str = Field(min_length=1, max_length=100)
    endpoints: list[Annotated[str, Field(max_length=200)]] = Field([], max_length=50)
    models: list[Annotated[str, Field(max_length=200)]] = Field([], max_length=50)
    team: str = Field("", max_length=100)
    user: str = Field("", max_length=100)
    days: float = Field(90, ge=0, le=3650)


@AREA.get("/settings/keys", Need.ADMIN)
def keys(request: Request) -> Response:
    """The keys, without their secrets."""
    return _keys(request, "", "")


def _keys(request: Request, name: str, text: str) -> Response:
    parts = house(request)
    values: dict[str, Any] = {
        "keys": sorted(known(request).kept(), key=lambda key: -key.created),
        "managed": parts.options.managed,
        "lasts": LASTS,
        "now": parts.clock(),
        "name": name,
        "text": text,
    }
    return page_of(request, "keys", "settings_keys.html", values)


def known(request: Request) -> Keys:
    """The keys of this deployment.

    Raises:
        NotFoundError: this server keeps none.
    """
    found = house(request).keys
    if found is None:
        raise NotFoundError("This server issues no keys.")
    return found


@AREA.post("/settings/keys", Need.ADMIN)
def new(
    request: Request,
    name: Short,
    endpoints: Short = "",
    models: Short = "",
    team: Short = "",
    user: Short = "",
    last: Short = "90d",
) -> Response:
    """A new key; its text is on this one answer and nowhere else."""
    if last not in LASTS or not name.strip():
        raise BadInputError("A key has a name, and ends after 30, 90 or 365 days or never.")
    places, names = _listed(endpoints), _listed(models)
    text = issue(request, name.strip(), places, names, team.strip(), user.strip(), LASTS[last])
    return _keys(request, name, text)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def issue(
    request: Request, name: str, endpoints: tuple[str, ...], models: tuple[str, ...], team: str, user: str, last: float
) -> str:
    """A new key, and its line in the log."""
    parts = house(request)
    now = parts.clock()
    wanted = ManagedKey("", name, "", now, now + last if last else 0.0, 0.0, endpoints, models, team, user)
    text = known(request).issue(wanted)
    parts.note(request, "key.issue", name, f"for {last / 86400:g} days" if last else "without an end")
    return text


@AREA.post("/settings/keys/revoke", Need.ADMIN)
def revoke(request: Request, id: Short) -> Response:  # noqa: A002
    """End a key for good."""
    end(request, id)
    return goto("/settings/keys?said=removed")


def end(request: Request, key_id: str) -> None:
    """End a key for good, and log it.

    Raises:
        NotFoundError: no key of this id is in force.
    """
    parts = house(request)
    if not known(request).revoke(key_id, parts.clock()):
        raise NotFoundError("No key of this id is in force.")
    parts.note(request, "key.revoke", key_id)


@API_AREA.get("/keys", Need.ADMIN)
def key_list(request: Request) -> Response:
    """The keys of callers, without their secrets."""
    rows = [{name: value for name, value in asdict(key).items() if name != "digest"} for key in known(request).kept()]
    return JSONResponse({"items": rows})


@API_AREA.post("/keys", Need.ADMIN, status_code=201)
def new_key(request: Request, body: NewKey) -> Response:
    """A new key; its text is in this one answer and nowhere else."""
    places, names = tuple(body.endpoints), tuple(body.models)
    text = issue(request, body.name, places, names, body.team, body.user, body.days * 86400)
    return JSONResponse({"name": body.name, "key": text}, status_code=201)


@API_AREA.delete("/keys/{key_id}", Need.ADMIN)
def end_key(request: Request, key_id: Annotated[str, Field(max_length=100)]) -> Response:
    """End a key for good."""
    end(request, key_id)
    return JSONResponse({"revoked": key_id})
