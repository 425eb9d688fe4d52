"""Numbers made ready to be drawn: lists of bars with their links, and the charts over time as data for the browser."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from akto_proxy.dashboard import formats
from akto_proxy.dashboard.conditions import step_for
from akto_proxy.dashboard.house import House
from akto_proxy.store.face import Bucket, By, Count, Filter


def bar(name: str, value: int, href: str, *, label: str = "", part: int = 0, kind: str = "") -> dict[str, Any]:
    """One bar: a link, its value, and the part of it that was blocked."""
    note = f"{formats.number(part)} blocked" if part else ""
    return {"name": name, "label": label, "value": value, "part": part, "href": href, "kind": kind, "note": note}


def bars(counts: Iterable[Count], field: str, since: str) -> list[dict[str, Any]]:
    """Bars of callers, endpoints and such, each a link to its traces, with the blocked part shown apart."""
    return [bar(c.name, c.traces, traces_of(field, c.name, since), part=c.blocked) for c in counts]


def flags(
    counts: Iterable[Count], field: str, since: str, *, path: str = "/traces", words: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Bars of rules and such, in the colour of the verdict that most of their calls got; the blocked part apart.

    A call that several rules found something in counts for each, so the strongest verdict would colour them all.
    """
    return [
        bar(
            count.name,
            count.traces,
            path + formats.query({field: count.name, "since": since}),
            label=(words or {}).get(count.name, ""),
            part=count.blocked if usual(count) != "block" else 0,
            kind=usual(count),
        )
        for count in counts
    ]


def usual(count: Count) -> str:
    """The verdict that most of the calls got; of two that are as common, the stronger; empty where all passed."""
    most = max(count.blocked, count.redacted, count.alerted)
    ordered = (("block", count.blocked), ("redact", count.redacted), ("alert", count.alerted))
    return next((kind for kind, calls in ordered if calls and calls == most), "")


def traces_of(field: str, name: str, since: str) -> str:
    """The address of the list of traces that have `name` in `field`."""
    return "/traces" + formats.query({field: name, "since": since})


def top_callers(parts: House, where: Filter, limit: int = 6) -> tuple[By, tuple[Count, ...]]:
    """Who calls most: by user where requests say one, else by key, else by address."""
    for by in (By.USER, By.KEY):
        found = parts.traces.top(by, where, limit=limit)
        if found:
            return by, found
    return By.IP, parts.traces.top(By.IP, where, limit=limit)


def over_time(parts: House, where: Filter, *, step: float = 0.0) -> tuple[Bucket, ...]:
    """Verdicts in steps (about 60 of them unless `step` seconds are asked for), up to now: what is to come is no zero.

    A range ends on a whole hour, so its last steps may lie ahead.
    """
    now = parts.clock()
    step = step or step_for(where, now)
    return tuple(bucket for bucket in parts.traces.timeline(where, step=step) if bucket.at <= now)


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
