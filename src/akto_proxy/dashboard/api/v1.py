"""The JSON API: the same questions and acts as the pages, behind the same gates, for programs.

Sign in with `Authorization: Bearer <token>` (a token whose scope is a role). Lists come with `next`, the cursor of the
following page. Enumerations are their words (`block`, `high`), times are Unix seconds, durations microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import Enum, IntEnum
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from akto_proxy.dashboard.conditions import conditions, step_for
from akto_proxy.dashboard.exceptions import with_exception
from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import compared, save
from akto_proxy.dashboard.views import activity, incidents, policies, reports
from akto_proxy.dashboard.views.traces import EXPORT_MOST, find
from akto_proxy.dashboard.web import API, Area, BadInputError, me
from akto_proxy.errors import PolicyError
from akto_proxy.model import Direction, IncidentState, Role
from akto_proxy.policy.schema import json_schema
from akto_proxy.store.face import By, Filter

TRACES = Area(API, tag="traces")
DECISIONS = Area(API, tag="decisions")
POLICY = Area(API, tag="policy")
INCIDENTS = Area(API, tag="incidents")
RUN = Area(API, tag="administration")
AREAS = (TRACES, DECISIONS, POLICY, INCIDENTS, RUN)

MOST = 200


class PolicyText(BaseModel):
    """A policy file."""

    text: str = Field(max_length=1 << 20)
    comment: str = Field("", max_length=500)


class TryText(BaseModel):
    """A text to run the policies on; `policy` is a draft, what is in force if left out."""

    text: str = Field(max_length=100_000)
    direction: Direction = Direction.REQUEST
    role: Role = Role.USER
    policy: str = Field("", max_length=1 << 20)


class Marking(BaseModel):
    """Decisions (by event id) and the state they get."""

    events: list[str] = Field(max_length=500)
    state: str


class Excepting(BaseModel):
    """An exception for the caller (or endpoint, model) of the decision `event`; `field` says by what."""

    event: str = Field(max_length=100)
    field: str = Field(max_length=20)
    reason: str = Field("", max_length=300)


class Moving(BaseModel):
    """A change of an incident: `move` is acknowledge, resolve or reopen."""

    move: str = ""
    text: str = Field("", max_length=300)
    assignee: str = Field("", max_length=300)


class Blocking(BaseModel):
    """A caller to refuse: `field` is user, key, ip, agent, team or session; `last` is 1h, 24h, 7d or 30d."""

    field: str = Field(max_length=20)
    value: str = Field(max_length=300)
    last: str = "24h"
    reason: str = Field("", max_length=300)


class Replaying(BaseModel):
    """A replay of a draft over the traffic since so many seconds."""

    text: str = Field("", max_length=1 << 20)
    seconds: float = Field(86400, gt=0, le=90 * 86400)
    comment: str = Field("", max_length=200)


def plain(value: Any) -> Any:
    """Plain JSON values of our records."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def _json(value: Any, status: int = 200) -> Response:
    return JSONResponse(plain(value), status_code=status)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", "50")
    return max(1, min(MOST, int(text))) if text.isascii() and text.isdigit() else 50


@TRACES.get("/traces", Need.READ)
def traces(request: Request, since: str = "24h", cursor: str = "") -> Response:
    """Traces, newest first. Filter by the names of the pages' addresses: `user`, `endpoint`, `verdict`, `rule`, ..."""
    parts = house(request)
    where = conditions(request.query_params, parts.clock()).where
    return _json(parts.traces.search(where, cursor=cursor, limit=_limit(request)))


@TRACES.get("/traces/live", Need.READ)
def live(request: Request, cursor: str = "") -> Response:
    """What arrived after a cursor; without one, the cursor of now."""
    return _json(house(request).traces.after(cursor[:200], limit=_limit(request)))


@TRACES.get("/traces/export", Need.EXPORT)
def export(request: Request, since: str = "24h") -> Response:
    """The records as kept, one JSON a line."""
    parts = house(request)
    where = conditions(request.query_params, parts.clock()).where
    parts.note(request, "traces.export")
    return StreamingResponse(_records(parts, where), media_type="application/x-ndjson")


def _records(parts: House, where: Filter) -> Iterator[bytes]:
    for number, record in enumerate(parts.traces.export(where)):
        if number >= EXPORT_MOST:
            return
        yield record.rstrip(b"\n") + b"\n"


@TRACES.get("/traces/{trace_id}", Need.READ)
def trace(request: Request, trace_id: str) -> Response:
    """One trace, whole, as kept (masked or sealed)."""
    return _json(find(house(request), trace_id))


@TRACES.get("/sessions", Need.READ)
def sessions(request: Request, since: str = "24h", cursor: str = "") -> Response:
    """Conversations, last used first."""
    parts = house(request)
    where = conditions(request.query_params, parts.clock()).where
    return _json(parts.traces.sessions(where, cursor=cursor, limit=_limit(request)))


