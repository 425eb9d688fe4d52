"""Many rules over some bytes: one vectorscan pass says which rules could match, RE2 says where, gates say if.

All rules are one database of triggers (see `trigger`). A rule that wants a keyword is a logical combination there, so a
text with many numbers but no word about them costs no Python at all. vectorscan runs without start-of-match, and each
expression reports once: the pass only narrows down, so its answer may be too wide but never too narrow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import hyperscan

from akto_proxy.errors import PolicyError
from akto_proxy.guard.closure import Closures
from akto_proxy.guard.head import OVERLAP, Head, head
from akto_proxy.guard.matcher import Check, Matcher, Words
from akto_proxy.guard.overlap import Key, lane, pick
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.syntax import parse
from akto_proxy.guard.trigger import Ask, ask

Raw = tuple[int, int, int, int, int, float]
"""A match: its start and end, its finding's start and end, the rule's number, the score (0.0: gated out)."""

_PLAIN = hyperscan.HS_FLAG_SINGLEMATCH
_PART = hyperscan.HS_FLAG_QUIET | hyperscan.HS_FLAG_SINGLEMATCH
_BOTH = hyperscan.HS_FLAG_COMBINATION | hyperscan.HS_FLAG_SINGLEMATCH


class Pass:
    """One vectorscan database. Any thread may use it: each running scan takes a scratch of its own."""

    def __init__(self, plan: Plan, dumped: bytes | None) -> None:
        self._owners = plan.owners
        self._database = _load(dumped) or plan.compile()
        self._scan = self._database.scan
        self._scratch = hyperscan.Scratch(self._database)
        self._scratches: list[Any] = []

    def dump(self) -> bytes:
        """The compiled database, for this version of vectorscan on this kind of processor."""
        return bytes(hyperscan.dumpb(self._database))

    def run(self, data: bytes) -> list[int]:
        """The numbers of the rules that report in `data`, in no order."""
        hits: list[int] = []
        scratches = self._scratches
        scratch = scratches.pop() if scratches else self._scratch.clone()
        try:
            self._scan(data, match_event_handler=_hit, context=hits, scratch=scratch)
        except hyperscan.ScanTerminated:
            pass  # every expression has reported
        finally:
            scratches.append(scratch)
        return [number for hit in hits for number in self._owners[hit]] if hits else hits


class Core:
    """The compiled rules: matchers, the pass that says which could match, the pass that says which may have begun."""

    def __init__(
        self,
        rules: Sequence[Rule],
        validators: Mapping[str, Check],
        allow: frozenset[str],
        database: bytes | None,
    ) -> None:
        self.matchers = tuple(Matcher(rule, validators, allow) for rule in rules)
        self.heads = tuple(head(parse(rule.pattern)) for rule in rules)
        self.before = max((matcher.before for matcher in self.matchers), default=0) + OVERLAP
        self._lanes = tuple(lane(rule.id, rule.category) for rule in rules)
        self._closures: dict[int, Closures] = {}
        self._triggers = self._anchors = None
        triggers, anchors = _unpack(database)
        if database is None:  # what was dumped was compiled before, so it was right
            for matcher in self.matchers:
                matcher.compile()
        if rules:
            self._triggers = Pass(triggers_of(rules), triggers)
        if any(item.anchor for item in self.heads):
            self._anchors = Pass(anchors_of(self.heads), anchors)

    def dump(self) -> bytes:
        """The compiled databases, to be given back as `database`."""
        first = self._triggers.dump() if self._triggers else b""
        return len(first).to_bytes(4, "big") + first + (self._anchors.dump() if self._anchors else b"")

    def triggered(self, data: bytes) -> list[int]:
        """The numbers of the rules that could match in `data`, in no order."""
        return self._triggers.run(data) if self._triggers else []

    def begun(self, data: bytes) -> list[int]:
        """The numbers of the rules whose anchor occurs in `data`."""
        return self._anchors.run(data) if self._anchors else []

    def closure(self, number: int) -> Closures:
        """What could still become a match of one rule."""
        known = self._closures.get(number)
        if known is None:
            matcher = self.matchers[number]
            known = self._closures[number] = Closures([(parse(matcher.rule.pattern), matcher.reach)])
        return known

    def find(
        self, data: bytes, numbers: Iterable[int], begin: int, stop: int, resume: Mapping[int, int] | None = None
    ) -> list[Raw]:
        """The matches of rules `numbers` that start in `begin..stop-1`; `resume` gives a rule a later begin."""
        found: list[Raw] = []
        for number in numbers:
            matcher = self.matchers[number]
            first = max(begin, resume.get(number, begin)) if resume else begin
            found += [(*span, number, matcher.judge(data, span)) for span in matcher.spans(data, first, stop)]
        return found

    def resolve(self, found: list[Raw]) -> list[Raw]:
        """Those that passed their gates, one for each stretch and lane (see `overlap`), sorted by start."""
        live = [raw for raw in found if raw[5] > 0.0 and raw[3] > raw[2]]
        if len(live) < 2:
            return live
        lanes: dict[str, list[Raw]] = {}
        for raw in live:
            lanes.setdefault(self._lanes[raw[4]], []).append(raw)
        kept = [raw for lane_ in lanes.values() for raw in pick(lane_, _span, self._key)]
        return sorted(kept, key=lambda raw: (raw[2], raw[3], raw[4]))

    def _key(self, raw: Raw) -> Key:
        return -raw[5], raw[2] - raw[3], raw[2], self.matchers[raw[4]].rule.id


class Plan:
    """What a database holds: its expressions and, for each that reports, the rules that it stands for."""

    def __init__(self, asked: Iterable[Ask]) -> None:
        """Each question's place is the number of its rule; an empty one is never answered."""
        self.expressions: list[bytes] = []
        self.flags: list[int] = []
        self.owners: dict[int, tuple[int, ...]] = {}
        parts: dict[bytes, int] = {}
        distinct: dict[Ask, list[int]] = {}
        for number, question in enumerate(asked):
            if question.pattern or question.words:
                distinct.setdefault(question, []).append(number)
        for question, numbers in distinct.items():
            expression, flags = question.pattern.encode("ascii"), _PLAIN
            if not expression and len(question.words) == len(question.words[0]) == 1:
                expression = b"(?i)" + _escape(question.words[0][0])  # a combination wants two parts
            elif question.words:
                wanted = [str(self._part(parts, expression))] if expression else []
                for group in question.words:
                    either = (str(self._part(parts, b"(?i)" + _escape(word))) for word in group)
                    wanted.append(f"({' | '.join(either)})")
                expression, flags = " & ".join(wanted).encode(), _BOTH
            self.owners[self._add(expression, flags)] = tuple(numbers)

    def _part(self, parts: dict[bytes, int], expression: bytes) -> int:
        if expression not in parts:
            parts[expression] = self._add(expression, _PART)
        return parts[expression]

    def _add(self, expression: bytes, flags: int) -> int:
        self.expressions.append(expression)
        self.flags.append(flags)
        return len(self.expressions) - 1

    def fingerprint(self) -> bytes:
        """A name for the compiled form: the same expressions and the same vectorscan give the same."""
        digest = hashlib.sha256(f"{version('hyperscan')}\n".encode())
        for expression, flags in zip(self.expressions, self.flags, strict=True):
            digest.update(b"%d %d " % (flags, len(expression)) + expression)
        return digest.digest()

    def compile(self) -> Any:
        """The database.

        Raises:
            PolicyError: vectorscan cannot hold an expression.
        """
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            database.compile(
                expressions=self.expressions, ids=list(range(len(self.expressions))), flags=list(self.flags)
            )
        except hyperscan.HyperscanError as error:
            raise PolicyError(f"rules: vectorscan refuses a pattern: {error}; make its repeats smaller") from None
        return database


def triggers_of(rules: Sequence[Rule]) -> Plan:
    """What tells that a rule could match somewhere in a text."""
    return Plan(ask(parse(rule.pattern), Words(rule.keywords).forms) for rule in rules)


def anchors_of(heads: Sequence[Head]) -> Plan:
    """What tells that a rule may have begun."""
    return Plan(Ask(item.anchor, ()) for item in heads)


def _unpack(dumped: bytes | None) -> tuple[bytes | None, bytes | None]:
    if not dumped or len(dumped) < 4:
        return None, None
    size = 4 + int.from_bytes(dumped[:4], "big")
    return dumped[4:size], dumped[size:]


def _load(dumped: bytes | None) -> Any:
    if not dumped:
        return None
    try:
        return hyperscan.loadb(dumped, hyperscan.HS_MODE_BLOCK)
    except hyperscan.HyperscanError:
        return None  # dumped by another version or for another processor: compile it again


def _hit(number: int, _start: int, _end: int, _flags: int, hits: list[int]) -> None:
    hits.append(number)


def _escape(word: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in word)


def _span(raw: Raw) -> tuple[int, int]:
    return raw[2], raw[3]
