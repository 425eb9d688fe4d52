"""One's own account by the API: who asks, the sessions that are open, a new password."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.api.base import answer
from akto_proxy.dashboard.house import house
from akto_proxy.dashboard.passwords import LONGEST, SHORTEST
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.views import door
from akto_proxy.dashboard.web import API, Area, me, refused

AREA = Area(API, tag="account")


class NewPassword(BaseModel):
    """The password one has, and the one that one wants."""

    old: str = Field(max_length=LONGEST)
    password: str = Field(min_length=SHORTEST, max_length=LONGEST)


@AREA.get("/me", Need.ACCOUNT)
def who(request: Request) -> Response:
    """Who asks, and as what."""
    return answer({"name": me(request).name, "role": me(request).role.label})


@AREA.post("/me/password", Need.ACCOUNT)
def password(request: Request, body: NewPassword) -> Response:
    """Set one's own password. Every other session ends; API tokens have no password."""
    status, problem = door.changed_password(request, body.old, body.password, body.password)
    return refused(status, problem, "bad_input") if problem else answer({"changed": me(request).name})


@AREA.get("/me/sessions", Need.ACCOUNT)
def sessions(request: Request) -> Response:
    """One's own open sessions, last used first."""
    mine = me(request)
    shown = [
        {"began": item.began, "seen": item.seen, "ip": item.ip, "agent": item.agent, "this": item.id == mine.session}
        for item in house(request).sessions.of(mine.name)
    ]
    return answer({"items": shown})


@AREA.delete("/me/sessions", Need.ACCOUNT)
def end_sessions(request: Request) -> Response:
    """Sign out everywhere else."""
    return answer({"ended": door.ended_elsewhere(request)})
