"""Incidents: alerts of one cause with their timeline and owner, and callers that are blocked until a set time."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, back_to, goto, me
from akto_proxy.model import Incident, IncidentState
from akto_proxy.store.control import Block, Step
from akto_proxy.watch.respond import overrides, take_back

AREA = Area()
Short = Annotated[str, Form(max_length=300)]
LONGEST = {"1h": 3600.0, "24h": 86400.0, "7d": 604800.0, "30d": 2592000.0}
FIELDS = ("user", "key", "ip", "agent", "team", "session")
OPEN = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
MOVES = {"acknowledge": IncidentState.ACKNOWLEDGED, "resolve": IncidentState.RESOLVED, "reopen": IncidentState.OPEN}


@AREA.get("/incidents", Need.READ)
def incident_list(request: Request) -> Response:
    """Incidents that are not resolved, or all."""
    parts = house(request)
    every = request.query_params.get("state") == "all"
    values: dict[str, Any] = {
        "title": "Incidents",
        "section": "incidents",
        "all": every,
        "incidents": parts.control.incidents(() if every else OPEN),
        "blocked": sum(block.until > parts.clock() for block in parts.control.blocks()),
    }
    return parts.pages.answer(request, "incidents.html", values)


@AREA.get("/incidents/blocked", Need.READ)
def blocked(request: Request) -> Response:
    """Callers that are refused."""
    parts = house(request)
    values = {
        "title": "Blocked callers",
        "section": "incidents",
        "blocks": sorted(parts.control.blocks(), key=lambda block: -block.until),
        "overrides": [item for item in overrides(parts.control) if item.until > parts.clock()],
        "now": parts.clock(),
        "fields": FIELDS,
        "lasts": list(LONGEST),
    }
    return parts.pages.answer(request, "blocked.html", values)


@AREA.get("/incidents/{incident_id}", Need.READ)
def one(request: Request, incident_id: str) -> Response:
    """One incident with its alerts, timeline and traces."""
    parts = house(request)
    incident = incident_of(parts, incident_id)
    alerts = parts.control.alerts(incident_id)
    ids = dict.fromkeys([*incident.trace_ids, *(trace for alert in alerts for trace in alert.trace_ids)])
    caller, value = suspect(parts, list(ids)[:20])
    values: dict[str, Any] = {
        "title": incident.title,
        "section": "incidents",
        "incident": incident,
        "alerts": alerts,
        "steps": parts.control.steps(incident_id),
        "traces": [trace for trace in (parts.traces.get(key) for key in list(ids)[:20]) if trace],
        "people": [person.name for person in parts.control.people() if not person.disabled],
        "field": caller,
        "value": value,
        "blocks": blocks_of(parts, caller, value),
        "back": f"/incidents/{incident_id}",
        "fields": FIELDS,
        "lasts": list(LONGEST),
    }
    return parts.pages.answer(request, "incident.html", values)


def blocks_of(parts: House, field: str, value: str) -> list[Block]:
    """The blocks of a caller that are in force."""
    now = parts.clock()
    return [
        block for block in parts.control.blocks() if block.until > now and (block.field, block.value) == (field, value)
    ]


def incident_of(parts: House, incident_id: str) -> Incident:
    """An incident by id.

    Raises:
        NotFoundError: there is none.
    """
    incident = parts.control.incident(incident_id[:64])
    if incident is None:
        raise NotFoundError("There is no such incident.")
    return incident


def suspect(parts: House, ids: list[str]) -> tuple[str, str]:
    """Who made all these calls, if it was one."""
    traces = [trace for trace in (parts.traces.get(key) for key in ids) if trace]
    for field in ("user", "key", "ip", "agent"):
        seen = {getattr(trace.caller, field) for trace in traces}
        if len(seen) == 1 and (value := seen.pop()):
            return field, str(value)
    return "", ""


@AREA.post("/incidents/{incident_id}", Need.RESPOND)
def act(request: Request, incident_id: str, move: Short = "", text: Short = "", assignee: Short = "") -> Response:
    """Acknowledge, resolve, reopen, give to somebody, or add a note."""
    change(request, incident_id, move=move, text=text, assignee=assignee)
    return goto(f"/incidents/{incident_id}", request)


def change(request: Request, incident_id: str, *, move: str = "", text: str = "", assignee: str = "") -> None:
    """Do one of: a move, an owner, a note; and log it.

    Raises:
        NotFoundError: there is no such incident. BadInputError: nothing that can be done was asked.
    """
    parts = house(request)
    incident_of(parts, incident_id)
    by, now = me(request).name, parts.clock()
    state = MOVES.get(move)
    if move and state is None:
        raise BadInputError("An incident can be acknowledged, resolved or reopened.")
    if assignee and parts.control.person(assignee) is None:
        raise BadInputError("There is nobody of this name.")
    if not (state or text or assignee):
        raise BadInputError("Say what to do: a move, an owner or a note.")
    kind = state.value if state else "assigned" if assignee else "note"
    step = Step(now, by, kind, text or assignee)
    owner = assignee or (by if state is IncidentState.ACKNOWLEDGED else None)
    parts.control.move_incident(incident_id, step, state=state, assignee=owner)
    parts.note(request, f"incident.{kind}", incident_id)


@AREA.post("/callers/block", Need.RESPOND)
def block_caller(
    request: Request, field: Short, value: Short, last: Short = "24h", reason: Short = "", back: Short = ""
) -> Response:
    """Refuse a caller for a time."""
    block(request, field, value, last, reason)
    target = back_to(back) if back else "/incidents/blocked"
    return goto(f"{target}{'&' if '?' in target else '?'}said=blocked", request)


def block(request: Request, field: str, value: str, last: str, reason: str) -> Block:
    """Refuse a caller for a time, and log it.

    Raises:
        BadInputError: the field or time is not one that can be.
    """
    parts = house(request)
    if field not in FIELDS or not value.strip() or last not in LONGEST:
        raise BadInputError(f"Name a {', '.join(FIELDS)} and a time of {', '.join(LONGEST)}.")
    now = parts.clock()
    made = Block(parts.randomness(8).hex(), field, value, now + LONGEST[last], reason, me(request).name, now)
    parts.control.block(made)
    parts.note(request, "caller.block", f"{field}={value}", f"for {last}")
    return made


@AREA.post("/callers/unblock", Need.RESPOND)
def unblock_caller(request: Request, id: Short, back: Short = "") -> Response:  # noqa: A002
    """Let a caller in again."""
    unblock(request, id)
    target = back_to(back) if back else "/incidents/blocked"
    return goto(f"{target}{'&' if '?' in target else '?'}said=unblocked", request)


@AREA.post("/incidents/overrides/end", Need.RESPOND)
def end_override(request: Request, id: Short) -> Response:  # noqa: A002
    """End early that a policy is stricter for a time."""
    no_longer_stricter(request, id)
    return goto("/incidents/blocked?said=removed", request)


def no_longer_stricter(request: Request, override_id: str) -> None:
    """Take back that a policy is stricter for a time.

    Raises:
        NotFoundError: it is not in force (any more).
    """
    parts = house(request)
    if not take_back(parts.control, override_id, me(request).name, parts.clock()):
        raise NotFoundError("This is not in force any more.")


def unblock(request: Request, block_id: str) -> None:
    """Let a caller in again, and log it."""
    parts = house(request)
    found = next((item for item in parts.control.blocks() if item.id == block_id), None)
    if found is None:
        raise NotFoundError("There is no such block.")
    parts.control.unblock(block_id)
    parts.note(request, "caller.unblock", f"{found.field}={found.value}")
