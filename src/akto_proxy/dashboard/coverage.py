"""What guards a route or endpoint, and where nothing does, why: policies in force and the settings that leave out."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from akto_proxy.dashboard.house import House, in_force
from akto_proxy.model import Caller
from akto_proxy.policy.explain import Explanation, explain
from akto_proxy.policy.scope import Scope
from akto_proxy.store.face import Count, Filter, Summary
from akto_proxy.wire.route import resolve

DENIED = "denied"
"""The route of a path that is not let through."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a call like `last` is guarded: `word` in short, `kind` the colour, `why` in a sentence, `lines` by policy."""

    word: str
    kind: str
    why: str
    last: Summary | None
    lines: tuple[Explanation, ...] = ()


def last_of(parts: House, count: Count, field: str) -> Summary | None:
    """The newest trace of a group that the rollups know, found by the moment they kept."""
    near = Filter(since=count.last - 1e-3, until=count.last + 1e-3, **{field: count.name})  # type: ignore[arg-type]
    return next(iter(parts.traces.search(near, limit=1).items), None)


def coverage(parts: House, last: Summary | None) -> Coverage:
    """What guards a call like this one."""
    if last is None:
        return Coverage("Unknown", "plain", "No call of it is kept.", None)
    if last.route == DENIED:
        return Coverage("Refused", "plain", "Not a route for inference: it never reaches the model.", last)
    if last.method and not resolve(last.method, last.path).guarded:
        return Coverage("No text", "plain", "It carries no text of callers, so there is nothing to check.", last)
    lines = tuple(explain(in_force(parts).policies, scope_of(last)))
    applied = [line for line in lines if line.applies]
    if not _checked(parts.options.guarded, last):
        return Coverage("Not checked", "block", "GUARDRAIL_ENDPOINTS leaves it out.", last, lines)
    if last.streamed and not parts.options.guard_streams:
        return Coverage("Streams unchecked", "block", "APPLY_GUARDRAILS_TO_SSE is off.", last, lines)
    if not applied:
        return Coverage("Not guarded", "block", "No policy in force applies here.", last, lines)
    if all(line.mode == "monitor" for line in applied):
        return Coverage("Only monitored", "alert", "Every policy that applies is in monitor mode.", last, lines)
    enforced = sum(line.mode != "monitor" for line in applied)
    names = ", ".join(line.policy for line in applied)
    return Coverage(f"{enforced} {'policy' if enforced == 1 else 'policies'}", "ok", names, last, lines)


def scope_of(item: Summary) -> Scope:
    """Where a call like this one stands for policies."""
    caller = Caller(item.ip, item.key, item.user, item.team, item.agent, item.session)
    return Scope(item.endpoint, item.sensitivity, item.method, item.path, item.route, item.model, caller)


def _checked(guarded: tuple[str, ...], item: Summary) -> bool:
    pairs = (entry.partition(":") for entry in guarded)
    return not guarded or any(
        method.upper() in ("ANY", item.method) and fnmatchcase(item.path, path) for method, _, path in pairs
    )