@TRACES.get("/sessions/thread", Need.READ)
def thread(request: Request, id: str) -> Response:  # noqa: A002
    """The traces of one session, oldest first."""
    return _json(house(request).traces.thread(id, limit=100))


@TRACES.get("/totals", Need.READ)
def totals(request: Request, since: str = "24h") -> Response:
    """Requests, verdicts, tokens and latencies in one line."""
    parts = house(request)
    return _json(parts.traces.totals(conditions(request.query_params, parts.clock()).where))


@TRACES.get("/timeline", Need.READ)
def timeline(request: Request, since: str = "24h") -> Response:
    """Verdicts over time."""
    parts = house(request)
    where = conditions(request.query_params, parts.clock()).where
    return _json(parts.traces.timeline(where, step=step_for(where, parts.clock())))


@TRACES.get("/top/{by}", Need.READ)
def top(request: Request, by: By, since: str = "24h") -> Response:
    """The names of a grouping with the most traces."""
    parts = house(request)
    where = conditions(request.query_params, parts.clock()).where
    return _json(parts.traces.top(by, where, limit=_limit(request)))


@DECISIONS.get("/decisions", Need.READ)
def decisions(request: Request, since: str = "24h", cursor: str = "") -> Response:
    """Decisions with their traces, newest first, each with what a person made of it."""
    parts = house(request)
    where = conditions(request.query_params, parts.clock()).where
    page = parts.traces.events(where, cursor=cursor, limit=_limit(request))
    marks = parts.control.marks([event.id for event in page.items])
    items = [{**plain(event), "mark": plain(marks.get(event.id))} for event in page.items]
    return _json({"items": items, "next": page.next})


@DECISIONS.post("/decisions/mark", Need.TRIAGE)
def mark(request: Request, body: Marking) -> Response:
    """Move decisions to `active`, `review`, `ignored` or `false-positive`."""
    activity.move(request, body.events, body.state)
    return _json({"moved": len(body.events)})


@DECISIONS.post("/decisions/exception/preview", Need.TRIAGE)
def preview(request: Request, body: Excepting) -> Response:
    """What else an exception would let through, over the last 7 days."""
    parts = house(request)
    found, decision = activity.decided(parts, body.event)
    value = activity.offered(found).get(body.field, "")
    shown = activity.preview(parts, decision, body.field, value)
    return _json({"field": body.field, "value": value, "problem": shown["problem"], "moves": shown["moves"]})


@DECISIONS.post("/decisions/exception", Need.CHANGE_POLICY)
def make_exception(request: Request, body: Excepting) -> Response:
    """Put an exception in force as a new policy version."""
    parts = house(request)
    found, decision = activity.decided(parts, body.event)
    value = activity.offered(found).get(body.field, "")
    try:
        text = with_exception(in_force(parts), decision.policy, decision.rule, body.field, value)
    except PolicyError as error:
        raise BadInputError(str(error)) from None
    version = save(request, text, f"Exception for {body.field} {value}. {body.reason}".strip())
    parts.control.mark([body.event], "false-positive", by=me(request).name, at=parts.clock())
    return _json(version, 201)


@POLICY.get("/policy", Need.READ)
def policy(request: Request) -> Response:
    """The version in force (number 0: the default that ships with the program)."""
    parts = house(request)
    active = parts.control.active()
    return _json(active or {"number": 0, "text": parts.workshop.default, "state": "active"})


@POLICY.put("/policy", Need.CHANGE_POLICY)
def put_policy(request: Request, body: PolicyText) -> Response:
    """A new version; only proposed where it weakens a policy and two people must agree."""
    return _json(save(request, body.text, body.comment), 201)


@POLICY.get("/policy/schema", Need.READ)
def schema(request: Request) -> Response:
    """The JSON Schema of a policy file."""
    return _json(json_schema())


@POLICY.post("/policy/check", Need.TRY_POLICY)
def check(request: Request, body: PolicyText) -> Response:
    """Whether a text can be used, and what it would change."""
    problem = house(request).workshop.problem(body.text)
    return _json({"problem": problem, "changes": [] if problem else compared(request, body.text)})


@POLICY.post("/policy/try", Need.TRY_POLICY)
def try_text(request: Request, body: TryText) -> Response:
    """What the policies make of a text."""
    parts = house(request)
    tried = parts.workshop.attempt(policies.drafted(parts, body.policy), body.text, body.direction, body.role)
    judged = tried.judgement
    answer = {"action": judged.action, "message": judged.message, "decisions": judged.decisions, "passed": tried.passed}
    return _json(answer)


@POLICY.get("/policy/versions", Need.READ)
def versions(request: Request) -> Response:
    """All versions, newest first."""
    return _json(house(request).control.versions(limit=_limit(request)))


