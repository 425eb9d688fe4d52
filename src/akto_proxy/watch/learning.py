"""Learned limits from the trace store to the gate: read a baseline, propose, and carry out what a person decides.

Nothing here enforces unasked: a proposal waits in the control store until somebody accepts it, first only counting
(`shadow`) if they like. Whatever is decided is in the audit log and can be taken back. The baseline is read twice: once
to learn, once to see what the proposed limits would have refused, because memory for all calls would have no bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import orjson

from akto_proxy.errors import AktoProxyError
from akto_proxy.limits.learn import Baseline, Found, Terms, Use
from akto_proxy.limits.learned import SLOTS
from akto_proxy.limits.rehearsal import Rehearsal
from akto_proxy.store.control import AuditNote, ControlStore, Proposal
from akto_proxy.store.face import Filter, Summary, TraceStore

DAY, HOUR = 86_400.0, 3600.0
MOST_CALLS = 2_000_000
"""Calls of a baseline; one with more begins later, at a whole hour."""

_SLICE = 20_000
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Learning:
    """What was learned: the proposals kept, and what was seen too little of. `left_out` counts callers not followed."""

    proposals: tuple[Proposal, ...]
    thin: tuple[Found, ...]
    same: tuple[Found, ...]
    """Where the limit in force, or one dismissed within the baseline's time, says the same already."""

    calls: int
    since: float
    left_out: int = 0


def learn(
    traces: TraceStore,
    control: ControlStore,
    terms: Terms,
    *,
    days: float,
    now: float,
    by: str,
    random: Callable[[int], bytes],
    ip: str = "",
) -> Learning:
    """Learn limits from the last `days` and keep them as proposals. Proposals nobody decided on are replaced.

    Args:
        traces: the baseline.
        control: where proposals are kept.
        terms: how limits are learned.
        days: of the baseline, up to `now` (Unix seconds).
        now: Unix seconds.
        by: who asked, for the audit log.
        random: so many random bytes.
        ip: from where, for the audit log; empty on the machine itself.
    """
    until = now // 60 * 60  # whole minutes, which the store has summed up already
    since, hours = _hours(traces, until - days * DAY, until)
    baseline = Baseline(terms)
    for use in _uses(traces, hours):
        baseline.add(use)
    found = baseline.found()
    before = control.proposals()
    offered: list[Found] = []
    same: list[Found] = []
    for item in found:
        if item.limit:
            (same if _said(item, before, since) else offered).append(item)
    rehearsal = Rehearsal(offered, terms.prices)
    if offered:
        for use in _uses(traces, hours):
            rehearsal.add(use)
    made = tuple(_proposal(item, rehearsal, terms, baseline.calls, since, now, random(8).hex()) for item in offered)
    made = _kept(control, made, now)
    thin = tuple(item for item in found if item.thin)
    said = f"{len(made)} proposed, {len(thin)} with too little data, from {baseline.calls} calls of {days:g} days"
    control.note(AuditNote(now, by, "limits.learn", "", said, ip))
    return Learning(made, thin, tuple(same), baseline.calls, since, baseline.left_out)


def _kept(control: ControlStore, made: Sequence[Proposal], now: float) -> tuple[Proposal, ...]:
    """Keep them. One that nobody decided on yet is renewed in its place, or `replaced` where it is not found again."""
    waiting = {item.name: item for item in control.proposals(["proposed"])}
    kept = []
    for proposal in made:
        old = waiting.pop(proposal.name, None)
        renewed = replace(proposal, id=old.id) if old else proposal
        if old is None or not control.move_proposal(renewed, ["proposed"]):
            renewed = proposal
            control.keep_proposal(proposal)
        kept.append(renewed)
    for old in waiting.values():
        control.move_proposal(replace(old, state="replaced", decided=now), ["proposed"])
    return tuple(kept)


def _hours(traces: TraceStore, since: float, until: float) -> tuple[float, list[tuple[float, float, int]]]:
    """The hours of a baseline that hold calls, oldest first, at most MOST_CALLS calls of the newest; and its begin."""
    found: list[tuple[float, float, int]] = []
    total, end = 0, until
    while end > since:  # a timeline has a bounded number of steps, so it is asked a month at a time
        begin = max(since, end - 30 * DAY)
        for bucket in reversed(traces.timeline(Filter(since=begin, until=end), step=HOUR)):
            if total + bucket.traces > MOST_CALLS:
                return bucket.at + HOUR, found[::-1]
            if bucket.traces:
                total += bucket.traces
                found.append((max(bucket.at, begin), min(bucket.at + HOUR, end), bucket.traces))
        end = begin
    return since, found[::-1]


def _uses(traces: TraceStore, hours: Sequence[tuple[float, float, int]]) -> Iterator[Use]:
    """The calls in the order in which they began: the store tells newest first, so small slices are turned round."""
    for begin, end, calls in hours:
        slices = max(1, ceil(calls / _SLICE))
        step = (end - begin) / slices
        for number in range(slices):
            start = begin + number * step
            stop = end if number == slices - 1 else start + step
            yield from reversed([_use(line) for line in _lines(traces, start, stop) if line.outcome != "limited"])


def _lines(traces: TraceStore, since: float, until: float) -> Iterator[Summary]:
    cursor = ""
    while True:
        page = traces.search(Filter(since=since, until=until), cursor=cursor, limit=_PAGE)
        yield from page.items
        cursor = page.next
        if not cursor:
            return


