"""Not a problem? An exception for one caller, endpoint or model, after showing what else it would let through."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.exceptions import FIELDS, with_exception
from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import save
from akto_proxy.dashboard.views.traces import find
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, goto, me
from akto_proxy.errors import PolicyError
from akto_proxy.model import Decision, Trace
from akto_proxy.store.control import Version
from akto_proxy.store.face import Filter

AREA = Area()
PREVIEW = 40
DAYS = 7


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
    """What the exception would let through, had it been there the last 7 days.

    `theirs` calls of the one it is for would keep what this rule took, of `every` call the rule acted in; `moves` are
    those whose verdict would be another, as a replay of them says.
    """
    hit = _left_out(decision, parts.clock() - DAYS * 86400)
    try:
        old = in_force(parts)
        new = parts.workshop.draft(with_exception(old, decision.policy, decision.rule, field, value))
        theirs = replace(hit, **{field: value})  # type: ignore[arg-type]
        latest = parts.traces.events(theirs, limit=PREVIEW).items
        calls = {event.trace.id: event.trace for event in latest}
        report = parts.replays.now(old, new, filter(None, map(parts.traces.get, calls)))
    except PolicyError as error:
        return {"problem": str(error), "report": None, "moves": [], "theirs": 0, "every": 0, "calls": ()}
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
    return {
        "problem": "",
        "report": report,
        "moves": moves,
        "most": PREVIEW,
        "theirs": parts.traces.count(theirs),
        "every": parts.traces.count(hit),
        "calls": tuple(calls.values())[:6],
    }


def _left_out(decision: Decision, since: float) -> Filter:
    """The calls with what is left out: a rule, or a type of personal data. Of whole hours, which rollups know."""
    since = since // 3600 * 3600
    if decision.category == "pii":
        return Filter(since=since, entity=decision.entity)
    return Filter(since=since, rule=decision.rule)


@AREA.post("/activity/exception", Need.CHANGE_POLICY)
def exception(
    request: Request,
    event: Annotated[str, Form(max_length=100)],
    field: Annotated[str, Form(max_length=20)],
    reason: Annotated[str, Form(max_length=300)] = "",
) -> Response:
    """Put the exception in force as a new policy version, and mark the decision."""
    version = make(request, event, field, reason)
    said = "proposed" if version.state == "proposed" else "exception"
    return goto(f"/policies?said={said}", request)


def make(request: Request, event: str, field: str, reason: str) -> Version:
    """The exception as a new policy version.

    Raises:
        BadInputError: the exception cannot be written. NotFoundError: there is no such decision.
    """
    parts = house(request)
    trace, decision = decided(parts, event)
    value = offered(trace).get(field, "")
    try:
        text = with_exception(in_force(parts), decision.policy, decision.rule, field, value)
    except PolicyError as error:
        raise BadInputError(str(error)) from None
    comment = f"Exception: {decision.rule} of {decision.policy} for {field} {value}. {reason}".strip()
    version = save(request, text, comment)
    parts.control.mark([event], "false-positive", by=me(request).name, at=parts.clock())
    return version
