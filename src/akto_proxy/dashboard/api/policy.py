"""The policy by the API: text, versions, packs, checks, trials, replays, control evidence."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import Asked, Id, Limit, answer, asked_of
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import compared, save
from akto_proxy.dashboard.views import policies, policy_texts, reports, trials
from akto_proxy.dashboard.web import API, Area
from akto_proxy.model import Direction, Role
from akto_proxy.policy.schema import json_schema
from akto_proxy.store.face import Filter

AREA = Area(API, tag="policy")
Version = Annotated[int, Path(ge=1, le=1 << 31)]


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


class Switching(BaseModel):
    """A pack on (in monitor or enforce mode) or off."""

    to: Literal["on", "off"]
    mode: Literal["monitor", "enforce"] = "monitor"


class Changing(BaseModel):
    """One policy switched."""

    change: Literal["on", "off", "monitor", "enforce"]


class Replaying(BaseModel):
    """A replay of a draft over the traffic since so many seconds."""

    text: str = Field("", max_length=1 << 20)
    seconds: float = Field(86400, gt=0, le=90 * 86400)
    comment: str = Field("", max_length=200)


@AREA.get("/policy", Need.READ)
def policy(request: Request) -> Response:
    """The version in force (number 0: the default that ships with the program)."""
    parts = house(request)
    active = parts.control.active()
    return answer(active or {"number": 0, "text": parts.workshop.default, "state": "active"})


@AREA.put("/policy", Need.CHANGE_POLICY, status_code=201)
def put_policy(request: Request, body: PolicyText) -> Response:
    """A new version; only proposed where it weakens a policy and two people must agree."""
    return answer(save(request, body.text, body.comment), 201)


@AREA.get("/policy/schema", Need.READ)
def schema(request: Request) -> Response:
    """The JSON Schema of a policy file."""
    return answer(json_schema())


@AREA.post("/policy/check", Need.TRY_POLICY)
def check(request: Request, body: PolicyText) -> Response:
    """Whether a text can be used, and what it would change."""
    problem = house(request).workshop.problem(body.text)
    return answer({"problem": problem, "changes": [] if problem else compared(request, body.text)})


@AREA.post("/policy/try", Need.TRY_POLICY)
def try_text(request: Request, body: TryText) -> Response:
    """What the policies make of a text."""
    parts = house(request)
    tried = parts.workshop.attempt(trials.drafted(parts, body.policy), body.text, body.direction, body.role)
    judged = tried.judgement
    made = {"action": judged.action, "message": judged.message, "decisions": judged.decisions, "passed": tried.passed}
    return answer(made)


@AREA.get("/policy/packs", Need.READ)
def packs(request: Request) -> Response:
    """The packs that ship, with the controls they serve and how many of their policies are in force."""
    rows = policies.pack_rows(house(request))
    kept = ("key", "on", "of", "controls")
    return answer({"items": [{name: row[name] for name in kept} for row in rows]})


@AREA.post("/policy/packs/{key}", Need.CHANGE_POLICY, status_code=201)
def switch_pack(request: Request, key: Id, body: Switching) -> Response:
    """Switch a pack, as a new version."""
    return answer(policies.switch(request, key, body.to, body.mode), 201)


@AREA.post("/policy/policies/{name}", Need.CHANGE_POLICY, status_code=201)
def switch_policy(request: Request, name: Id, body: Changing) -> Response:
    """Switch one policy, as a new version."""
    return answer(policies.set_mode(request, name, body.change), 201)


@AREA.get("/policy/versions", Need.READ)
def versions(request: Request, limit: Annotated[Limit, Query()] = 50) -> Response:
    """All versions, newest first."""
    return answer({"items": house(request).control.versions(limit=limit)})


@AREA.get("/policy/versions/{number}", Need.READ)
def one_version(request: Request, number: Version) -> Response:
    """One version with its text."""
    return answer(policy_texts.find_version(house(request), number))


@AREA.post("/policy/versions/{number}/restore", Need.CHANGE_POLICY, status_code=201)
def restore(request: Request, number: Version) -> Response:
    """An earlier text in force again, as a new version."""
    found = policy_texts.find_version(house(request), number)
    return answer(save(request, found.text, f"Back to version {number}"), 201)


@AREA.post("/policy/versions/{number}/approve", Need.CHANGE_POLICY)
def approve(request: Request, number: Version) -> Response:
    """The second person's yes."""
    return answer(policy_texts.approved(request, number))


@AREA.get("/policy/replays", Need.READ)
def replays(request: Request) -> Response:
    """The last replays of this server, newest first."""
    jobs = house(request).replays.recent()
    return answer({"items": [{"id": job.id, "by": job.by, "at": job.at, "state": job.state} for job in jobs]})


@AREA.post("/policy/replays", Need.TRY_POLICY, status_code=202)
def start_replay(request: Request, body: Replaying) -> Response:
    """Begin a replay of a draft."""
    where = Filter(since=house(request).clock() - body.seconds)
    job = trials.begin(request, body.text, where, body.comment)
    return answer({"id": job.id, "total": job.total}, 202)


@AREA.get("/policy/replays/{job_id}", Need.READ)
def replay(request: Request, job_id: Id) -> Response:
    """How far a replay is, and how verdicts move."""
    job = trials.find_job(house(request), job_id)
    moves = [
        {**move, "callers": dict(move["callers"]), "policies": dict(move["policies"])} for move in trials.moves_of(job)
    ]
    return answer({"state": job.state, "done": job.done, "total": job.total, "problem": job.problem, "moves": moves})


@AREA.post("/policy/replays/{job_id}/stop", Need.TRY_POLICY)
def stop_replay(request: Request, job_id: Id) -> Response:
    """Stop a replay."""
    job = trials.find_job(house(request), job_id)
    job.stop.set()
    return answer({"stopped": job.id})


@AREA.post("/policy/replays/{job_id}/adopt", Need.CHANGE_POLICY, status_code=201)
def adopt(request: Request, job_id: Id) -> Response:
    """Put the replayed text in force."""
    return answer(trials.adopted(request, job_id), 201)


@AREA.get("/controls", Need.READ)
def controls(request: Request, query: Asked) -> Response:
    """Control evidence by framework."""
    return answer(reports.frameworks(house(request), asked_of(request, query, default="7d").where))


@AREA.get("/coverage", Need.READ)
def coverage(request: Request, query: Asked) -> Response:
    """Endpoints and routes seen in the traffic, and how a call like the last one was guarded."""
    return answer(reports.coverages(house(request), asked_of(request, query, default="7d").where))
