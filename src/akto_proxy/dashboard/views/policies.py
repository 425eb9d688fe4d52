"""Policies: what is in force with what it did, one policy switched, packs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from fastapi import Form
from starlette.requests import Request
from starlette.responses import Response

from akto_proxy.dashboard.house import House, house, in_force
from akto_proxy.dashboard.roles import Need
from akto_proxy.dashboard.versions import save
from akto_proxy.dashboard.views.policy_tabs import said, tabs
from akto_proxy.dashboard.web import Area, BadInputError, NotFoundError, goto
from akto_proxy.dashboard.yamls import dumped, loaded
from akto_proxy.policy.rules import kind_of
from akto_proxy.policy.schema import PolicyFile, parse_file
from akto_proxy.store.control import Version
from akto_proxy.store.face import By, Filter

AREA = Area()
CHANGES: dict[str, dict[str, Any]] = {
    "on": {"enabled": True},
    "off": {"enabled": False},
    "monitor": {"mode": "monitor"},
    "enforce": {"mode": "enforce"},
}
SETTLES = 60.0
"""Seconds in which proxies pull a new version, so that one that has the old is not news."""
Short = Annotated[str, Form(max_length=500)]


@AREA.get("/policies", Need.READ)
def policy_list(request: Request) -> Response:
    """The policies in force, with what they did in the last day."""
    parts = house(request)
    draft = in_force(parts)
    where = Filter(since=parts.clock() - 86400)
    seen = {count.name: count for count in parts.traces.top(By.POLICY, where, limit=200)}
    active = parts.control.active()
    values = {
        "title": "Policies",
        **tabs("list"),
        "active": active,
        "settling": active is not None and parts.clock() - active.at < SETTLES,
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
    return goto("/policies?said=" + said(set_mode(request, name, change)), request)


def set_mode(request: Request, name: str, change: str) -> Version:
    """Switch one policy, as a new version of the policy text.

    Raises:
        BadInputError: there is no such change. NotFoundError: there is no such policy.
    """
    if change not in CHANGES:
        raise BadInputError("A policy can be switched on, off, to monitor or to enforce.")
    data = loaded(in_force(house(request)).text)
    found = next((item for item in data["policies"] if item["name"] == name), None)
    if found is None:
        raise NotFoundError("This policy is not in the version that is in force.")
    found.update(CHANGES[change])
    return save(request, dumped(data), f"{name}: {change}")


@AREA.get("/policies/packs", Need.READ)
def packs(request: Request) -> Response:
    """The packs that ship with the program."""
    parts = house(request)
    values = {"title": "Packs", **tabs("packs"), "packs": pack_rows(parts)}
    return parts.pages.answer(request, "packs.html", values)


def pack_rows(parts: House) -> list[dict[str, Any]]:
    """Each pack with how many of its policies are in force, and the controls it serves."""
    names = {policy.name for policy in in_force(parts).policies.all_policies}
    rows = []
    for key, text in sorted(parts.workshop.packs.items()):
        file = pack_file(text, key)
        own = {policy.name for policy in file.policies}
        controls = _controls(file.policies)
        rows.append({"key": key, "file": file, "on": len(own & names), "of": len(own), "controls": controls})
        rows[-1]["frameworks"] = _by_framework(controls)
    return rows


@lru_cache(maxsize=64)
def pack_file(text: str, key: str) -> PolicyFile:
    """A shipped pack, read once: their texts do not change while the program runs."""
    return parse_file(text, key)


def _by_framework(controls: Sequence[str]) -> dict[str, list[str]]:
    """`GDPR:Art.25` and `GDPR:Art.32` as GDPR with two numbers: what they have in common is said once."""
    found: dict[str, list[str]] = {}
    for control in controls:
        framework, _, number = control.partition(":")
        found.setdefault(framework, []).append(number)
    return found


def _controls(policies: Sequence[Any]) -> list[str]:
    every = {c for policy in policies for c in (*policy.controls, *(c for rule in policy.rules for c in rule.controls))}
    return sorted(every)


@AREA.post("/policies/packs", Need.CHANGE_POLICY)
def switch_pack(request: Request, key: Short, to: Short, mode: Short = "monitor") -> Response:
    """Add the policies of a pack (in monitor or enforce mode) or take them away."""
    return goto("/policies?said=" + said(switch(request, key, to, mode)), request)


def switch(request: Request, key: str, to: str, mode: str) -> Version:
    """A pack on or off, as a new version of the policy text.

    Raises:
        NotFoundError: there is no such pack. BadInputError: no policy would be left.
    """
    parts = house(request)
    if key not in parts.workshop.packs or to not in ("on", "off"):
        raise NotFoundError("There is no such pack.")
    pack = loaded(parts.workshop.packs[key])
    names = {policy["name"] for policy in pack["policies"]}
    data = loaded(in_force(parts).text)
    kept = [policy for policy in data["policies"] if policy["name"] not in names]
    if to == "on":
        kept += [{**policy, "mode": "enforce" if mode == "enforce" else "monitor"} for policy in pack["policies"]]
    if not kept:
        raise BadInputError("At least one policy must stay. Switch another pack on first.")
    data["policies"] = kept
    return save(request, dumped(data), f"pack {key}: {to}" + (f", {mode}" if to == "on" else ""))
