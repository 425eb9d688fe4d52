"""The front page: what passed, what was stopped, how long it took, and whether all parts are well."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard import formats
from akto_proxy.dashboard.conditions import Conditions, conditions
from akto_proxy.dashboard.figures import bar, bars, flags, over_time, token_chart, top_callers, traces_of, verdict_chart
from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.together import together
from akto_proxy.dashboard.web import Area
from akto_proxy.model import Severity
from akto_proxy.store.face import By, Filter, Totals

AREA = Area()
STALE = 60.0
"""Seconds without a word after which a proxy is shown as away."""


@AREA.get("/", Need.READ)
def overview(request: Request) -> Response:
    """The front page."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    found = together(
        totals=lambda: parts.traces.totals(asked.where),
        before=lambda: parts.traces.totals(asked.before()) if asked.since != "all" else Totals(),
        buckets=lambda: over_time(parts, asked.where),
        recent=lambda: parts.traces.events(_severe(asked.where), limit=6).items,
    )
    totals, buckets = found["totals"], found["buckets"]
    if not totals.traces and not parts.traces.count(Filter()):
        return parts.pages.answer(request, "overview_empty.html", _next_steps(parts))
    values = {
        "title": "Overview",
        "section": "overview",
        "charts": True,
        "since": asked.since,
        **found,
        "change": formats.change,
        "verdicts": verdict_chart(buckets),
        "tokens": token_chart(buckets),
        "latency": latency_rows(totals),
        "proxies": _proxies(parts),
        **_tops(parts, asked),
    }
    return parts.pages.answer(request, "overview.html", values)


def _next_steps(parts: House) -> dict[str, Any]:
    return {"title": "Overview", "section": "overview", "proxy_url": parts.options.proxy_url}


def _severe(where: Filter) -> Filter:
    return Filter(since=where.since, until=where.until, severity=Severity.HIGH)


def _tops(parts: House, asked: Conditions) -> dict[str, Any]:
    top, since = parts.traces.top, asked.since
    by, callers = top_callers(parts, asked.where)
    entities = sorted(top(By.ENTITY, asked.where, limit=50), key=lambda count: -count.redacted)
    return {
        "rules": flags(top(By.RULE, asked.where, limit=6), "rule", since),
        "callers": bars(callers, by.value, since),
        "endpoints": bars(top(By.ENDPOINT, asked.where, limit=6), "endpoint", since),
        "entities": [
            bar(count.name, count.redacted, traces_of("entity", count.name, since), kind="redact")
            for count in entities[:6]
            if count.redacted
        ],
    }


def latency_rows(totals: Totals) -> list[dict[str, Any]]:
    """How long calls took at three quantiles: the whole, the model's part and our guard's apart, the first byte."""
    return [
        {"name": "Whole call", "help": "From the request's head to the answer's last byte", "at": totals.total},
        {"name": "Model", "help": "The whole without our guard: the model and the network", "at": totals.rest},
        {"name": "First byte", "help": "Until the caller had the first byte of the answer", "at": totals.first_byte},
        {"name": "Our guard", "help": "What the checks of this proxy added, in both directions", "at": totals.guard},
    ]


def _proxies(parts: House) -> list[dict[str, Any]]:
    now = parts.clock()
    return [{"it": proxy, "away": now - proxy.seen > STALE} for proxy in parts.control.proxies()]
