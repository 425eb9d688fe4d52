"""Guardrail activity: each decision with what a person made of it, in bulk, and the numbers from each side."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import Conditions, conditions
from akto_proxy.dashboard.figures import bar, flags
from akto_proxy.dashboard.formats import query
from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.together import together
from akto_proxy.dashboard.views.reports import frameworks
from akto_proxy.dashboard.web import Area, BadInputError, cursors, goto, me
from akto_proxy.store.control import Mark
from akto_proxy.store.face import By, Event, Filter

AREA = Area()
PAGE = 50
SCAN = 5
STATES = {"active": "Active", "review": "Under review", "ignored": "Ignored", "false-positive": "False positive"}
LEVELS = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low"}
WAYS = {"request": "Requests", "response": "Answers"}
CHOICES = (By.CATEGORY, By.RULE, By.POLICY)
EVENT = re.compile(r"[0-9A-Za-z]{1,64}:[0-9]{1,4}")


@AREA.get("/activity", Need.READ)
def activity(request: Request) -> Response:
    """Decisions of one state, with filters."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    state = request.query_params.get("state", "active")
    state = state if state in STATES else "active"
    framework = request.query_params.get("framework", "")[:100]
    rows, following = listed(parts, asked, state, framework, request.query_params.get("cursor", ""))
    values: dict[str, Any] = {
        "title": "Guardrail activity",
        "section": "activity",
        "asked": asked,
        "keep": {
            **asked.asked,
            **({"state": state} if state != "active" else {}),
            **({"framework": framework} if framework else {}),
        },
        "state": state,
        "states": STATES,
        "rows": rows,
        "next": following,
        "counts": {key: len(parts.control.marked(key, limit=1000)) for key in STATES if key != "active"},
        **_numbers(parts, asked),
    }
    return parts.pages.answer(request, "activity.html", values)


def listed(
    parts: House, asked: Conditions, state: str, framework: str, cursor: str
) -> tuple[list[tuple[Event, Mark | None]], str]:
    """A page of decisions in a state that serve a control framework, and where the next begins."""
    if state != "active":
        return [row for row in _marked(parts, state) if _serves(row[0], framework)], ""
    rows: list[tuple[Event, Mark | None]] = []
    for _ in range(SCAN):
        with cursors():
            page = parts.traces.events(asked.where, cursor=cursor, limit=PAGE)
        marks = parts.control.marks([event.id for event in page.items])
        rows += [(event, None) for event in page.items if event.id not in marks and _serves(event, framework)]
        cursor = page.next
        if len(rows) >= PAGE // 2 or not cursor:
            break
    return rows, cursor


def _serves(event: Event, framework: str) -> bool:
    return not framework or any(control.partition(":")[0] == framework for control in event.decision.controls)


def _numbers(parts: House, asked: Conditions) -> dict[str, Any]:
    """What was decided, seen from each side: rule, severity, direction, category, policy, control framework."""
    where, since, top = asked.where, asked.since, parts.traces.top

    def listed(by: By, words: dict[str, str] | None = None) -> list[dict[str, Any]]:
        return flags(top(by, where, limit=6), by.value, since, path="/activity", words=words)

    found = together(
        totals=lambda: parts.traces.totals(where),
        rules=lambda: listed(By.RULE),
        severities=lambda: sorted(listed(By.SEVERITY, LEVELS), key=lambda row: list(LEVELS).index(row["name"])),
        directions=lambda: listed(By.DIRECTION, WAYS),
        categories=lambda: listed(By.CATEGORY),
        policies=lambda: listed(By.POLICY),
        served=lambda: frameworks(parts, where),
        choices=lambda: {by.value: parts.traces.distinct(by, since=where.since) for by in CHOICES},
    )
    served = found.pop("served")
    # Policies of one framework may flag the same call, so the strongest control stands for it and none counts twice.
    hits = {name: max((row["hits"] for row in rows), default=0) for name, rows in served.items()}
    found["frameworks"] = [
        bar(name, count, "/activity" + query({"framework": name, "since": since}))
        for name, count in sorted(hits.items(), key=lambda item: -item[1])
    ]
    found["choices"]["framework"] = tuple(sorted(served))
    return found


def _marked(parts: House, state: str) -> list[tuple[Event, Mark | None]]:
    """Decisions that were moved to a state, found through their traces; those whose trace has expired are left out."""
    rows: list[tuple[Event, Mark | None]] = []
    for mark in parts.control.marked(state, limit=200):
        trace_id, _, number = mark.event.partition(":")
        moment = parts.traces.get(trace_id)
        if moment is None or not number.isdigit() or int(number) >= len(moment.decisions):
            continue
        page = parts.traces.events(Filter(since=moment.started, until=moment.started + 1e-3), limit=200)
        found = next((event for event in page.items if event.id == mark.event), None)
        if found is not None:
            rows.append((found, mark))
    return rows


@AREA.post("/activity/mark", Need.TRIAGE)
def mark(
    request: Request,
    state: Annotated[str, Form(max_length=40)],
    event: Annotated[list[str], Form(max_length=500)] = [],  # noqa: B006 - FastAPI copies it
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Move decisions to a state."""
    move(request, event, state)
    kept = [pair for pair in parse_qsl(back.lstrip("?")) if pair[0] not in ("said", "cursor")]
    return goto("/activity?" + urlencode([*kept, ("said", "triaged")]), request)


def move(request: Request, events: Sequence[str], state: str) -> None:
    """Move decisions to a state, and say so in the audit log.

    Raises:
        BadInputError: the state or an id is not known.
    """
    parts = house(request)
    if state not in STATES:
        raise BadInputError(f"A state is one of {', '.join(STATES)}.")
    if not events or not all(EVENT.fullmatch(item) for item in events):
        raise BadInputError("Choose at least one decision.")
    parts.control.mark(events, state, by=me(request).name, at=parts.clock())
    parts.note(request, "decision.mark", f"{len(events)} decisions", state)
