"""Policies: what is in force, packs, the editor with its checks, history and rollback, playground, replay."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any

import yaml
from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.conditions import RANGES
from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.replays import Job
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import save
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, goto, me
from akto_proxy.dashboard.workshop import MAX_TEXT, Draft
from akto_proxy.dashboard.yamls import dumped
from akto_proxy.errors import PolicyError
from akto_proxy.model import Direction, Role
from akto_proxy.policy.cases import run_cases
from akto_proxy.policy.diff import diff
from akto_proxy.policy.rules import kind_of
from akto_proxy.policy.schema import parse_file
from akto_proxy.store.control import Version
from akto_proxy.store.face import By, Filter

AREA = Area()
Text = Annotated[str, Form(max_length=MAX_TEXT)]
Short = Annotated[str, Form(max_length=500)]
TABS = (("list", "In force", "/policies"), ("packs", "Packs", "/policies/packs"), ("edit", "Editor", "/policies/edit"))
MORE = (("play", "Playground", "/policies/playground"), ("replay", "Replay", "/policies/replay"))
LAST = (("history", "History", "/policies/history"),)


def _tabs(current: str) -> dict[str, Any]:
    tabs = [{"key": key, "label": label, "href": href} for key, label, href in (*TABS, *MORE, *LAST)]
    return {"tabs": tabs, "tab": current, "section": "policies"}


@AREA.get("/policies", Need.READ)
def policy_list(request: Request) -> Response:
    """The policies in force, with what they did in the last day."""
    parts = house(request)
    draft = in_force(parts)
    where = Filter(since=parts.clock() - 86400)
    seen = {count.name: count for count in parts.traces.top(By.POLICY, where, limit=200)}
    values = {
        "title": "Policies",
        **_tabs("list"),
        "active": parts.control.active(),
        "draft": draft,
        "policies": [
            {
                "it": policy,
                "kinds": [kind_of(rule) for rule in policy.rules],
                "seen": seen.get(policy.name),
                "strongest": max(action for rule in policy.rules for action in policy.actions(rule).values()),
            }
            for policy in draft.policies.all_policies
        ],
        "proposed": [item for item in parts.control.versions(limit=20) if item.state == "proposed"],
        "proxies": parts.control.proxies(),
    }
    return parts.pages.answer(request, "policies.html", values)


@AREA.post("/policies/mode", Need.CHANGE_POLICY)
def change_mode(request: Request, name: Short, change: Short) -> Response:
    """Switch one policy on or off, or between monitor and enforce, as a new version."""
    changes = {
        "on": {"enabled": True},
        "off": {"enabled": False},
        "monitor": {"mode": "monitor"},
        "enforce": {"mode": "enforce"},
    }
    if change not in changes:
        raise BadInputError("A policy can be switched on, off, to monitor or to enforce.")
    data = yaml.safe_load(in_force(house(request)).text)
    found = next((item for item in data["policies"] if item["name"] == name), None)
    if found is None:
        raise NotFoundError("This policy is not in the version that is in force.")
    found.update(changes[change])
    version = save(request, dumped(data), f"{name}: {change}")
    return goto("/policies?said=" + ("proposed" if version.state == "proposed" else "saved"), request)


@AREA.get("/policies/packs", Need.READ)
def packs(request: Request) -> Response:
    """The packs that ship with the program."""
    parts = house(request)
    names = {policy.name for policy in in_force(parts).policies.all_policies}
    rows = []
    for key, text in sorted(parts.workshop.packs.items()):
        file = parse_file(text, key)
        own = {policy.name for policy in file.policies}
        controls = _controls(file.policies)
        rows.append({"key": key, "file": file, "on": len(own & names), "of": len(own), "controls": controls})
    return parts.pages.answer(request, "packs.html", {"title": "Packs", **_tabs("packs"), "packs": rows})


def _controls(policies: Sequence[Any]) -> list[str]:
    every = {c for policy in policies for c in (*policy.controls, *(c for rule in policy.rules for c in rule.controls))}
    return sorted(every)


@AREA.post("/policies/packs", Need.CHANGE_POLICY)
def switch_pack(request: Request, key: Short, to: Short, mode: Short = "monitor") -> Response:
    """Add the policies of a pack (in monitor or enforce mode) or take them away."""
    parts = house(request)
    if key not in parts.workshop.packs or to not in ("on", "off"):
        raise NotFoundError("There is no such pack.")
    pack = yaml.safe_load(parts.workshop.packs[key])
    names = {policy["name"] for policy in pack["policies"]}
    data = yaml.safe_load(in_force(parts).text)
    kept = [policy for policy in data["policies"] if policy["name"] not in names]
    if to == "on":
        kept += [{**policy, "mode": "enforce" if mode == "enforce" else "monitor"} for policy in pack["policies"]]
    if not kept:
        raise BadInputError("At least one policy must stay. Switch another pack on first.")
    data["policies"] = kept
    version = save(request, dumped(data), f"pack {key}: {to}" + (f", {mode}" if to == "on" else ""))
    return goto("/policies?said=" + ("proposed" if version.state == "proposed" else "saved"), request)


@AREA.get("/policies/edit", Need.READ)
def editor(request: Request, version: int = 0) -> Response:
    """The text in force (or another version's) in the editor."""
    parts = house(request)
    chosen = parts.control.version(version) if version else None
    return _editor(request, chosen.text if chosen else in_force(parts).text, "")


def _editor(request: Request, text: str, problem: str, comment: str = "", status: int = 200) -> Response:
    parts = house(request)
    values = {
        "title": "Policy editor",
        **_tabs("edit"),
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
    return goto("/policies?said=" + ("proposed" if version.state == "proposed" else "saved"), request)


@AREA.get("/policies/history", Need.READ)
def history(request: Request) -> Response:
    """All versions."""
    parts = house(request)
    values = {"title": "Policy history", **_tabs("history"), "versions": parts.control.versions(limit=200)}
    return parts.pages.answer(request, "policy_history.html", values)


@AREA.get("/policies/history/{number}", Need.READ)
def one_version(request: Request, number: int) -> Response:
    """One version against the one in force, or against the one before it."""
    parts = house(request)
    version = find_version(parts, number)
    against = request.query_params.get("against", "before")
    other = parts.control.active() if against == "active" else parts.control.version(number - 1)
    old = other.text if other else parts.workshop.default
    values = {
        "title": f"Policy version {number}",
        **_tabs("history"),
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
def restore(request: Request, number: int) -> Response:
    """Put an earlier text in force again, as a new version."""
    version = save(request, find_version(house(request), number).text, f"Back to version {number}")
    return goto("/policies/history?said=" + ("proposed" if version.state == "proposed" else "rolled-back"), request)


@AREA.post("/policies/history/{number}/approve", Need.CHANGE_POLICY)
def approve(request: Request, number: int) -> Response:
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


@AREA.get("/policies/playground", Need.READ)
def playground(request: Request) -> Response:
    """Try a text on the policies in force."""
    values = {"title": "Playground", **_tabs("play"), "text": "", "tried": None}
    return house(request).pages.answer(request, "playground.html", values)


@AREA.post("/policies/playground", Need.TRY_POLICY)
def attempt(
    request: Request,
    text: Annotated[str, Form(max_length=100_000)] = "",
    direction: Short = "request",
    role: Short = "",
    policy: Text = "",
) -> Response:
    """What the policies in force (or a draft) make of a text, whole and as a stream."""
    parts = house(request)
    draft = drafted(parts, policy)
    side = Direction.RESPONSE if direction == "response" else Direction.REQUEST
    usual = Role.ASSISTANT if side is Direction.RESPONSE else Role.USER
    speaker = next((item for item in Role if item.value == role), usual)
    values = {
        "tried": parts.workshop.attempt(draft, text, side, speaker),
        "steps": parts.workshop.stream(draft, text, speaker) if side is Direction.RESPONSE else [],
        "text": text,
        "direction": side.value,
    }
    return parts.pages.answer(request, "playground_result.html", values)


def drafted(parts: House, text: str) -> Draft:
    """A draft of a text, or of what is in force where none is given.

    Raises:
        BadInputError: it cannot be used.
    """
    try:
        return parts.workshop.draft(text) if text.strip() else in_force(parts)
    except PolicyError as error:
        raise BadInputError(str(error)) from None


@AREA.get("/policies/replay", Need.READ)
def replays(request: Request, version: int = 0) -> Response:
    """Start a replay, and see the last ones."""
    parts = house(request)
    chosen = parts.control.version(version) if version else None
    values = {
        "title": "Replay",
        **_tabs("replay"),
        "text": chosen.text if chosen else in_force(parts).text,
        "jobs": parts.replays.recent(),
    }
    return parts.pages.answer(request, "replay.html", values)


@AREA.post("/policies/replay", Need.TRY_POLICY)
def start_replay(request: Request, text: Text = "", since: Short = "24h", comment: Short = "") -> Response:
    """Begin a replay."""
    parts = house(request)
    draft = drafted(parts, text)
    where = Filter(since=parts.clock() - (RANGES.get(since) or 86400))
    job = parts.replays.start(
        in_force(parts), draft, where, by=me(request).name, at=parts.clock(), comment=comment or f"last {since}"
    )
    parts.note(request, "policy.replay", detail=f"{since}, up to {job.total} traces")
    return goto(f"/policies/replay/{job.id}", request)


@AREA.get("/policies/replay/{job_id}", Need.READ)
def replay_job(request: Request, job_id: str) -> Response:
    """A replay: its progress (asked by the page each second), or its result."""
    parts = house(request)
    job = find_job(parts, job_id)
    values = {"title": "Replay", **_tabs("replay"), "job": job, "moves": moves_of(job)}
    part = request.headers.get("hx-request") == "true"
    return parts.pages.answer(request, "replay_state.html" if part else "replay_job.html", values)


def find_job(parts: House, job_id: str) -> Job:
    """A replay by id.

    Raises:
        NotFoundError: there is none.
    """
    job = parts.replays.find(job_id)
    if job is None:
        raise NotFoundError("This replay is not kept (any more): results live until the server restarts.")
    return job


def moves_of(job: Job) -> list[dict[str, Any]]:
    """How verdicts move, the most frequent first."""
    if job.report is None:
        return []
    return [
        {
            "before": before,
            "after": after,
            "count": count,
            "samples": job.report.samples.get((before, after), [])[:8],
            "callers": job.report.callers[(before, after)].most_common(5),
            "policies": job.report.policies[(before, after)].most_common(3),
        }
        for (before, after), count in job.report.changed.items()
    ]


@AREA.post("/policies/replay/{job_id}/stop", Need.TRY_POLICY)
def stop_replay(request: Request, job_id: str) -> Response:
    """Stop a replay."""
    job = house(request).replays.find(job_id)
    if job is not None:
        job.stop.set()
    return goto(f"/policies/replay/{job_id}", request)


@AREA.post("/policies/replay/{job_id}/adopt", Need.CHANGE_POLICY)
def adopt(request: Request, job_id: str) -> Response:
    """Put the replayed text in force."""
    job = find_job(house(request), job_id)
    version = save(request, job.text, f"After a replay over {job.done} calls")
    return goto("/policies?said=" + ("proposed" if version.state == "proposed" else "saved"), request)
