"""Limits by the API: what is in force, what was learned and waits, the decisions, and learning itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import orjson
from fastapi import Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import Id, answer, plain
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.lessons import Lesson
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views import limits
from akto_proxy.dashboard.web import API, Area
from akto_proxy.store.control import Proposal

AREA = Area(API, tag="limits")
State = Literal["proposed", "accepted", "dismissed", "withdrawn", "replaced"]


class Learn(BaseModel):
    """What limits are learned from; what is left out is as the settings say. `headroom` is a share, 0.5 for half."""

    days: float | None = Field(None, ge=1, le=365)
    percentile: float | None = Field(None, ge=50, le=100)
    headroom: float | None = Field(None, ge=0, le=100)
    by: list[Literal["user", "key", "team", "agent", "ip"]] = Field([], max_length=5)


class Accept(BaseModel):
    """How a proposed limit is put in force: `shadow` counts and never refuses."""

    mode: Literal["enforce", "shadow"] = "enforce"


class Limit(BaseModel):
    """A limit in force; `learned` is the id of the proposal it came from, empty for one of the settings."""

    learned: str
    limit: dict[str, Any]


class Limits(BaseModel):
    """The limits in force."""

    items: list[Limit]


class Learned(BaseModel):
    """A proposal: the limit as it would stand in the settings, and what it was computed from (docs/limits.md).

    Calls from `since` to `until`, in `samples` samples of `callers` callers on `days` days; `percentile` per cent of
    them were at most `usual`, the largest `peak`; the limit would have refused `refused` of `calls`. Times are Unix
    seconds, amounts in the unit of `count`.
    """

    id: str
    name: str
    state: State
    made: float
    endpoint: str
    kind: str
    count: str
    limit: dict[str, Any]
    since: float
    until: float
    days: int
    samples: int
    callers: int
    calls: int
    percentile: float
    headroom: float
    usual: float
    peak: float
    refused: int
    refused_callers: int
    by: str
    decided: float


class Proposals(BaseModel):
    """Proposals."""

    items: list[Learned]


class Thin(BaseModel):
    """Where too little was seen to propose a limit, and why."""

    endpoint: str
    kind: str
    count: str
    why: str


class Learning(BaseModel):
    """The last time limits were learned: `none`, `running`, `done` or `failed`, and what came of it."""

    state: Literal["none", "running", "done", "failed"]
    by: str = ""
    at: float = 0.0
    days: float = 0.0
    problem: str = ""
    proposed: int = 0
    calls: int = 0
    same: int = 0
    thin: list[Thin] = []
    left_out: int = 0


@AREA.get("/limits", Need.READ, response_model=Limits)
def in_force(request: Request) -> Response:
    """The limits in force: those of the settings, and those that were learned and accepted."""
    found = limits.limits_in_force(house(request))
    return answer({"items": [{"learned": item.id if item else "", "limit": plain(limit)} for limit, item in found]})


@AREA.get("/limits/proposals", Need.READ, response_model=Proposals)
def proposals(request: Request, state: Annotated[State | None, Query()] = None) -> Response:
    """Learned limits, the newest first; those that wait and those in force if no state is asked for."""
    found = house(request).control.proposals((state,) if state else ("proposed", "accepted"))
    return answer({"items": [shown(item) for item in found]})


def shown(item: Proposal) -> dict[str, Any]:
    """A proposal with its limit as an object; which shared bucket it has is nobody's business."""
    values = asdict(item)
    del values["slot"]
    return {**values, "limit": orjson.loads(values.pop("entry"))}


@AREA.post("/limits/proposals/{proposal_id}/accept", Need.CHANGE_POLICY, response_model=Learned)
def accept(request: Request, proposal_id: Id, body: Accept) -> Response:
    """Put a proposed limit in force; one in force gets the other mode so."""
    return answer(shown(limits.decide(request, proposal_id, body.mode)))


@AREA.post("/limits/proposals/{proposal_id}/dismiss", Need.CHANGE_POLICY, response_model=Learned)
def dismiss(request: Request, proposal_id: Id) -> Response:
    """Do without a proposed limit."""
    return answer(shown(limits.decide(request, proposal_id, "dismiss")))


@AREA.post("/limits/proposals/{proposal_id}/withdraw", Need.CHANGE_POLICY, response_model=Learned)
def withdraw(request: Request, proposal_id: Id) -> Response:
    """Take an accepted limit back."""
    return answer(shown(limits.decide(request, proposal_id, "withdraw")))


@AREA.get("/limits/learning", Need.READ, response_model=Learning)
def learning(request: Request) -> Response:
    """How far the last learning is, and where too little was seen."""
    return answer(told(house(request).lessons.last))


@AREA.post("/limits/learning", Need.CHANGE_POLICY, status_code=202, response_model=Learning)
def learn(request: Request, body: Learn) -> Response:
    """Learn from the kept traffic. Nothing is enforced by it: what is proposed waits for a decision."""
    made = limits.learn(
        request, days=body.days, percentile=body.percentile, headroom=body.headroom, kinds=tuple(body.by)
    )
    return answer(told(made), 202)


def told(lesson: Lesson | None) -> Learning:
    """A job as the API says it."""
    if lesson is None:
        return Learning(state="none")
    made = Learning(state=lesson.state, by=lesson.by, at=lesson.at, days=lesson.days, problem=lesson.problem)  # type: ignore[arg-type]
    if lesson.found is None:
        return made
    found = lesson.found
    thin = [Thin(endpoint=item.endpoint, kind=item.kind, count=item.count, why=item.thin) for item in found.thin]
    ended = {"proposed": len(found.proposals), "calls": found.calls, "same": len(found.same), "thin": thin}
    return made.model_copy(update={**ended, "left_out": found.left_out})