def _use(line: Summary) -> Use:
    callers = (line.user, line.key, line.team, line.agent, line.ip)
    seconds = line.total_us / 1e6
    return Use(line.started, seconds, line.endpoint, callers, line.model, line.prompt_tokens, line.completion_tokens)


def _said(item: Found, before: Sequence[Proposal], since: float) -> bool:
    """Whether the same limit is in force already, or was dismissed by a person since the baseline began."""
    return any(
        old.state == "accepted" or (old.state == "dismissed" and old.decided >= since)
        for old in before
        if old.name == item.name and limit_of(old) == item.limit
    )


def limit_of(proposal: Proposal) -> float:
    """The amount that it allows in its period."""
    return float(orjson.loads(proposal.entry)["limit"])


def _proposal(
    item: Found, rehearsal: Rehearsal, terms: Terms, calls: int, since: float, now: float, ident: str
) -> Proposal:
    refused, whom = rehearsal.refused(item)
    return Proposal(
        id=ident,
        name=item.name,
        state="proposed",
        made=now,
        endpoint=item.endpoint,
        kind=item.kind,
        count=item.count,
        entry=orjson.dumps(item.entry("enforce", terms.prices)).decode(),
        since=since,
        until=now,
        days=item.days,
        samples=item.samples,
        callers=item.callers,
        calls=calls,
        percentile=terms.percentile,
        headroom=terms.headroom,
        usual=item.usual,
        peak=item.peak,
        refused=refused,
        refused_callers=whom,
    )


class DecisionError(AktoProxyError):
    """A decision that cannot be carried out; the message is for the person who made it."""


def accept(control: ControlStore, proposal_id: str, mode: str, *, by: str, now: float, ip: str = "") -> Proposal:
    """Put a learned limit in force: `enforce`, or `shadow` to count only. One in force is given another mode so.

    A limit of the same name that was in force is withdrawn.

    Raises:
        DecisionError: there is no such proposal, it was decided otherwise, or too many are in force.
    """
    found = _found(control, proposal_id)
    in_force = [item for item in control.proposals(["accepted"]) if item.id != found.id]
    replaced = [item for item in in_force if item.name == found.name]
    taken = {item.slot for item in in_force if item not in replaced}
    slot = found.slot if found.slot >= 0 else next((item.slot for item in replaced), -1)
    if slot < 0:
        slot = next((number for number in range(SLOTS) if number not in taken), -1)
    if slot < 0:
        raise DecisionError(f"{SLOTS} learned limits are in force already; withdraw one first.")
    entry = orjson.dumps({**orjson.loads(found.entry), "mode": mode}).decode()
    made = replace(found, state="accepted", entry=entry, by=by, decided=now, slot=slot)
    if not control.move_proposal(made, ["proposed", "accepted"]):
        raise DecisionError(f"{found.name} is {found.state}; only a proposed limit can be accepted.")
    for item in replaced:
        control.move_proposal(replace(item, state="withdrawn", by=by, decided=now, slot=-1), ["accepted"])
    control.note(AuditNote(now, by, "limits.accept", found.name, f"{mode}; {words(made)}", ip))
    return made


def dismiss(control: ControlStore, proposal_id: str, *, by: str, now: float, ip: str = "") -> Proposal:
    """Do without a proposed limit.

    Raises:
        DecisionError: there is no such proposal, or it is not only proposed.
    """
    return _end(control, proposal_id, ("proposed", "dismissed"), AuditNote(now, by, "limits.dismiss", ip=ip))


def withdraw(control: ControlStore, proposal_id: str, *, by: str, now: float, ip: str = "") -> Proposal:
    """Take an accepted limit back.

    Raises:
        DecisionError: there is no such limit, or it is not in force.
    """
    return _end(control, proposal_id, ("accepted", "withdrawn"), AuditNote(now, by, "limits.withdraw", ip=ip))


def _end(control: ControlStore, proposal_id: str, move: tuple[str, str], note: AuditNote) -> Proposal:
    before, after = move
    found = _found(control, proposal_id)
    made = replace(found, state=after, by=note.actor, decided=note.at, slot=-1)
    if not control.move_proposal(made, [before]):
        raise DecisionError(f"{found.name} is {found.state}, so it cannot be {after}.")
    control.note(replace(note, subject=found.name, detail=words(found)))
    return made


def _found(control: ControlStore, proposal_id: str) -> Proposal:
    found = control.proposal(proposal_id)
    if found is None:
        raise DecisionError("There is no such learned limit.")
    return found


def words(proposal: Proposal) -> str:
    """What the limit says, in words."""
    entry = orjson.loads(proposal.entry)
    span = f"in {entry['per']:g} s" if "per" in entry else "at the same time"
    what = "calls" if proposal.count == "concurrent" else proposal.count.replace("_", " ")
    return f"{entry['limit']:g} {what} {span} for each {proposal.kind} at {proposal.endpoint}"


def accepted(control: ControlStore) -> list[tuple[int, str]]:
    """Slot and entry of each learned limit in force. Of two given one slot at once, the later gets another."""
    found: dict[int, str] = {}
    for item in sorted(control.proposals(["accepted"]), key=lambda item: (item.decided, item.id)):
        slot = item.slot if item.slot not in found else next((n for n in range(SLOTS) if n not in found), -1)
        if 0 <= slot < SLOTS:
            found[slot] = item.entry
    return sorted(found.items())
