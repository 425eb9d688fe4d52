"""Traces by the API: lists, live follow, export, one trace, sessions, numbers, saved views."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from akto_proxy.dashboard.api.base import Asked, Counted, Id, Listed, Page, answer, asked_of
from akto_proxy.dashboard.conditions import conditions, step_for
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views.traces import find, lines, opened
from akto_proxy.dashboard.web import API, Area, cursors, me
from akto_proxy.store.control import View
from akto_proxy.store.face import By

AREA = Area(API, tag="traces")


class Lines(StreamingResponse):
    """One JSON a line."""

    media_type = "application/x-ndjson"


class SavedView(BaseModel):
    """A filtered list under a name; `query` is the part of its address after the question mark."""

    name: str = Field(min_length=1, max_length=80)
    query: str = Field(max_length=2000)
    shared: bool = Field(False, strict=True)


@AREA.get("/traces", Need.READ)
def traces(request: Request, query: Listed) -> Response:
    """Traces, newest first."""
    where = asked_of(request, query).where
    with cursors():
        return answer(house(request).traces.search(where, cursor=query.cursor, limit=query.limit))


@AREA.get("/traces/live", Need.READ)
def live(request: Request, query: Annotated[Page, Query()]) -> Response:
    """What arrived after a cursor; without one, the cursor of now."""
    with cursors():
        return answer(house(request).traces.after(query.cursor, limit=query.limit))


@AREA.get("/traces/export", Need.EXPORT, response_class=Lines)
def export(request: Request, query: Asked) -> Response:
    """The records as kept, one JSON a line."""
    parts = house(request)
    where = asked_of(request, query).where
    parts.note(request, "traces.export")
    return Lines(lines(parts, where))


@AREA.get("/traces/{trace_id}", Need.READ)
def trace(request: Request, trace_id: Id) -> Response:
    """One trace, whole, as kept (masked or sealed)."""
    return answer(find(house(request), trace_id))


@AREA.post("/traces/{trace_id}/unmask", Need.UNMASK)
def unmask(request: Request, trace_id: Id) -> Response:
    """One trace with its sealed texts opened. Each such view is in the audit log."""
    parts = house(request)
    found = opened(parts, find(parts, trace_id))
    parts.note(request, "trace.unmask", found.id)
    return answer(found)


@AREA.get("/sessions", Need.READ)
def sessions(request: Request, query: Listed) -> Response:
    """Conversations, last used first."""
    where = asked_of(request, query).where
    with cursors():
        return answer(house(request).traces.sessions(where, cursor=query.cursor, limit=query.limit))


@AREA.get("/sessions/thread", Need.READ)
def thread(request: Request, id: Annotated[str, Query(max_length=300)]) -> Response:  # noqa: A002
    """The traces of one session, oldest first."""
    return answer({"items": house(request).traces.thread(id, limit=100)})


@AREA.get("/totals", Need.READ)
def totals(request: Request, query: Asked) -> Response:
    """Requests, verdicts, tokens and latencies in one line."""
    return answer(house(request).traces.totals(asked_of(request, query).where))


@AREA.get("/timeline", Need.READ)
def timeline(request: Request, query: Asked) -> Response:
    """Verdicts over time."""
    parts = house(request)
    where = asked_of(request, query).where
    return answer({"items": parts.traces.timeline(where, step=step_for(where, parts.clock()))})


@AREA.get("/top/{by}", Need.READ)
def top(request: Request, by: By, query: Counted) -> Response:
    """The names of a grouping with the most traces."""
    return answer({"items": house(request).traces.top(by, asked_of(request, query).where, limit=query.limit)})


@AREA.get("/views", Need.READ)
def views(request: Request) -> Response:
    """One's own saved lists, and those shared with everybody."""
    return answer({"items": house(request).control.views(me(request).name)})


@AREA.post("/views", Need.ACCOUNT, status_code=201)
def save_view(request: Request, body: SavedView) -> Response:
    """Keep a filtered list under a name."""
    parts = house(request)
    kept = conditions(dict(parse_qsl(body.query.lstrip("?"))), parts.clock()).asked
    view = View(parts.randomness(8).hex(), me(request).name, body.name, urlencode(kept), body.shared)
    parts.control.keep_view(view)
    parts.note(request, "view.save", view.name)
    return answer(view, 201)


@AREA.delete("/views/{view_id}", Need.ACCOUNT)
def remove_view(request: Request, view_id: Id) -> Response:
    """Forget one's own saved list."""
    parts = house(request)
    parts.control.remove_view(view_id, me(request).name)
    parts.note(request, "view.remove", view_id)
    return answer({"removed": view_id})
