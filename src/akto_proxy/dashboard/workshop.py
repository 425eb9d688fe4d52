"""Where a policy text is tried before it acts: validated, run on a text or a stream, compared, replayed.

The shipped rules are compiled once. A draft's own patterns are compiled apart, in a process with a deadline, because a
pattern can be made to take for ever to compile; findings of both are joined. Nothing here changes what is in force.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from akto_proxy.config.compile import compile_killable
from akto_proxy.dashboard.detail import Piece
from akto_proxy.errors import PolicyError
from akto_proxy.guard.engine import Engine, compile_alone, compile_database, fingerprint
from akto_proxy.guard.replace import Replacer
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.stream import Released, StreamGuard
from akto_proxy.model import Action, Direction, Finding, Role, Segment
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.judgement import Edit, Judgement
from akto_proxy.policy.schema import PolicyFile, parse_file

COMPILE_SECONDS = 15.0
MAX_TEXT = 1 << 20
MAX_STREAM = 4_000
KEPT = 8

Scan = Callable[[Sequence[Segment], frozenset[str]], Sequence[Sequence[Finding]]]
"""Findings of segments under the enabled rule ids: `guard.scanner.Scanner.scan`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy text that can be used: what it says, compiled, and the engine of its own patterns, if it has any."""

    text: str
    file: PolicyFile
    policies: PolicySet
    own: Engine | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What a draft makes of one text. `marked` is the text as it came, `passed` as it would go on."""

    judgement: Judgement
    marked: tuple[Piece, ...]
    passed: str


@dataclass(frozen=True, slots=True)
class StreamStep:
    """One piece of a stream: what was fed, what left, and how many characters were held back after it."""

    fed: str
    left: str
    held: int
    action: Action = Action.ALLOW


class Workshop:
    """Tries drafts. Safe from any thread."""

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        default: str,
        packs: Mapping[str, str] | None = None,
        scan: Scan | None = None,
        engine: Engine | None = None,
        key: bytes = b"playground",
    ) -> None:
        self.known = {rule.id: rule for rule in rules}
        self.rules = tuple(rules)
        self.default = default
        self.packs = dict(packs or {})
        self._engine = engine
        self._scan = scan
        self._replacer = Replacer(key)
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._databases: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def draft(self, text: str) -> Draft:
        """The draft of a policy text.

        Raises:
            PolicyError: it cannot be used; the message names the key and the fix.
        """
        if len(text) > MAX_TEXT:
            raise PolicyError(f"a policy text has at most {MAX_TEXT} characters")
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        with self._lock:
            if digest in self._drafts:
                self._drafts.move_to_end(digest)
                return self._drafts[digest]
        made = self._make(text)
        with self._lock:
            self._drafts[digest] = made
            while len(self._drafts) > KEPT:
                self._drafts.popitem(last=False)
        return made

    def _make(self, text: str) -> Draft:
        file = parse_file(text, "policy")
        policies = PolicySet(file.policies, self.known)
        rules = policies.custom_rules
        return Draft(text, file, policies, self._own(rules) if rules else None)

    def _own(self, rules: Sequence[Rule]) -> Engine:
        """The engine of a policy's own patterns. Most drafts change something else, so what they compile to is kept."""
        name = fingerprint(rules)
        with self._lock:
            database = self._databases.pop(name, None)
        if database is None:
            database = _compile_apart(rules)
        engine = Engine(rules, database=database)
        with self._lock:
            self._databases[name] = database
            while len(self._databases) > KEPT:
                self._databases.popitem(last=False)
        return engine

    def problem(self, text: str) -> str:
        """Why a text cannot be used, or nothing. Its patterns are only parsed, so it may be asked at each pause."""
        try:
            PolicySet(parse_file(text[: MAX_TEXT + 1], "policy").policies, self.known)
        except PolicyError as error:
            return str(error)
        return ""

    def scan(self, draft: Draft, segments: Sequence[Segment], enabled: frozenset[str]) -> list[list[Finding]]:
        """The findings of segments under a draft's rules."""
        scan = self._scan or self._plain
        found = [list(items) for items in scan(segments, enabled)]
        if draft.own is not None:
            for number, finding in draft.own.scan_many([item.text for item in segments], enabled):
                found[number].append(finding)
        return [sorted(items) for items in found]

    def _plain(self, segments: Sequence[Segment], enabled: frozenset[str]) -> list[list[Finding]]:
        found: list[list[Finding]] = [[] for _ in segments]
        for number, finding in self.engine.scan_many([item.text for item in segments], enabled):
            found[number].append(finding)
        return found

    @property
    def engine(self) -> Engine:
        """The engine of the shipped rules, compiled when it is first needed."""
        with self._lock:
            if self._engine is None:
                self._engine = Engine(self.rules)
            return self._engine

    def attempt(self, draft: Draft, text: str, direction: Direction, role: Role) -> Tried:
        """What a draft makes of a text; scopes are left aside."""
        plan = draft.policies.everything()
        segment = Segment(text, "/playground", role, direction)
        found = self.scan(draft, [segment], plan.enabled(direction))
        judged = plan.judge([segment], found)
        passed = "" if judged.action is Action.BLOCK else self._edited(text, judged.edits.get(0, ()))
        return Tried(judged, marked(text, found[0], judged), passed)

    def _edited(self, text: str, edits: Sequence[Edit]) -> str:
        parts: list[str] = []
        at = 0
        for edit in edits:
            instead = self._replacer.render(edit.replacement, edit.finding.entity, text[edit.start : edit.end])
            parts += (text[at : edit.start], instead)
            at = edit.end
        return "".join((*parts, text[at:]))

    def stream(self, draft: Draft, text: str, role: Role, size: int = 6) -> list[StreamStep]:
        """The same text as an answer that comes in pieces of `size` characters: what leaves, and when."""
        plan = draft.policies.everything()
        enabled = plan.enabled(Direction.RESPONSE)
        engines = [self.engine] if draft.own is None else [self.engine, draft.own]
        lane = Lane([engine.stream(enabled) for engine in engines])
        text = text[:MAX_STREAM]
        steps: list[StreamStep] = []
        for piece in (*(text[at : at + size] for at in range(0, len(text), size)), None):
            released = lane.finish() if piece is None else lane.feed(piece)
            judged = plan.judge_one(role, Direction.RESPONSE, "/stream", released.findings, released.text)
            if judged.action is Action.BLOCK:
                return [*steps, StreamStep(piece or "", "", lane.held, Action.BLOCK)]
            left = self._edited(released.text, judged.edits.get(0, ()))
            if piece or left:
                steps.append(StreamStep(piece or "", left, lane.held, judged.action))
        return steps


