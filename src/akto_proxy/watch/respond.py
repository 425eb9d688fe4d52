"""What is done by itself about an alert: for a time, reversible, and written in the audit log both ways.

A caller is blocked through the control store's own list, as a person would do it. A policy is never edited: raising
its level or enforcing it is an override with an end, kept beside the policies and read with them, so that taking it
back is only forgetting it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from akto_proxy.store.control import AuditNote, Block, ControlStore, Step
from akto_proxy.watch.desk import Measure
from akto_proxy.watch.facts import Fact

ACTOR = "watch"
STATE = "policy-overrides"
OVERRIDES_FILE = "overrides.json"
MAX_OVERRIDES = 100
MAX_BLOCKS_AN_HOUR = 100
"""More would be the watch itself being used to lock everybody out."""

_FIELDS = ("key", "user", "session", "ip")


@dataclass(frozen=True, slots=True)
class Override:
    """A policy that is stricter for a time. `do` is `raise` or `enforce`; `policy` may be `*`."""

    id: str
    policy: str
    do: str
    until: float
    reason: str = ""


@dataclass(slots=True)
class ResponseCounters:
    """What was done, for metrics."""

    blocked: int = 0
    overridden: int = 0
    refused: int = 0


class Responder:
    """Takes measures.

    Args:
        control: where blocks, overrides and the audit log are kept.
        random: so many random bytes.
    """

    def __init__(self, control: ControlStore, random: Callable[[int], bytes]) -> None:
        self._control = control
        self._random = random
        self._recent: list[float] = []
        self.counters = ResponseCounters()

    def take(self, measure: Measure, now: float) -> str:
        """Do it; what was done in words, or "" when it could not be."""
        said = self._block(measure, now) if measure.response.do == "block" else self._override(measure, now)
        if said:
            self._control.move_incident(measure.incident.id, Step(now, ACTOR, "response", said))
        else:
            self.counters.refused += 1
        return said

    def _block(self, measure: Measure, now: float) -> str:
        field, value = target(measure.fact, measure.response.field)
        self._recent = [at for at in self._recent if now - at < 3600]
        if not value or len(self._recent) >= MAX_BLOCKS_AN_HOUR:
            return ""
        if any(item.field == field and item.value == value and item.until > now for item in self._control.blocks()):
            return ""
        until = now + measure.response.time
        reason = f"rule {measure.rule}, incident {measure.incident.id}"
        self._control.block(Block(self._random(8).hex(), field, value, until, reason, ACTOR, now))
        minutes = measure.response.time / 60
        self._control.note(AuditNote(now, ACTOR, "caller.block", f"{field}={value}", f"for {minutes:g} min; {reason}"))
        self._recent.append(now)
        self.counters.blocked += 1
        return f"{field} {value} is blocked for {minutes:g} min"

    def _override(self, measure: Measure, now: float) -> str:
        policy = measure.response.policy or str(measure.fact.values.get("policy", ""))
        if not policy:
            return ""
        found = [item for item in overrides(self._control) if item.until > now]
        if len(found) >= MAX_OVERRIDES or any(
            (item.policy, item.do) == (policy, measure.response.do) for item in found
        ):
            return ""
        reason = f"rule {measure.rule}, incident {measure.incident.id}"
        until = now + measure.response.time
        made = Override(self._random(8).hex(), policy, measure.response.do, until, reason)
        keep_overrides(self._control, [*found, made])
        minutes = measure.response.time / 60
        self._control.note(AuditNote(now, ACTOR, f"policy.{made.do}", policy, f"for {minutes:g} min; {reason}"))
        self.counters.overridden += 1
        return f"policy {policy}: {made.do} for {minutes:g} min"

    def sweep(self, now: float) -> int:
        """Write down the end of what is over; how many."""
        found = overrides(self._control)
        ended = [item for item in found if item.until <= now]
        for item in ended:
            self._control.note(AuditNote(now, ACTOR, f"policy.{item.do}.end", item.policy, "its time is over"))
        if ended:
            keep_overrides(self._control, [item for item in found if item.until > now])
        for block in self._control.blocks():
            if block.by == ACTOR and block.until <= now:
                self._control.unblock(block.id)
                self._control.note(AuditNote(now, ACTOR, "caller.unblock", f"{block.field}={block.value}", "time over"))
        return len(ended)


def target(fact: Fact, field: str | None) -> tuple[str, str]:
    """Whom to block: the field that was asked for, or the strongest name the fact has."""
    for name in (field,) if field else _FIELDS:
        value = str(fact.values.get(name, ""))
        if value:
            return name, value
    return "", ""


def order(control: ControlStore, made: Override, by: str, now: float) -> None:
    """Put an override in force by a person's order, and log it. One of the same policy and deed is replaced."""
    kept = [item for item in overrides(control) if (item.policy, item.do) != (made.policy, made.do)]
    keep_overrides(control, [*kept, made][-MAX_OVERRIDES:])
    minutes = (made.until - now) / 60
    control.note(AuditNote(now, by, f"policy.{made.do}", made.policy, f"for {minutes:g} min; {made.reason}"))


def overrides(control: ControlStore) -> list[Override]:
    """The overrides kept, also those whose time is over."""
    data = control.state(STATE)
    try:
        return [Override(**item) for item in orjson.loads(data)] if data else []
    except (ValueError, TypeError):
        return []


def keep_overrides(control: ControlStore, items: list[Override]) -> None:
    """Replace them."""
    control.set_state(STATE, orjson.dumps([asdict(item) for item in items]))


def write_overrides(folder: Path, rows: Iterable[tuple[str, str, float]]) -> None:
    """Write (policy, do, until) of those in force where workers read it, at once and only if it changed.

    Raises OSError.
    """
    found = [{"policy": policy, "do": do, "until": until} for policy, do, until in rows]
    data = orjson.dumps({"overrides": found})
    path = folder / OVERRIDES_FILE
    if path.exists() and path.read_bytes() == data:
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.chmod(0o600)
    os.replace(draft, path)


def take_back(control: ControlStore, override_id: str, by: str, now: float) -> bool:
    """End an override early, and log it."""
    found = overrides(control)
    kept = [item for item in found if item.id != override_id]
    if len(kept) == len(found):
        return False
    keep_overrides(control, kept)
    control.note(AuditNote(now, by, "policy.override.end", override_id))
    return True
