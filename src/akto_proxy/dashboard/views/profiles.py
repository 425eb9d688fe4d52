"""Endpoints and callers: what was discovered in the traffic, what guards it and limits it, and one profile of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import Conditions, conditions, step_for
from akto_proxy.dashboard.coverage import coverage, last_of
from akto_proxy.dashboard.figures import bars, flags, over_time, verdict_chart
from akto_proxy.dashboard.formats import query
from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.together import together
from akto_proxy.dashboard.views.incidents import FIELDS, LONGEST, blocks_of
from akto_proxy.dashboard.views.limits import limits_in_force
from akto_proxy.dashboard.web import Area, NotFoundError
from akto_proxy.limits.schema import Limit
from akto_proxy.store.face import Bucket, By, Count, Filter

AREA = Area()
MOST = 40
HOUR = 3600.0
MINE, EVERYBODYS = 10_000, 30_000
"""Calls that the lists of a profile count at most: of the one it is about, and of all in the same time. Both bound how
long a store may have to look; older ones are left out and the page says so."""
KINDS = {"user": By.USER, "agent": By.AGENT, "key": By.KEY, "team": By.TEAM, "ip": By.IP}
NAMES = {"user": "Users", "agent": "Agents", "key": "Keys", "team": "Teams", "ip": "Addresses"}


@AREA.get("/endpoints", Need.READ)
def endpoints(request: Request) -> Response:
    """Endpoints and routes seen in the traffic, with what guards them."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    top, where = parts.traces.top, asked.where
    values = {
        "title": "Endpoints",
        "section": "endpoints",
        "asked": asked,
        "rows": covered(parts, top(By.ENDPOINT, where, limit=MOST), "endpoint"),
        "routes": covered(parts, top(By.ROUTE, where, limit=MOST), "route"),
        "refused": next((c.traces for c in top(By.OUTCOME, where, limit=50) if c.name == "refused"), 0),
    }
    return parts.pages.answer(request, "endpoints.html", values)


def covered(parts: House, counts: tuple[Count, ...], field: str) -> list[dict[str, Any]]:
    """Each group with how its newest call was guarded."""
    return [{"count": count, "cover": coverage(parts, last_of(parts, count, field))} for count in counts]


@AREA.get("/endpoints/profile", Need.READ)
def endpoint(request: Request, name: str = "") -> Response:
    """One endpoint: its traffic, its limits, and which policies apply there and why not."""
    parts = house(request)
    asked = conditions({**request.query_params, "endpoint": name}, parts.clock())
    count = next(iter(parts.traces.top(By.ENDPOINT, Filter(endpoint=name), limit=1)), None) if name else None
    if count is None:
        raise NotFoundError("No call to this endpoint is kept.")
    cover = coverage(parts, last_of(parts, count, "endpoint"))
    values = {
        "title": name,
        "section": "endpoints",
        "name": name,
        "cover": cover,
        "limits": limits_of(parts, "endpoint", name),
        **_profile(parts, asked, By.ENDPOINT, callers=By.USER, models=By.MODEL),
    }
    return parts.pages.answer(request, "endpoint.html", values)


def _profile(parts: House, asked: Conditions, by: By, **more: By) -> dict[str, Any]:
    """What both kinds of profile show; `more` names further lists of bars."""
    top, where = parts.traces.top, asked.where
    buckets = over_time(parts, where, step=max(HOUR, step_for(where, parts.clock())))
    near = newest(parts, where)

    def listed(kind: By) -> Any:
        draw = flags if kind is By.RULE else bars
        return draw(top(kind, near, limit=8), kind.value, asked.since)

    # Counts, not totals: latency quantiles of one caller would need every row.
    found = together(
        count=lambda: top(by, where, limit=1),
        recent=lambda: parts.traces.events(near, limit=12).items,
        rules=lambda: listed(By.RULE),
        **{name: partial(listed, kind) for name, kind in more.items()},
    )
    count = found.pop("count")
    return {
        "charts": True,
        "asked": asked,
        "count": count[0] if count else Count(""),
        "verdicts": verdict_chart(buckets),
        "cut": near.since if near.since != where.since else 0.0,
        **found,
    }