class Lane:
    """Several stream guards over one text: what all of them let go leaves, never cut through a finding of any."""

    def __init__(self, guards: Sequence[StreamGuard]) -> None:
        self._guards = guards
        self._sure = [0] * len(guards)
        self._found: list[Finding] = []
        self._text = ""
        self._gone = 0

    @property
    def held(self) -> int:
        """The characters held back now."""
        return len(self._text)

    def feed(self, text: str) -> Released:
        """More text in, what is decided out."""
        self._text += text
        return self._collect([guard.feed(text) for guard in self._guards])

    def finish(self) -> Released:
        """No more text comes: the rest."""
        return self._collect([guard.finish() for guard in self._guards])

    def _collect(self, released: Sequence[Released]) -> Released:
        for number, item in enumerate(released):
            at = self._sure[number]
            self._found += [replace(hit, start=hit.start + at, end=hit.end + at) for hit in item.findings]
            self._sure[number] += len(item.text)
        cut = min(self._sure)
        while crossing := [hit.start for hit in self._found if hit.start < cut < hit.end]:
            cut = min(crossing)
        now = sorted(hit for hit in self._found if hit.end <= cut)
        self._found = [hit for hit in self._found if hit.end > cut]
        base, size = self._gone, cut - self._gone
        left, self._text, self._gone = self._text[:size], self._text[size:], cut
        return Released(left, tuple(replace(hit, start=hit.start - base, end=hit.end - base) for hit in now))


def marked(text: str, found: Sequence[Finding], judged: Judgement) -> tuple[Piece, ...]:
    """A text with what was found in it marked by what is done about it."""
    done = {decision.rule: decision for decision in sorted(judged.decisions, key=lambda item: item.action)}
    pieces: list[Piece] = []
    at = 0
    for finding in sorted(found):
        decision = done.get(finding.rule)
        start = max(at, finding.start)
        if decision is None or finding.end <= start:
            continue
        pieces += (Piece(text[at:start]),) if start > at else ()
        kind = max(decision.action, decision.would, Action.ALERT).label
        title = f"{finding.entity}: rule {finding.rule}, policy {decision.policy}, score {finding.score:.2f}"
        pieces.append(Piece(text[start : finding.end], kind, title))
        at = finding.end
    return (*pieces, Piece(text[at:])) if at < len(text) else tuple(pieces)


def _compile_apart(rules: Sequence[Rule]) -> bytes:
    return compile_killable(compile_database, rules, rules, alone=compile_alone, deadline=COMPILE_SECONDS)
