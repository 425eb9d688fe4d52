"""Incidents and blocked callers by the API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import Id, answer
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views import incidents
from akto_proxy.dashboard.web import API, Area
from akto_proxy.model import IncidentState
from akto_proxy.watch.respond import overrides

AREA = Area(API, tag="incidents")


class Moving(BaseModel):
    """A change of an incident: one of a move, a note (`text`) and an owner (`assignee`)."""

    move: Literal["", "acknowledge", "resolve", "reopen"] = ""
    text: str = Field("", max_length=300)
    assignee: str = Field("", max_length=300)


class Blocking(BaseModel):
    """A caller to refuse for a time."""

    field: Literal["user", "key", "ip", "agent", "team", "session"]
    value: str = Field(min_length=1, max_length=300)
    last: Literal["1h", "24h", "7d", "30d"] = "24h"
    reason: str = Field("", max_length=300)


@AREA.get("/incidents", Need.READ)
def incident_list(request: Request, state: Annotated[IncidentState | None, Query()] = None) -> Response:
    """Incidents, last updated first; `state` is open, acknowledged or resolved."""
    return answer({"items": house(request).control.incidents((state,) if state else ())})


@AREA.get("/incidents/{incident_id}", Need.READ)
def incident(request: Request, incident_id: Id) -> Response:
    """One incident with alerts and timeline."""
    parts = house(request)
    found = incidents.incident_of(parts, incident_id)
    alerts, steps = parts.control.alerts(incident_id), parts.control.steps(incident_id)
    return answer({"incident": found, "alerts": alerts, "steps": steps})


@AREA.post("/incidents/{incident_id}", Need.RESPOND)
def move_incident(request: Request, incident_id: Id, body: Moving) -> Response:
    """Acknowledge, resolve, reopen, give to somebody, or add a note."""
    incidents.change(request, incident_id, move=body.move, text=body.text, assignee=body.assignee)
    return answer(incidents.incident_of(house(request), incident_id))


@AREA.get("/blocks", Need.READ)
def blocks(request: Request) -> Response:
    """Callers that are refused."""
    return answer({"items": house(request).control.blocks()})


@AREA.post("/blocks", Need.RESPOND, status_code=201)
def block(request: Request, body: Blocking) -> Response:
    """Refuse a caller for a time."""
    return answer(incidents.block(request, body.field, body.value, body.last, body.reason), 201)


@AREA.delete("/blocks/{block_id}", Need.RESPOND)
def unblock(request: Request, block_id: Id) -> Response:
    """Let a caller in again."""
    incidents.unblock(request, block_id)
    return answer({"removed": block_id})


@AREA.get("/overrides", Need.READ)
def override_list(request: Request) -> Response:
    """Policies that are stricter for a time."""
    parts = house(request)
    return answer({"items": [item for item in overrides(parts.control) if item.until > parts.clock()]})


@AREA.delete("/overrides/{override_id}", Need.RESPOND)
def take_back(request: Request, override_id: Id) -> Response:
    """End early that a policy is stricter for a time."""
    incidents.no_longer_stricter(request, override_id)
    return answer({"removed": override_id})
