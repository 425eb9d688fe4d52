"""Limits: what is in force, what was learned from kept traffic and waits for a decision, and the way to learn again.

A proposal says what it came from (baseline, percentile, headroom, peak) and what it would have refused; nothing is in
force that nobody accepted, and everything can be taken back. The decisions themselves are those of the command line
(`watch.learning`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.house import House, house
from akto_proxy.dashboard.lessons import Lesson
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, from_htmx, goto, me, peer
from akto_proxy.errors import ConfigError
from akto_proxy.limits.learn import KINDS
from akto_proxy.limits.schema import Limit, parse_limits
from akto_proxy.store.control import Proposal
from akto_proxy.watch import learning

AREA = Area()
Short = Annotated[str, Form(max_length=100)]
PAGE = 40
DECIDED = 20
"""Proposals of a page, and decided ones that are shown."""
STATES = ("proposed", "accepted", "dismissed", "withdrawn", "replaced")
ACTS = ("shadow", "enforce", "dismiss", "withdraw")
MOST = 500


@AREA.get("/limits", Need.READ)
def limits(request: Request) -> Response:
    """Proposals, what is in force, and what was decided; the part about learning alone while it runs."""
    if from_htmx(request):
        parts = house(request)
        return parts.pages.answer(request, "lesson.html", {"lesson": parts.lessons.last})
    return _page(request)


def _page(request: Request, problem: str = "", status: int = 200) -> Response:
    parts = house(request)
    asked = {name: request.query_params.get(name, "")[:200] for name in ("endpoint", "kind", "count")}
    waiting = parts.control.proposals(["proposed"])
    fitting = [item for item in waiting if all(value in ("", getattr(item, name)) for name, value in asked.items())]
    number = request.query_params.get("page", "")
    start = PAGE * int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    values: dict[str, Any] = {
        "title": "Limits",
        "section": "limits",
        "problem": problem,
        "keep": {name: value for name, value in asked.items() if value},
        "choices": {name: sorted({getattr(item, name) for item in waiting}) for name in asked},
        "waiting": len(waiting),
        "fitting": len(fitting),
        "rows": [_row(item) for item in fitting[start : start + PAGE]],
        "next": start // PAGE + 1 if len(fitting) > start + PAGE else 0,
        "in_force": limits_in_force(parts),
        "decided": _decided(parts),
        "lesson": parts.lessons.last,
        "terms": parts.options.terms,
        "days": parts.options.learn_days,
    }
    return parts.pages.answer(request, "limits.html", values, status=status)


def _row(item: Proposal) -> dict[str, Any]:
    return {"it": item, "limit": limit_of(item)}


def _decided(parts: House) -> list[Proposal]:
    ended = parts.control.proposals(["dismissed", "withdrawn", "replaced"])
    return sorted(ended, key=lambda item: -item.decided)[:DECIDED]


def limit_of(proposal: Proposal) -> Limit | None:
    """The limit that a proposal is about; None if it cannot be used, as one that another version wrote."""
    try:
        return parse_limits([orjson.loads(proposal.entry)])[0]
    except (ConfigError, ValueError):
        return None


def limits_in_force(parts: House) -> list[tuple[Limit, Proposal | None]]:
    """The limits of the settings and those that were accepted, these with what they came from."""
    found: list[tuple[Limit, Proposal | None]] = [(limit, None) for limit in parts.options.limits]
    for item in parts.control.proposals(["accepted"]):
        limit = limit_of(item)
        if limit is not None:
            found.append((limit, item))
    return found


@AREA.post("/limits", Need.CHANGE_POLICY)
def decide_many(
    request: Request,
    act: Short,
    id: Annotated[list[str], Form(max_length=MOST)] = [],  # noqa: A002, B006 - the form's name; FastAPI copies it
) -> Response:
    """Decide on several at once; those that cannot be decided so are told, and the others are."""
    if not id or act not in ACTS:
        return _page(request, "Choose at least one, and what to do with it.", 422)
    failed = []
    for proposal_id in id:
        try:
            decide(request, proposal_id, act)
        except (BadInputError, NotFoundError) as error:
            failed.append(str(error))
    if failed:
        return _page(request, f"{len(id) - len(failed)} decided, {len(failed)} not: {failed[0]}", 422)
    return goto("/limits?said=decided", request)


@AREA.post("/limits/learn", Need.CHANGE_POLICY)
def start(request: Request, days: float = Form(), percentile: float = Form(), headroom: float = Form()) -> Response:
    """Learn from the kept traffic; `headroom` in per cent."""
    try:
        learn(request, days=days, percentile=percentile, headroom=headroom / 100)
    except BadInputError as error:
        return _page(request, str(error), 422)
    return goto("/limits?said=learning", request)


@AREA.post("/limits/{proposal_id}", Need.CHANGE_POLICY)
def decide_one(request: Request, proposal_id: str, act: Short) -> Response:
    """Decide on one."""
    decide(request, proposal_id, act)
    return goto("/limits?said=decided", request)


def learn(
    request: Request,
    *,
    days: float | None = None,
    percentile: float | None = None,
    headroom: float | None = None,
    kinds: Sequence[str] = (),
) -> Lesson:
    """Begin to learn; what is not said is as the settings say. `headroom` is a share.

    Raises:
        BadInputError: a number is outside of what can be, or learning runs already.
    """
    parts = house(request)
    usual = parts.options.terms
    terms = replace(
        usual,
        percentile=usual.percentile if percentile is None else percentile,
        headroom=usual.headroom if headroom is None else headroom,
        kinds=tuple(kinds) or usual.kinds,
    )
    over = parts.options.learn_days if days is None else days
    if not (1 <= over <= 365 and 50 <= terms.percentile <= 100 and 0 <= terms.headroom <= 100):
        raise BadInputError("Learn from 1 to 365 days, a percentile of 50 to 100, and a headroom of 0 or more.")
    if not set(terms.kinds) <= set(KINDS):
        raise BadInputError(f"A kind of caller is one of {', '.join(KINDS)}.")
    lesson = parts.lessons.start(terms, over, by=me(request).name, ip=peer(request))
    if lesson is None:
        raise BadInputError("The kept traffic is being read already.")
    return lesson


def decide(request: Request, proposal_id: str, act: str) -> Proposal:
    """Accept a proposal (`shadow` counts only, `enforce` refuses), dismiss it, or withdraw one in force.

    Raises:
        NotFoundError: there is no such proposal. BadInputError: it cannot be decided so.
    """
    parts = house(request)
    if act not in ACTS:
        raise BadInputError(f"A proposal can be decided on by {', '.join(ACTS)}.")
    if parts.control.proposal(proposal_id[:MOST]) is None:
        raise NotFoundError("There is no such proposal.")
    by, now, ip = me(request).name, parts.clock(), peer(request)
    try:
        if act == "dismiss":
            return learning.dismiss(parts.control, proposal_id, by=by, now=now, ip=ip)
        if act == "withdraw":
            return learning.withdraw(parts.control, proposal_id, by=by, now=now, ip=ip)
        return learning.accept(parts.control, proposal_id, act, by=by, now=now, ip=ip)
    except learning.DecisionError as error:
        raise BadInputError(str(error)) from None
