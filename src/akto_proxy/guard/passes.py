"""One vectorscan database and what its answers say about rules; how both are kept on disk.

Expressions are shared: a number of so many digits, a word. A rule that wants both is named when both were seen. They
are joined here, not by vectorscan's logical combinations: those cost 10 us a scan for a thousand rules, however short
the text. Trade-off: what is kept on disk is trusted as far as its own checksum; keep it where only the operator writes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any

import hyperscan

from akto_proxy.errors import PolicyError
from akto_proxy.guard.trigger import Ask

_ONCE = hyperscan.HS_FLAG_SINGLEMATCH
_ANY_CASE = b"(?i)"

Joint = tuple[frozenset[int], tuple[frozenset[int], ...], tuple[int, ...]]
"""What must have fired beside a word: a pattern (or none), one of each further group; and the rules it stands for."""


class Pass:
    """One vectorscan database. Any thread may use it: each running scan takes a scratch of its own."""

    def __init__(
        self, alone: dict[int, list[int]], joint: dict[int, list[Joint]], each: frozenset[int], database: Any
    ) -> None:
        self._alone = alone
        self._each = each
        self._joint = joint
        self._database = database
        self._scan = database.scan if database else None
        self._scratch: Any = hyperscan.Scratch(database) if database else None
        self._scratches: list[Any] = []

    @property
    def numbers(self) -> frozenset[int]:
        """The rules that an expression alone stands for."""
        return frozenset(number for rules in self._alone.values() for number in rules)

    def dump(self) -> bytes:
        """All of it as bytes, for this version of vectorscan on this kind of processor."""
        joint = {
            key: [[sorted(needed), [sorted(group) for group in others], rules] for needed, others, rules in items]
            for key, items in self._joint.items()
        }
        return pack(
            [
                json.dumps([self._alone, joint, sorted(self._each)]).encode(),
                bytes(hyperscan.dumpb(self._database)) if self._database else b"",
            ]
        )

    @staticmethod
    def load(dumped: bytes) -> Pass:
        """What `dump` gave.

        Raises:
            ValueError: another version or another kind of processor dumped it.
        """
        tables, database = unpack(dumped)
        alone, joint, each = json.loads(tables)
        try:
            loaded = hyperscan.loadb(database, hyperscan.HS_MODE_BLOCK) if database else None
        except hyperscan.HyperscanError as error:
            raise ValueError(str(error)) from None
        return Pass(
            {int(key): rules for key, rules in alone.items()},
            {int(key): [_joint(item) for item in items] for key, items in joint.items()},
            frozenset(each),
            loaded,
        )

    def run(self, data: bytes) -> list[int]:
        """The numbers of the rules whose questions `data` answers, in no order."""
        hits: list[int] = []
        self._run(data, _hit, hits)
        return self._answered(hits) if hits else hits

    def since(self, data: bytes, place: int) -> list[int]:
        """As `run`, of what ends beyond `place`; of what reports only once also some that ends before."""
        hits: list[int] = []
        self._run(data, _late, (hits, place, self._each))
        return self._answered(hits) if hits else hits

    def _run(self, data: bytes, handler: Callable[..., None], context: Any) -> None:
        if self._scan is None:
            return
        scratches = self._scratches
        scratch = scratches.pop() if scratches else self._scratch.clone()
        try:
            self._scan(data, match_event_handler=handler, context=context, scratch=scratch)
        except hyperscan.ScanTerminated:
            pass  # every expression has reported
        finally:
            scratches.append(scratch)

    def _answered(self, hits: list[int]) -> list[int]:
        fired = frozenset(hits)
        numbers: dict[int, None] = {}
        for hit in fired:
            for number in self._alone.get(hit, ()):
                numbers[number] = None
            for needed, others, rules in self._joint.get(hit, ()):
                if needed <= fired and not any(group.isdisjoint(fired) for group in others):
                    numbers.update(dict.fromkeys(rules))
        return list(numbers)


class Plan:
    """What a database is to hold: its expressions, and what those that fire say about which rules."""

    def __init__(self, asked: Iterable[Ask], *, once: bool = True) -> None:
        """Each question's place is the number of its rule; an empty one is never answered.

        An expression reports `once` a text; if not, words report each time (patterns would at every character of a
        long run).
        """
        self._once = once
        self.expressions: list[bytes] = []
        self.alone: dict[int, list[int]] = {}
        self.joint: dict[int, list[Joint]] = {}
        self._ids: dict[bytes, int] = {}
        distinct: dict[Ask, list[int]] = {}
        for number, question in enumerate(asked):
            if question:
                distinct.setdefault(question, []).append(number)
        for question, numbers in distinct.items():
            pattern = [self._id(question.pattern.encode("ascii"))] if question.pattern else []
            groups = [frozenset(self._id(_ANY_CASE + _escape(word)) for word in group) for group in question.words]
            if len(pattern) + len(groups) == 1:
                for known in pattern or groups[0]:
                    self.alone.setdefault(known, []).extend(numbers)
                continue
            first, *others = groups
            for word in first:
                self.joint.setdefault(word, []).append((frozenset(pattern), tuple(others), tuple(numbers)))

    def _id(self, expression: bytes) -> int:
        known = self._ids.setdefault(expression, len(self.expressions))
        if known == len(self.expressions):
            self.expressions.append(expression)
        return known

    def compile(self) -> Pass:
        """The plan as a database.

        Raises:
            PolicyError: vectorscan cannot hold an expression.
        """
        if not self.expressions:
            return Pass(self.alone, self.joint, frozenset(), None)
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            count = len(self.expressions)
            words = () if self._once else (n for n in range(count) if self.expressions[n].startswith(_ANY_CASE))
            each = frozenset(words)
            flags = [0 if number in each else _ONCE for number in range(count)]
            database.compile(expressions=self.expressions, ids=list(range(count)), flags=flags)
        except hyperscan.HyperscanError as error:
            raise PolicyError(f"rules: vectorscan refuses a pattern: {error}; make its repeats smaller") from None
        return Pass(self.alone, self.joint, each, database)


def pack(parts: list[bytes]) -> bytes:
    """Parts in one piece, with a checksum in front."""
    body = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> list[bytes]:
    """What `pack` was given.

    Raises:
        ValueError: it is not whole.
    """
    body = data[32:]
    if hashlib.sha256(body).digest() != data[:32]:
        raise ValueError("not whole")
    parts: list[bytes] = []
    at = 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        parts.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return parts


def _joint(item: list[Any]) -> Joint:
    needed, others, rules = item
    return frozenset(needed), tuple(frozenset(group) for group in others), tuple(rules)


def _hit(number: int, _start: int, _end: int, _flags: int, hits: list[int]) -> None:
    hits.append(number)


def _late(number: int, _start: int, end: int, _flags: int, context: tuple[list[int], int, frozenset[int]]) -> None:
    hits, place, each = context
    if end > place or number not in each:
        hits.append(number)


def _escape(word: bytes) -> bytes:
    return b"".join(b"\\x%02x" % byte for byte in word)
