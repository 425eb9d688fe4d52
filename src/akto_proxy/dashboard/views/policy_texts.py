"""The policy text: the editor with its live checks, and the versions with their differences, rollback and approval."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from fastapi import Form, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import save
from akto_proxy.dashboard.views.policy_tabs import said, tabs
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, goto, me
from akto_proxy.dashboard.workshop import MAX_TEXT
from akto_proxy.errors import PolicyError
from akto_proxy.policy.cases import run_cases
from akto_proxy.policy.diff import diff
from akto_proxy.policy.schema import parse_file
from akto_proxy.store.control import Version

AREA = Area()
Text = Annotated[str, Form(max_length=MAX_TEXT)]
Number = Annotated[int, Path(ge=1, le=1 << 31)]
Short = Annotated[str, Form(max_length=500)]


@AREA.get("/policies/edit", Need.READ)
def editor(request: Request, version: Annotated[int, Query(ge=0, le=1 << 31)] = 0) -> Response:
    """The text in force (or another version's) in the editor."""
    parts = house(request)
    chosen = parts.control.version(version) if version else None
    return _editor(request, chosen.text if chosen else in_force(parts).text, "")


def _editor(request: Request, text: str, problem: str, comment: str = "", status: int = 200) -> Response:
    parts = house(request)
    values = {
        "title": "Policy editor",
        **tabs("edit"),
        "text": text,
        "problem": problem,
        "comment": comment,
        "result": None,
        "categories": sorted({rule.category for rule in parts.workshop.rules}),
        "two_people": parts.options.two_people,
    }
    return parts.pages.answer(request, "policy_edit.html", values, status=status)


@AREA.post("/policies/check", Need.TRY_POLICY)
def check(request: Request, text: Text) -> Response:
    """The editor's live validation: what is wrong, or what would change."""
    parts = house(request)
    problem = parts.workshop.problem(text)
    values: dict[str, Any] = {"problem": problem, "changes": [], "failed": [], "policies": 0, "cases": 0}
    if not problem:
        values |= _checked(parts, text)
    return parts.pages.answer(request, "policy_check.html", values)


def _checked(parts: House, text: str) -> dict[str, Any]:
    file = parse_file(text, "policy")
    try:
        draft = parts.workshop.draft(text)
    except PolicyError as error:
        return {"problem": str(error)}
    results = run_cases(file, draft.policies, lambda segments, on: parts.workshop.scan(draft, segments, on))
    return {
        "changes": diff(in_force(parts).policies, draft.policies),
        "failed": [result for result in results if result.problems],
        "cases": len(results),
        "policies": len(file.policies),
    }


@AREA.post("/policies/edit", Need.CHANGE_POLICY)
def save_text(request: Request, text: Text, comment: Short = "") -> Response:
    """Save as a new version."""
    try:
        version = save(request, text.replace("\r\n", "\n"), comment)
    except BadInputError as error:
        return _editor(request, text, str(error), comment, 422)
    return goto("/policies?said=" + said(version), request)


@AREA.get("/policies/history", Need.READ)
def history(request: Request) -> Response:
    """All versions."""
    parts = house(request)
    values = {"title": "Policy history", **tabs("history"), "versions": parts.control.versions(limit=200)}
    return parts.pages.answer(request, "policy_history.html", values)


@AREA.get("/policies/history/{number}", Need.READ)
def one_version(request: Request, number: Number) -> Response:
    """One version against the one in force, or against the one before it."""
    parts = house(request)
    version = find_version(parts, number)
    against = request.query_params.get("against", "before")
    other = parts.control.active() if against == "active" else parts.control.version(number - 1)
    old = other.text if other else parts.workshop.default
    values = {
        "title": f"Policy version {number}",
        **tabs("history"),
        "version": version,
        "against": against,
        "other": other,
        "lines": text_diff(old, version.text),
        "changes": _changes(parts, old, version.text),
    }
    return parts.pages.answer(request, "policy_version.html", values)


def find_version(parts: House, number: int) -> Version:
    """A version by number.

    Raises:
        NotFoundError: there is none.
    """
    version = parts.control.version(number)
    if version is None:
        raise NotFoundError("There is no such version.")
    return version


def _changes(parts: House, old: str, new: str) -> list[Any]:
    try:
        return diff(parts.workshop.draft(old).policies, parts.workshop.draft(new).policies)
    except PolicyError:
        return []


def text_diff(old: str, new: str) -> list[tuple[str, str]]:
    """Lines with `add`, `del`, `at` or nothing, with three lines around each change."""
    kinds = {"+": "add", "-": "del", "@": "at"}
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    return [(kinds.get(line[:1], ""), line) for line in lines[:2000]]


@AREA.post("/policies/history/{number}/restore", Need.CHANGE_POLICY)
def restore(request: Request, number: Number) -> Response:
    """Put an earlier text in force again, as a new version."""
    version = save(request, find_version(house(request), number).text, f"Back to version {number}")
    return goto("/policies/history?said=" + ("proposed" if version.state == "proposed" else "rolled-back"), request)


@AREA.post("/policies/history/{number}/approve", Need.CHANGE_POLICY)
def approve(request: Request, number: Number) -> Response:
    """The second person's yes to a proposed version."""
    approved(request, number)
    return goto("/policies?said=saved", request)


def approved(request: Request, number: int) -> Version:
    """Put a proposed version in force.

    Raises:
        BadInputError: it waits for nobody, or for somebody else.
    """
    parts = house(request)
    version = find_version(parts, number)
    if version.state != "proposed":
        raise BadInputError("This version waits for nobody.")
    if version.author == me(request).name:
        raise BadInputError("Somebody else must approve what you proposed.")
    parts.note(request, "policy.approve", f"version {number}", f"proposed by {version.author}")
    return parts.control.approve(number, by=me(request).name, at=parts.clock())