def newest(parts: House, where: Filter) -> Filter:
    """The same question about its newest hours, as many as hold MINE of its calls and EVERYBODYS of all."""
    mine = parts.traces.timeline(where, step=HOUR)
    every = parts.traces.timeline(Filter(since=where.since, until=where.until), step=HOUR)
    start = max(_full(mine, MINE), _full(every, EVERYBODYS))
    return replace(where, since=max(where.since, start))


def _full(buckets: tuple[Bucket, ...], most: int) -> float:
    seen = 0
    for bucket in reversed(buckets):
        seen += bucket.traces
        if seen > most:
            return bucket.at
    return 0.0


def limits_of(parts: House, field: str, value: str) -> list[Limit]:
    """The limits that may count calls with this value: those that no glob of theirs keeps away from it."""
    return [
        limit
        for limit, _ in limits_in_force(parts)
        if field not in limit.only or any(fnmatchcase(value, glob) for glob in limit.only[field])
    ]


@AREA.get("/callers", Need.READ)
def callers(request: Request) -> Response:
    """Who calls, by kind, with how much of it was flagged; if no kind is asked for, the first that was seen."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock(), default="7d")
    wanted = request.query_params.get("by", "")
    kind, counts = _first_seen(parts, asked.where, (wanted,) if wanted in KINDS else tuple(KINDS))
    refused = {(block.field, block.value) for block in parts.control.blocks() if block.until > parts.clock()}
    rows: list[dict[str, Any]] = [
        {"count": count, "risk": risk(count), "blocked": (kind, count.name) in refused} for count in counts
    ]
    values = {
        "title": "Callers",
        "section": "callers",
        "asked": asked,
        "kind": kind,
        "kinds": NAMES,
        "rows": sorted(rows, key=lambda row: -row["risk"]) if request.query_params.get("sort") == "risk" else rows,
        "sort": "risk" if request.query_params.get("sort") == "risk" else "",
    }
    return parts.pages.answer(request, "callers.html", values)


def _first_seen(parts: House, where: Filter, kinds: tuple[str, ...]) -> tuple[str, Sequence[Count]]:
    for kind in kinds:
        if counts := parts.traces.top(KINDS[kind], where, limit=100):
            return kind, counts
    return kinds[0], ()


def risk(count: Count) -> int:
    """0 to 100: two for each blocked call in a hundred, a fifth of that for redacted ones, a tenth for alerted ones."""
    weight = count.blocked + count.redacted / 5 + count.alerted / 10
    return min(100, round(200 * weight / max(1, count.traces)))


@AREA.get("/callers/profile", Need.READ)
def caller(request: Request, field: str = "", value: str = "") -> Response:
    """One caller: history, risk, limits, incidents, what was decided, and the way to block them."""
    parts = house(request)
    if field not in KINDS or not value:
        raise NotFoundError("There is no such caller.")
    asked = conditions({**request.query_params, field: value}, parts.clock())
    known = next(iter(parts.traces.top(KINDS[field], Filter(**{field: value}), limit=1)), None)  # type: ignore[arg-type]
    profile = _profile(parts, asked, KINDS[field], endpoints=By.ENDPOINT, addresses=By.IP)
    values = {
        "title": value,
        "section": "callers",
        "field": field,
        "value": value,
        "risk": risk(profile["count"]),
        "known": known,
        "limits": [limit for limit in limits_of(parts, field, value) if not limit.by or field in limit.by],
        "incidents": [i for i in parts.control.incidents(limit=200) if about(i.subject, field, value)][:6],
        **profile,
        "blocks": blocks_of(parts, field, value),
        "back": "/callers/profile" + query({"field": field, "value": value}),
        "fields": FIELDS,
        "lasts": list(LONGEST),
    }
    return parts.pages.answer(request, "caller.html", values)


def about(subject: str, field: str, value: str) -> bool:
    """Whether an incident's subject is this caller; a key's subject also says which user or agent it named itself."""
    keyed = subject.startswith("caller key:")
    name, _, said = subject.partition(" (") if keyed else (subject, "", "")
    return name == f"caller {field}:{value}" or (field in ("user", "agent") and said == f"{value})")
