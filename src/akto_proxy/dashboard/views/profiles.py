"""Endpoints and callers: what was discovered in the traffic, what guards it, and one profile of each."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import Conditions, conditions
from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.together import together
from akto_proxy.dashboard.views.incidents import FIELDS, LONGEST
from akto_proxy.dashboard.views.overview import bars, over_time, verdict_chart
from akto_proxy.dashboard.web import Area, NotFoundError
from akto_proxy.model import Caller
from akto_proxy.policy.compile import Scope
from akto_proxy.policy.explain import explain
from akto_proxy.store.face import By, Count, Filter, Summary

AREA = Area()
MOST = 40
KINDS = {"user": By.USER, "agent": By.AGENT, "key": By.KEY, "team": By.TEAM, "ip": By.IP}
NAMES = {"user": "Users", "agent": "Agents", "key": "Keys", "team": "Teams", "ip": "Addresses"}


@AREA.get("/endpoints", Need.READ)
def endpoints(request: Request) -> Response:
    """Endpoints and routes seen in the traffic, with what guards them."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    rows = [_endpoint(parts, asked, count) for count in parts.traces.top(By.ENDPOINT, asked.where, limit=MOST)]
    values = {
        "title": "Endpoints",
        "section": "endpoints",
        "asked": asked,
        "rows": rows,
        "routes": parts.traces.top(By.ROUTE, asked.where, limit=MOST),
        "refused": next((c.traces for c in parts.traces.top(By.OUTCOME, asked.where) if c.name == "refused"), 0),
    }
    return parts.pages.answer(request, "endpoints.html", values)


def _endpoint(parts: House, asked: Conditions, count: Count) -> dict[str, Any]:
    where = Filter(since=asked.where.since, until=asked.where.until, endpoint=count.name)
    last = parts.traces.search(where, limit=1).items
    lines = explain(in_force(parts).policies, _scope(last[0])) if last else []
    return {
        "count": count,
        "last": last[0] if last else None,
        "guards": [line for line in lines if line.applies and line.mode == "enforce"],
        "watched": [line for line in lines if line.applies and line.mode == "monitor"],
    }


def _scope(item: Summary) -> Scope:
    caller = Caller(item.ip, item.key, item.user, item.team, item.agent, item.session)
    return Scope(item.endpoint, item.sensitivity, item.method, item.path, item.route, item.model, caller)


@AREA.get("/endpoints/profile", Need.READ)
def endpoint(request: Request, name: str = "") -> Response:
    """One endpoint: its traffic, and which policies apply there and why not."""
    parts = house(request)
    asked = conditions({**request.query_params, "endpoint": name}, parts.clock())
    last = parts.traces.search(Filter(endpoint=name), limit=1).items if name else ()
    if not last:
        raise NotFoundError("No call to this endpoint is kept.")
    values = {
        "title": name,
        "section": "endpoints",
        "name": name,
        "last": last[0],
        "lines": explain(in_force(parts).policies, _scope(last[0])),
        **_profile(parts, asked, By.ENDPOINT, callers=By.USER, models=By.MODEL),
    }
    return parts.pages.answer(request, "endpoint.html", values)


def _profile(parts: House, asked: Conditions, by: By, **more: By) -> dict[str, Any]:
    """What both kinds of profile show; `more` names further lists of bars."""
    top, where = parts.traces.top, asked.where

    def listed(kind: By) -> Any:
        return bars(top(kind, where, limit=8), kind.value, asked.since, by_verdict=kind is By.RULE)

    # Counts, not totals: latency quantiles of one caller would need every row.
    found = together(
        count=lambda: top(by, where, limit=1),
        buckets=lambda: over_time(parts, where),
        recent=lambda: parts.traces.events(where, limit=12).items,
        rules=lambda: listed(By.RULE),
        **{name: partial(listed, kind) for name, kind in more.items()},
    )
    count = found.pop("count")
    verdicts = verdict_chart(found.pop("buckets"))
    return {"charts": True, "asked": asked, "count": count[0] if count else Count(""), "verdicts": verdicts, **found}


@AREA.get("/callers", Need.READ)
def callers(request: Request) -> Response:
    """Who calls, by kind, with how much of it was flagged."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    kind = request.query_params.get("by", "user")
    kind = kind if kind in KINDS else "user"
    refused = {(block.field, block.value) for block in parts.control.blocks() if block.until > parts.clock()}
    rows: list[dict[str, Any]] = [
        {"count": count, "risk": risk(count), "blocked": (kind, count.name) in refused}
        for count in parts.traces.top(KINDS[kind], asked.where, limit=100)
    ]
    values = {
        "title": "Callers",
        "section": "callers",
        "asked": asked,
        "kind": kind,
        "kinds": NAMES,
        "rows": sorted(rows, key=lambda row: -row["risk"]) if request.query_params.get("sort") == "risk" else rows,
        "sort": request.query_params.get("sort", ""),
    }
    return parts.pages.answer(request, "callers.html", values)


def risk(count: Count) -> int:
    """0 to 100: blocked calls in a hundred count five, redacted two, alerted one."""
    return min(100, round(100 * (5 * count.blocked + 2 * count.redacted + count.alerted) / max(1, count.traces)))


@AREA.get("/callers/profile", Need.READ)
def caller(request: Request, field: str = "", value: str = "") -> Response:
    """One caller: history, risk, what was decided, and the way to block them."""
    parts = house(request)
    if field not in KINDS or not value:
        raise NotFoundError("There is no such caller.")
    asked = conditions({**request.query_params, field: value}, parts.clock())
    now = parts.clock()
    profile = _profile(parts, asked, KINDS[field], endpoints=By.ENDPOINT, addresses=By.IP)
    values = {
        "title": value,
        "section": "callers",
        "field": field,
        "value": value,
        "risk": risk(profile["count"]),
        **profile,
        "blocks": [b for b in parts.control.blocks() if b.until > now and (b.field, b.value) == (field, value)],
        "fields": FIELDS,
        "lasts": list(LONGEST),
    }
    return parts.pages.answer(request, "caller.html", values)
