"""Guardrail activity: each decision with what a person made of it, in bulk, and exceptions after a preview."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import Conditions, conditions
from akto_proxy.dashboard.exceptions import FIELDS, with_exception
from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import save
from akto_proxy.dashboard.views.overview import bars
from akto_proxy.dashboard.views.traces import find
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, goto, me
from akto_proxy.errors import PolicyError
from akto_proxy.model import Decision, Trace
from akto_proxy.store.control import Mark
from akto_proxy.store.face import By, Event, Filter

AREA = Area()
PAGE = 50
SCAN = 5
STATES = {"active": "Active", "review": "Under review", "ignored": "Ignored", "false-positive": "False positive"}
EVENT = re.compile(r"[0-9A-Za-z]{1,64}:[0-9]{1,4}")
PREVIEW = 500


@AREA.get("/activity", Need.READ)
def activity(request: Request) -> Response:
    """Decisions of one state, with filters."""
    parts = house(request)
    asked = conditions(request.query_params, parts.clock())
    state = request.query_params.get("state", "active")
    state = state if state in STATES else "active"
    direction = request.query_params.get("direction", "")
    cursor = request.query_params.get("cursor", "")
    rows, following = listed(parts, asked, state, direction, cursor)
    where = asked.where
    values: dict[str, Any] = {
        "title": "Guardrail activity",
        "section": "activity",
        "asked": asked,
        "keep": {
            **asked.asked,
            **({"state": state} if state != "active" else {}),
            **({"direction": direction} if direction else {}),
        },
        "state": state,
        "states": STATES,
        "direction": direction,
        "rows": rows,
        "next": following,
        "counts": {key: len(parts.control.marked(key, limit=1000)) for key in STATES if key != "active"},
        "totals": parts.traces.totals(where),
        "rules": bars(parts.traces.top(By.RULE, where, limit=6), "rule", asked.since, by_verdict=True),
        "categories": bars(parts.traces.top(By.CATEGORY, where, limit=6), "category", asked.since, by_verdict=True),
        "policies": bars(parts.traces.top(By.POLICY, where, limit=6), "policy", asked.since, by_verdict=True),
        "choices": {by.value: parts.traces.distinct(by, since=where.since) for by in (By.CATEGORY, By.RULE, By.POLICY)},
    }
    return parts.pages.answer(request, "activity.html", values)


def listed(
    parts: House, asked: Conditions, state: str, direction: str, cursor: str
) -> tuple[list[tuple[Event, Mark | None]], str]:
    """A page of decisions in a state, and where the next begins."""
    if state != "active":
        return _marked(parts, state, asked.where), ""
    rows: list[tuple[Event, Mark | None]] = []
    for _ in range(SCAN):
        page = parts.traces.events(asked.where, cursor=cursor, limit=PAGE)
        marks = parts.control.marks([event.id for event in page.items])
        rows += [
            (event, None)
            for event in page.items
            if event.id not in marks and direction in ("", event.decision.direction.value)
        ]
        cursor = page.next
        if len(rows) >= PAGE // 2 or not cursor:
            break
    return rows, cursor


def _marked(parts: House, state: str, where: Filter) -> list[tuple[Event, Mark | None]]:
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


@AREA.get("/activity/exception", Need.TRIAGE)
def exception_page(request: Request, event: str = "", field: str = "", value: str = "") -> Response:
    """What an exception would look like, and what else it would let through."""
    parts = house(request)
    trace, decision = decided(parts, event)
    choices = offered(trace)
    field = field if field in choices else next(iter(choices), "")
    values: dict[str, Any] = {
        "title": "Not a problem?",
        "section": "activity",
        "event": event,
        "trace": trace,
        "decision": decision,
        "choices": choices,
        "field": field,
        "value": choices.get(field, ""),
        **preview(parts, decision, field, choices.get(field, "")),
    }
    return parts.pages.answer(request, "exception.html", values)


def decided(parts: House, event: str) -> tuple[Trace, Decision]:
    """The trace and decision of an event id.

    Raises:
        NotFoundError: there is none.
    """
    trace_id, _, number = event.partition(":")
    trace = find(parts, trace_id)
    if not number.isascii() or not number.isdigit() or int(number) >= len(trace.decisions):
        raise NotFoundError("This decision is not kept (any more).")
    return trace, trace.decisions[int(number)]


def offered(trace: Trace) -> dict[str, str]:
    """For whom an exception can be made, from what the trace says of its caller."""
    caller = trace.caller
    found = {
        "user": caller.user,
        "agent": caller.agent,
        "key": caller.key,
        "team": caller.team,
        "endpoint": trace.endpoint,
        "model": trace.model,
        "ip": caller.ip,
    }
    return {field: value for field, value in found.items() if value and field in FIELDS}


def preview(parts: House, decision: Decision, field: str, value: str) -> dict[str, Any]:
    """What the exception would change over the last 7 days of that rule's traffic."""
    try:
        old = in_force(parts)
        new = parts.workshop.draft(with_exception(old, decision.policy, decision.rule, field, value))
        where = Filter(since=parts.clock() - 7 * 86400, rule=decision.rule)
        report = parts.replays.now(old, new, where, most=PREVIEW)
    except PolicyError as error:
        return {"problem": str(error), "report": None, "moves": []}
    moves = [
        {
            "before": before,
            "after": after,
            "count": count,
            "samples": report.samples.get((before, after), [])[:5],
            "callers": report.callers[(before, after)].most_common(5),
        }
        for (before, after), count in report.changed.items()
    ]
    return {"problem": "", "report": report, "moves": moves, "most": PREVIEW}


@AREA.post("/activity/exception", Need.CHANGE_POLICY)
def exception(
    request: Request,
    event: Annotated[str, Form(max_length=100)],
    field: Annotated[str, Form(max_length=20)],
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Put the exception in force as a new policy version, and mark the decision."""
    parts = house(request)
    trace, decision = decided(parts, event)
    value = offered(trace).get(field, "")
    text = _text(parts, decision, field, value)
    comment = f"Exception: {decision.rule} of {decision.policy} for {field} {value}. {reason}".strip()
    version = save(request, text, comment)
    parts.control.mark([event], "false-positive", by=me(request).name, at=parts.clock())
    said = "proposed" if version.state == "proposed" else "exception"
    return goto(f"/policies?said={said}", request)


def _text(parts: House, decision: Decision, field: str, value: str) -> str:
    try:
        return with_exception(in_force(parts), decision.policy, decision.rule, field, value)
    except PolicyError as error:
        raise BadInputError(str(error)) from None
