"""Sessions: calls that one conversation made, as a list and as one thread."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import conditions
from akto_proxy.dashboard.detail import detail
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views.traces import PAGE
from akto_proxy.dashboard.web import Area, NotFoundError, cursors

AREA = Area()


@AREA.get("/sessions", Need.READ)
def sessions(request: Request) -> Response:
    """Conversations, last used first."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    with cursors():
        page = parts.traces.sessions(asked.where, cursor=request.query_params.get("cursor", ""), limit=PAGE)
    values = {"title": "Sessions", "section": "traces", "page": page, "asked": asked, "keep": asked.asked}
    return parts.pages.answer(request, "sessions.html", values)


@AREA.get("/sessions/thread", Need.READ)
def thread(request: Request, id: str = "") -> Response:  # noqa: A002
    """A whole session as one conversation. The id comes as a parameter, because callers choose it freely."""
    parts = house(request)
    thread = parts.traces.thread(id, limit=100) if id else ()
    if not thread:
        raise NotFoundError("No trace of this session is kept.")
    values = {
        "title": "Session",
        "section": "traces",
        "session": id,
        "traces": [{"trace": trace, "shown": detail(trace, parts.options.proxy_url)} for trace in thread],
        "first": thread[0],
        "last": thread[-1],
    }
    return parts.pages.answer(request, "thread.html", values)
