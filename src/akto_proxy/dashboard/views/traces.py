"""Traces: the list with its filters and live follow, one trace in full, export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from akto_proxy.dashboard.conditions import Conditions, conditions
from akto_proxy.dashboard.detail import detail
from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.reasons import reason
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.web import Area, NotFoundError, cursors, from_htmx, goto, me
from akto_proxy.model import Message, Trace
from akto_proxy.store.control import View
from akto_proxy.store.face import By, Filter, Summary

AREA = Area()
PAGE = 50
EXPORT_MOST = 100_000
MORE = ("from", "to", "severity", "outcome", "status", "session", "agent", "team", "key", "ip")
CHOICES = (By.ENDPOINT, By.MODEL, By.RULE, By.OUTCOME)


@AREA.get("/traces", Need.READ)
def trace_list(request: Request) -> Response:
    """The list; asked by htmx with a cursor, only more rows."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    cursor = request.query_params.get("cursor", "")
    with cursors():
        page = parts.traces.search(asked.where, cursor=cursor, limit=PAGE)
    values: dict[str, Any] = {"page": page, "asked": asked, "keep": asked.asked}
    if cursor and from_htmx(request):
        return parts.pages.answer(request, "traces_rows.html", values)
    values |= {
        "title": "Traces",
        "section": "traces",
        "choices": _choices(parts, asked),
        "total": parts.traces.count(asked.where) if asked.where.only_time else None,
        "live": parts.traces.after().cursor,
        "views": parts.control.views(me(request).name),
        "current": urlencode(asked.asked),
        "more": any(name in asked.asked for name in MORE),
    }
    return parts.pages.answer(request, "traces.html", values)


def _choices(parts: House, asked: Conditions) -> dict[str, list[str]]:
    offered = {}
    for by in CHOICES:
        names = list(parts.traces.distinct(by, since=asked.where.since, limit=60))
        chosen = asked.asked.get(by.value, "")
        offered[by.value] = names if not chosen or chosen in names else [chosen, *names]
    return offered


@AREA.post("/traces/views", Need.ACCOUNT)
def save_view(
    request: Request,
    name: Annotated[str, Form(max_length=80)],
    query: Annotated[str, Form(max_length=2000)],
    shared: Annotated[str, Form(max_length=5)] = "",
) -> Response:
    """Keep a filtered list under a name."""
    parts = house(request)
    kept = conditions(dict(parse_qsl(query.lstrip("?"))), parts.clock()).asked
    view = View(parts.randomness(8).hex(), me(request).name, name.strip() or "unnamed", urlencode(kept), bool(shared))
    parts.control.keep_view(view)
    parts.note(request, "view.save", view.name)
    return goto(f"/traces?{view.query}&said=saved", request)


@AREA.post("/traces/views/remove", Need.ACCOUNT)
def remove_view(request: Request, id: Annotated[str, Form(max_length=64)]) -> Response:  # noqa: A002
    """Forget one's own view."""
    parts = house(request)
    parts.control.remove_view(id, me(request).name)
    parts.note(request, "view.remove", id)
    return goto("/traces?said=removed", request)


@AREA.get("/traces/live", Need.READ)
def live(request: Request, cursor: str = "") -> Response:
    """Rows that arrived after `cursor` and fit the filter, for the page that follows; the cursor to ask with next."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    rows, cursor = arrived(parts, cursor[:200], asked.where)
    answer = parts.pages.answer(request, "traces_live.html", {"items": rows, "keep": asked.asked})
    answer.headers["x-cursor"] = cursor
    return answer


def arrived(parts: House, cursor: str, where: Filter) -> tuple[list[Summary], str]:
    """What arrived after `cursor` and fits, newest first, and the cursor to ask with next.

    The store is asked with the filter itself, over the time of what arrived, so that following shows what a list would.

    Raises:
        BadInputError: the cursor is none.
    """
    with cursors():
        fresh = parts.traces.after(cursor, limit=200)
    items = list(reversed(fresh.items))
    if not items or where.only_time:
        return [item for item in items if item.started >= where.since], fresh.cursor
    first, last = min(item.started for item in items), max(item.started for item in items)
    near = replace(where, since=max(where.since, first), until=last + 1e-3)
    fits = {item.id for item in parts.traces.search(near, limit=1000).items}
    return [item for item in items if item.id in fits], fresh.cursor


@AREA.get("/traces/export.jsonl", Need.EXPORT)
def export(request: Request) -> Response:
    """The records of the filtered list, as kept, one JSON a line."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    parts.note(request, "traces.export", detail="&".join(f"{k}={v}" for k, v in asked.asked.items() if k != "text"))
    headers = {"content-disposition": 'attachment; filename="traces.jsonl"'}
    return StreamingResponse(lines(parts, asked.where), media_type="application/x-ndjson", headers=headers)