@POLICY.post("/policy/versions/{number}/restore", Need.CHANGE_POLICY)
def restore(request: Request, number: int) -> Response:
    """An earlier text in force again, as a new version."""
    found = policies.find_version(house(request), number)
    return _json(save(request, found.text, f"Back to version {number}"), 201)


@POLICY.post("/policy/versions/{number}/approve", Need.CHANGE_POLICY)
def approve(request: Request, number: int) -> Response:
    """The second person's yes."""
    return _json(policies.approved(request, number))


@POLICY.post("/policy/replays", Need.TRY_POLICY)
def start_replay(request: Request, body: Replaying) -> Response:
    """Begin a replay of a draft."""
    parts = house(request)
    draft = policies.drafted(parts, body.text)
    where = Filter(since=parts.clock() - body.seconds)
    job = parts.replays.start(
        in_force(parts), draft, where, by=me(request).name, at=parts.clock(), comment=body.comment
    )
    parts.note(request, "policy.replay", detail=f"up to {job.total} traces")
    return _json({"id": job.id, "total": job.total}, 202)


@POLICY.get("/policy/replays/{job_id}", Need.READ)
def replay(request: Request, job_id: str) -> Response:
    """How far a replay is, and how verdicts move."""
    job = policies.find_job(house(request), job_id)
    moves = [
        {**move, "callers": dict(move["callers"]), "policies": dict(move["policies"])}
        for move in policies.moves_of(job)
    ]
    return _json({"state": job.state, "done": job.done, "total": job.total, "problem": job.problem, "moves": moves})


@POLICY.get("/controls", Need.READ)
def controls(request: Request, since: str = "7d") -> Response:
    """Control evidence by framework."""
    parts = house(request)
    return _json(reports.frameworks(parts, conditions(request.query_params, parts.clock(), default="7d").where))


@INCIDENTS.get("/incidents", Need.READ)
def incident_list(request: Request, state: str = "") -> Response:
    """Incidents, last updated first; `state` is open, acknowledged or resolved."""
    states = tuple(item for item in IncidentState if item.value == state)
    return _json({"items": house(request).control.incidents(states)})


@INCIDENTS.get("/incidents/{incident_id}", Need.READ)
def incident(request: Request, incident_id: str) -> Response:
    """One incident with alerts and timeline."""
    parts = house(request)
    found = incidents.incident_of(parts, incident_id)
    alerts, steps = parts.control.alerts(incident_id), parts.control.steps(incident_id)
    return _json({"incident": found, "alerts": alerts, "steps": steps})


@INCIDENTS.post("/incidents/{incident_id}", Need.RESPOND)
def move_incident(request: Request, incident_id: str, body: Moving) -> Response:
    """Acknowledge, resolve, reopen, give to somebody, or add a note."""
    incidents.change(request, incident_id, move=body.move, text=body.text, assignee=body.assignee)
    return _json(incidents.incident_of(house(request), incident_id))


@INCIDENTS.get("/blocks", Need.READ)
def blocks(request: Request) -> Response:
    """Callers that are refused."""
    return _json({"items": house(request).control.blocks()})


@INCIDENTS.post("/blocks", Need.RESPOND)
def block(request: Request, body: Blocking) -> Response:
    """Refuse a caller for a time."""
    return _json(incidents.block(request, body.field, body.value, body.last, body.reason), 201)


@INCIDENTS.delete("/blocks/{block_id}", Need.RESPOND)
def unblock(request: Request, block_id: str) -> Response:
    """Let a caller in again."""
    incidents.unblock(request, block_id)
    return _json({"removed": block_id})


@RUN.get("/proxies", Need.READ)
def proxies(request: Request) -> Response:
    """What proxies last said of themselves."""
    return _json({"items": house(request).control.proxies()})


@RUN.get("/audit", Need.ADMIN)
def audit(request: Request, before: int = 0, actor: str = "", action: str = "") -> Response:
    """The audit log, newest first."""
    notes = house(request).control.notes(before=max(0, before), limit=_limit(request), actor=actor, action=action)
    return _json({"items": notes})


@RUN.get("/people", Need.ADMIN)
def people(request: Request) -> Response:
    """Accounts, without password hashes."""
    rows = [plain(person) for person in house(request).control.people()]
    return _json({"items": [{key: value for key, value in row.items() if key != "password"} for row in rows]})


@RUN.get("/tokens", Need.ADMIN)
def tokens(request: Request) -> Response:
    """API tokens, without secrets."""
    return _json({"items": house(request).control.tokens()})


@RUN.delete("/tokens/{token_id}", Need.ADMIN)
def revoke(request: Request, token_id: str) -> Response:
    """Make a token useless."""
    parts = house(request)
    parts.control.revoke_token(token_id)
    parts.note(request, "token.revoke", token_id)
    return _json({"revoked": token_id})


@RUN.get("/openapi.json", Need.READ)
def openapi(request: Request) -> Response:
    """This API as OpenAPI."""
    return JSONResponse(request.app.openapi())
