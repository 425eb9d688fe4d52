"""Decisions by the API: lists with what people made of them, moves in bulk, exceptions after a preview."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import Listed, answer, asked_of, plain
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views import activity, exception
from akto_proxy.dashboard.web import API, Area, cursors

AREA = Area(API, tag="decisions")
Event = Annotated[str, Field(max_length=100, pattern=r"^[0-9A-Za-z]{1,64}:[0-9]{1,4}$")]


class Marking(BaseModel):
    """Decisions (by event id) and the state they get."""

    events: list[Event] = Field(min_length=1, max_length=500)
    state: Literal["active", "review", "ignored", "false-positive"]


class Excepting(BaseModel):
    """An exception for the caller (or endpoint, model) of the decision `event`; `field` says by what."""

    event: Event
    field: Literal["user", "agent", "key", "team", "endpoint", "model", "ip"]
    reason: str = Field("", max_length=300)


@AREA.get("/decisions", Need.READ)
def decisions(request: Request, query: Listed) -> Response:
    """Decisions with their traces, newest first, each with what a person made of it."""
    parts = house(request)
    where = asked_of(request, query).where
    with cursors():
        page = parts.traces.events(where, cursor=query.cursor, limit=query.limit)
    marks = parts.control.marks([event.id for event in page.items])
    items = [{**plain(event), "mark": plain(marks.get(event.id))} for event in page.items]
    return answer({"items": items, "next": page.next})


@AREA.post("/decisions/mark", Need.TRIAGE)
def mark(request: Request, body: Marking) -> Response:
    """Move decisions to a state."""
    activity.move(request, body.events, body.state)
    return answer({"moved": len(body.events)})


@AREA.post("/decisions/exception/preview", Need.TRIAGE)
def preview(request: Request, body: Excepting) -> Response:
    """What else an exception would let through, over the last 7 days."""
    parts = house(request)
    found, decision = exception.decided(parts, body.event)
    value = exception.offered(found).get(body.field, "")
    shown = exception.preview(parts, decision, body.field, value)
    kept = ("problem", "moves", "theirs", "every", "calls")
    return answer({"field": body.field, "value": value, **{name: shown[name] for name in kept}})


@AREA.post("/decisions/exception", Need.CHANGE_POLICY, status_code=201)
def make_exception(request: Request, body: Excepting) -> Response:
    """Put an exception in force as a new policy version."""
    return answer(exception.make(request, body.event, body.field, body.reason), 201)