def lines(parts: House, where: Filter) -> Iterator[bytes]:
    """The records as kept, a line each, at most EXPORT_MOST."""
    for number, record in enumerate(parts.traces.export(where)):
        if number >= EXPORT_MOST:
            return
        yield record.rstrip(b"\n") + b"\n"


@AREA.get("/traces/{trace_id}", Need.READ)
def one(request: Request, trace_id: str) -> Response:
    """One trace in full."""
    parts = house(request)
    trace = find(parts, trace_id)
    asked = conditions(request.query_params, parts.clock(), default="all")
    older, newer = neighbours(parts, trace, asked.where)
    around = {"older": older, "newer": newer, "keep": asked.asked, "unmasked": False}
    return parts.pages.answer(request, "trace.html", {**_trace(parts, trace), **around})


def _trace(parts: House, trace: Trace) -> dict[str, Any]:
    return {
        "title": f"Trace {trace.id[:12]}",
        "section": "traces",
        "trace": trace,
        "shown": detail(trace, parts.options.proxy_url),
        "in_session": _in_session(parts, trace),
        "sealed": "sealed" in (trace.request.encoding, trace.response.encoding),
        "events": [f"{trace.id}:{number}" for number in range(len(trace.decisions))],
        "why": [reason(item, parts.workshop.known.get(item.rule)) for item in trace.decisions],
    }


def _in_session(parts: House, trace: Trace) -> int:
    """How many calls of its session are near (a day before and after): enough to offer the thread."""
    if not trace.caller.session:
        return 0
    near = Filter(since=trace.started - 86400, until=trace.started + 86400, session=trace.caller.session)
    return parts.traces.count(near)


@AREA.post("/traces/{trace_id}/unmask", Need.UNMASK)
def unmask(request: Request, trace_id: str) -> Response:
    """One trace with its sealed texts opened (`CAPTURE=full`). Each such view is in the audit log, by trace id."""
    parts = house(request)
    trace = opened(parts, find(parts, trace_id))
    parts.note(request, "trace.unmask", trace.id)
    around = {"older": "", "newer": "", "keep": {}, "unmasked": True}
    return parts.pages.answer(request, "trace.html", {**_trace(parts, trace), **around})


def opened(parts: House, trace: Trace) -> Trace:
    """The trace with sealed texts opened.

    Raises:
        NotFoundError: nothing is sealed, or the key is not here.
    """
    if parts.unseal is None or "sealed" not in (trace.request.encoding, trace.response.encoding):
        raise NotFoundError("This trace was kept masked; nobody can unmask it.")
    return replace(trace, request=_open(parts, trace.request), response=_open(parts, trace.response))


def _open(parts: House, message: Message) -> Message:
    if message.encoding != "sealed" or parts.unseal is None:
        return message
    try:
        data = parts.unseal(message.body)
    except ValueError:
        raise NotFoundError("The key that sealed this text is not among those of this server.") from None
    return replace(message, body=data.decode("utf-8", "replace"), encoding="text")


def find(parts: House, trace_id: str) -> Trace:
    """A trace by id.

    Raises:
        NotFoundError: there is none.
    """
    good = len(trace_id) <= 64 and trace_id.isascii() and trace_id.isalnum()
    trace = parts.traces.get(trace_id) if good else None
    if trace is None:
        raise NotFoundError("This trace is not kept (any more).")
    return trace


def neighbours(parts: House, trace: Trace, where: Filter) -> tuple[str, str]:
    """The ids of the next older and newer trace within a filter, empty at the ends."""
    older = parts.traces.search(_between(where, where.since, trace.started), limit=1).items
    span = 0.05
    newest = parts.traces.storage().newest
    while span < 4e8:
        page = parts.traces.search(_between(where, trace.started, trace.started + span), limit=200)
        later = [item for item in page.items if item.id != trace.id and item.started >= trace.started]
        if later:
            return (older[0].id if older else ""), later[-1].id
        if trace.started + span > newest:
            break
        span *= 8
    return (older[0].id if older else ""), ""


def _between(where: Filter, since: float, until: float) -> Filter:
    return replace(where, since=since, until=until)
