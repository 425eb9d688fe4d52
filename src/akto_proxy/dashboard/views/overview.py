"""The front page: what passed, what was stopped, how long it took, and whether all parts are well."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard import formats
from akto_proxy.dashboard.conditions import Conditions, conditions, step_for
from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.together import together
from akto_proxy.dashboard.web import Area
from akto_proxy.model import Severity
from akto_proxy.store.face import Bucket, By, Count, Filter, Totals

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
        "rules": bars(top(By.RULE, asked.where, limit=6), "rule", since, by_verdict=True),
        "callers": bars(callers, by.value, since),
        "endpoints": bars(top(By.ENDPOINT, asked.where, limit=6), "endpoint", since),
        "entities": [_redacted(count, since) for count in entities[:6] if count.redacted],
    }


def top_callers(parts: House, where: Filter, limit: int = 6) -> tuple[By, tuple[Count, ...]]:
    """Who calls most: by user where requests say one, else by key, else by address."""
    for by in (By.USER, By.KEY):
        found = parts.traces.top(by, where, limit=limit)
        if found:
            return by, found
    return By.IP, parts.traces.top(By.IP, where, limit=limit)


def _redacted(count: Count, since: str) -> dict[str, Any]:
    href = f"/traces{link('entity', count.name, since)}"
    return {
        "name": count.name,
        "label": "",
        "value": count.redacted,
        "part": 0,
        "href": href,
        "kind": "redact",
        "note": "",
    }


def bars(counts: Iterable[Count], field: str, since: str, *, by_verdict: bool = False) -> list[dict[str, Any]]:
    """Rows for a list of bars, each a link to its traces.

    The part that was blocked is shown apart, or (`by_verdict`) the whole bar has the colour of the strongest verdict.
    """
    rows = []
    for count in counts:
        strongest = "block" if count.blocked else "redact" if count.redacted else "alert" if count.alerted else ""
        rows.append(
            {
                "name": count.name,
                "label": "",
                "value": count.traces,
                "part": 0 if by_verdict else count.blocked,
                "href": f"/traces{link(field, count.name, since)}",
                "kind": strongest if by_verdict else "",
                "note": f"{formats.number(count.blocked)} blocked" if count.blocked and not by_verdict else "",
            }
        )
    return rows


def link(field: str, name: str, since: str) -> str:
    """The query of a list of traces that have `name` in `field`."""
    return formats.query({field: name, "since": since})


def over_time(parts: House, where: Filter) -> tuple[Bucket, ...]:
    """Verdicts over time in about 60 steps, up to now: a range ends on a whole hour, and what is to come is no zero."""
    now = parts.clock()
    return tuple(bucket for bucket in parts.traces.timeline(where, step=step_for(where, now)) if bucket.at <= now)


def verdict_chart(buckets: tuple[Bucket, ...]) -> str:
    """Data for the chart of verdicts, as JSON for an attribute."""
    series = [
        {"label": "Allowed", "color": "allow", "values": [b.allowed for b in buckets]},
        {"label": "Alerted", "color": "alert", "values": [b.alerted for b in buckets]},
        {"label": "Redacted", "color": "redact", "values": [b.redacted for b in buckets]},
        {"label": "Blocked", "color": "block", "values": [b.blocked for b in buckets]},
    ]
    return _chart("stack", buckets, series)


def token_chart(buckets: tuple[Bucket, ...]) -> str:
    """Data for the chart of tokens."""
    series = [
        {"label": "Prompt", "color": "line", "values": [b.prompt_tokens for b in buckets]},
        {"label": "Completion", "color": "2", "values": [b.completion_tokens for b in buckets]},
    ]
    return _chart("line", buckets, series)


def _chart(kind: str, buckets: tuple[Bucket, ...], series: list[dict[str, Any]]) -> str:
    return json.dumps({"kind": kind, "times": [b.at for b in buckets], "series": series}, separators=(",", ":"))


def latency_rows(totals: Totals) -> list[dict[str, Any]]:
    """How long calls took: the whole, the first byte, and our guard's share, at three quantiles."""
    return [
        {"name": "Whole call", "help": "From the request's head to the answer's last byte", "at": totals.total},
        {"name": "First byte", "help": "Until the caller had the first byte of the answer", "at": totals.first_byte},
        {"name": "Our guard", "help": "What the checks of this proxy added, in both directions", "at": totals.guard},
    ]


def _proxies(parts: House) -> list[dict[str, Any]]:
    now = parts.clock()
    return [{"it": proxy, "away": now - proxy.seen > STALE} for proxy in parts.control.proxies()]
