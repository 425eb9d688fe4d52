"""A trace made ready to be shown: its conversation with masked spans marked, timing shares, curl, explanations.

What was masked stands in the kept text as the name of what it was (`<EMAIL_ADDRESS>`) or as stars. A span is
marked when its name is an entity that a decision of this trace names, so a caller cannot fake a mark that no rule made.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from akto_proxy.dashboard.conversation import Turn, turns
from akto_proxy.model import Action, Decision, Direction, Message, Trace

_PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]{1,60}?)(?:_[a-z2-7]{10}|:[0-9a-f]{12})?>|\*[*@.+\-]{3,500}\w{0,4}")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; `kind` names the action that marked it, `title` the rule."""

    text: str
    kind: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the call's time, for the figure: what, from and how long (microseconds), its shares in per cent."""

    name: str
    kind: str
    start: int
    took: int
    left: float
    width: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows of a trace."""

    request: tuple[tuple[Turn, tuple[Piece, ...]], ...]
    response: tuple[tuple[Turn, tuple[Piece, ...]], ...]
    request_raw: str
    response_raw: str
    curl: str
    spans: tuple[Span, ...]
    held: int
    stopped_before_model: bool
    sides: tuple[tuple[str, str, str], ...]
    """Prompt and answer in words: which, what the caller had of it, what the model server had."""


def detail(trace: Trace, proxy_url: str) -> Shown:
    """Make `trace` ready."""
    stopped = trace.upstream_status == 0 and trace.timing.upstream_first == 0
    response = _marked(turns(trace.response, "assistant"), trace.decisions, Direction.RESPONSE)
    timing = trace.timing
    return Shown(
        request=_marked(turns(trace.request, "user"), trace.decisions, Direction.REQUEST),
        response=response or _refusal(trace),
        request_raw=_raw(trace.request),
        response_raw=_raw(trace.response),
        curl=curl(trace, proxy_url),
        spans=tuple(_spans(trace, stopped)),
        held=max(0, timing.first_byte - timing.upstream_first) if timing.upstream_first and timing.first_byte else 0,
        stopped_before_model=stopped,
        sides=(_prompt(trace, stopped), _answer(trace, stopped)),
    )


def _prompt(trace: Trace, stopped: bool) -> tuple[str, str, str]:
    replaced = _replaced(trace, Direction.REQUEST)
    sent = "sent it; what a rule found is kept masked" if replaced else "sent it"
    if stopped:
        return "Prompt", sent, "never saw it"
    return "Prompt", sent, f"got it with {replaced} replaced" if replaced else "got it unchanged, byte for byte"


def _answer(trace: Trace, stopped: bool) -> tuple[str, str, str]:
    ours = "a refusal that names policy and rule" if trace.outcome == "blocked" else "an error that names the cause"
    if stopped or trace.outcome not in ("ok", "alerted", "redacted", "blocked"):
        return "Answer", f"got {ours}", "gave none" if stopped else "gave what could not be passed on"
    if any(item.action is Action.BLOCK for item in trace.decisions):
        got = f"got its beginning, then {ours}" if trace.streamed else f"got {ours}"
        return "Answer", got, "gave one that was not passed on"
    replaced = _replaced(trace, Direction.RESPONSE)
    if replaced:
        return "Answer", f"got it with {replaced} replaced", "gave it; what a rule found is kept masked"
    return "Answer", "got it unchanged, byte for byte", "gave it"


def _replaced(trace: Trace, direction: Direction) -> str:
    """How much of a direction was replaced, in words; nothing if nothing was."""
    found = (item for item in trace.decisions if item.action is Action.REDACT and item.direction is direction)
    count = sum(max(1, item.count) for item in found)
    return f"{count} {'span' if count == 1 else 'spans'}" if count else ""


def _spans(trace: Trace, stopped: bool) -> Iterator[Span]:
    """What took the time: our guard in all, the wait for the model, its answer, and when the caller got it."""
    timing = trace.timing
    whole = max(1, timing.total)
    parts = [("Our guard, in all", "guard", 0, timing.guard)]
    if not stopped:
        last = timing.upstream_total or timing.total
        parts.append(("Model, to its first byte", "wait", 0, timing.upstream_first))
        parts.append(("Model, to its last byte", "model", timing.upstream_first, last - timing.upstream_first))
    if timing.first_byte:
        parts.append(("Caller, first to last byte", "caller", timing.first_byte, timing.total - timing.first_byte))
    for name, kind, start, took in parts:
        left = min(99.0, 100 * start / whole)
        yield Span(
            name, kind, start, max(0, took), round(left, 2), round(min(100 - left, max(1, 100 * took / whole)), 2)
        )


def _refusal(trace: Trace) -> tuple[tuple[Turn, tuple[Piece, ...]], ...]:
    """What stands for an answer that is not kept because it was ours: the refusal, told from the decisions."""
    blocks = [decision for decision in trace.decisions if decision.action is Action.BLOCK]
    if trace.verdict is not Action.BLOCK or not blocks:
        return ()
    named = "; ".join(dict.fromkeys(f"policy {item.policy}, rule {item.rule}" for item in blocks))
    text = f"Refused with HTTP {trace.status}: {named}."
    return ((Turn("proxy", text, name="what the caller was told, in short"), (Piece(text),)),)


def _marked(
    found: tuple[Turn, ...], decisions: tuple[Decision, ...], direction: Direction
) -> tuple[tuple[Turn, tuple[Piece, ...]], ...]:
    # What a request had masked may come back in an answer, so an entity of the other direction counts too, but later.
    ordered = sorted(decisions, key=lambda d: (d.direction is direction, d.action))
    by_entity = {decision.entity: decision for decision in ordered if decision.entity}
    return tuple((turn, pieces(turn.text, by_entity)) for turn in found)


def pieces(text: str, by_entity: dict[str, Decision]) -> tuple[Piece, ...]:
    """Cut a text at its masked spans."""
    done: list[Piece] = []
    at = 0
    for match in _PLACEHOLDER.finditer(text):
        decision = _decision(match.group(1), by_entity)
        if decision is None:
            continue
        if match.start() > at:
            done.append(Piece(text[at : match.start()]))
        kind = max(decision.action, Action.ALERT).label
        done.append(Piece(match.group(), kind, f"{decision.entity}: rule {decision.rule}, policy {decision.policy}"))
        at = match.end()
    if at < len(text):
        done.append(Piece(text[at:]))
    return tuple(done)


def _decision(entity: str | None, by_entity: dict[str, Decision]) -> Decision | None:
    if entity is None:  # a mask of stars says no name: it is the only entity, or we do not guess
        return next(iter(by_entity.values())) if len(by_entity) == 1 else None
    return by_entity.get(entity)


def _raw(message: Message) -> str:
    if message.encoding != "text":
        return ""
    try:
        return json.dumps(json.loads(message.body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return message.body


_NAMED = (("x-user-id", "user"), ("x-team-id", "team"), ("x-agent-name", "agent"), ("x-session-id", "session"))


def curl(trace: Trace, proxy_url: str) -> str:
    """A command that sends the same request again. The token is a variable: none is ever kept.

    Who called is told by headers of ours whatever said it, because values of callers' own headers are not kept.
    """
    words = ["curl", "-sS", "-X", trace.method, shlex.quote(proxy_url.rstrip("/") + trace.path)]
    lines = [" ".join(words), '  -H "Authorization: Bearer $HF_TOKEN"']
    for name, value in trace.request.headers:
        if value and name.lower() in ("content-type", "accept", "user-agent"):
            lines.append(f"  -H {shlex.quote(f'{name}: {value}')}")
    for name, field in _NAMED:
        if value := getattr(trace.caller, field):
            lines.append(f"  -H {shlex.quote(f'{name}: {value}')}")
    if trace.request.body and trace.request.encoding == "text":
        lines.append(f"  --data-raw {shlex.quote(trace.request.body)}")
    return " \\\n".join(lines)
