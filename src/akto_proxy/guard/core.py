"""Many rules over some bytes: one vectorscan pass says which rules could match, RE2 says where, gates say if.

All rules are one database of questions (see `trigger`), many of them shared: a number of so many digits, a word. A rule
that wants both is looked at when both were seen. vectorscan runs without start-of-match, and each expression reports
once: the pass only narrows down, so its answer may be too wide but never too narrow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from akto_proxy.guard import disguise
from akto_proxy.guard.anchor import OVERLAP
from akto_proxy.guard.closure import Closures, closure
from akto_proxy.guard.head import head
from akto_proxy.guard.matcher import Allow, Check, Matcher, Words
from akto_proxy.guard.overlap import Key, lane, pick
from akto_proxy.guard.passes import Pass, Plan, pack, unpack
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.shape import widest
from akto_proxy.guard.syntax import parse
from akto_proxy.guard.trigger import Ask, ask, second

FORM = "9"
"""Raise it when the same rules compile to something else, so that nothing old is taken from disk."""

_FEW = 2  # doubtful rules that are looked for at once
_SHORT = 16384  # bytes of a text that gets a second pass; on a long run of one digit that pass is quadratic

Raw = tuple[int, int, int, int, int, float]
"""A match: its start and end, its finding's start and end, the rule's number, the score (0.0: gated out)."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a stream needs of a rule: the closure of its head and that head's reach; see `head`."""

    closure: str
    reach: int
    whole: bool
    anchored: bool


Compiled = tuple[Pass, Pass, Pass, tuple[Beginning, ...]]


class Core:
    """The compiled rules: matchers, the pass that says which could match, the pass that says which may have begun."""

    def __init__(
        self,
        rules: Sequence[Rule],
        validators: Mapping[str, Check],
        allow: frozenset[str],
        database: bytes | None,
    ) -> None:
        known = Allow(allow)
        self.matchers = tuple(Matcher(rule, validators, known) for rule in rules)
        self.before = max((matcher.before for matcher in self.matchers), default=0) + OVERLAP
        self._lanes = tuple(lane(rule.id, rule.category) for rule in rules)
        self._closures: dict[int, Closures] = {}
        kept = _kept(database, len(rules))
        if kept is None:
            for matcher in self.matchers:
                matcher.compile()
            kept = compile_parts(rules, disguise.ASKS)
        # What was kept had compiled when it was made, so RE2 compiles each rule when it is first needed.
        self._triggers, self._second, self._anchors, self.beginnings = kept
        self._doubtful = self._second.numbers

    def dump(self) -> bytes:
        """All that was compiled, to be given back as `database`."""
        beginnings = [[b.closure, b.reach, b.whole, b.anchored] for b in self.beginnings]
        return pack([self._triggers.dump(), self._second.dump(), self._anchors.dump(), json.dumps(beginnings).encode()])

    def triggered(self, data: bytes) -> list[int]:
        """The numbers of the rules that could match in `data`, in no order."""
        return self.survey(data)[0]

    def survey(self, data: bytes) -> tuple[list[int], bool]:
        """As `triggered`, and whether the ASCII text could be read in another way (see `disguise`)."""
        hits = self._triggers.run(data)
        if not hits:
            return hits, False
        count = len(self.matchers)
        rules = [hit for hit in hits if hit < count]
        disguised = len(rules) < len(hits)
        if len(rules) > _FEW and len(data) <= _SHORT and sum(hit in self._doubtful for hit in rules) > _FEW:
            # Common words called for these rules; one pass for their whole forms is cheaper than to look for each.
            sure = frozenset(self._second.run(data))
            rules = [hit for hit in rules if hit not in self._doubtful or hit in sure]
        return rules, disguised

    def begun(self, data: bytes, place: int) -> list[int]:
        """The numbers of the rules whose anchor ends in `data` beyond `place`."""
        return self._anchors.since(data, place) if self.matchers else []

    def closure(self, number: int) -> Closures:
        """What could still become a match of one rule."""
        known = self._closures.get(number)
        if known is None:
            matcher = self.matchers[number]
            known = self._closures[number] = Closures([(closure(parse(matcher.rule.pattern)), matcher.reach)])
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


def fingerprint(rules: Sequence[Rule]) -> str:
    """A name for what `rules` compile to."""
    digest = hashlib.sha256(f"{FORM} {version('hyperscan')} {disguise.ASKS}\n".encode())
    for rule in rules:
        digest.update(json.dumps([rule.pattern, rule.keywords, rule.max_width]).encode())
    return digest.hexdigest()[:32]


def compile_parts(rules: Sequence[Rule], others: Sequence[Ask] = ()) -> Compiled:
    """What scans of `rules` are made of, `others` asked for beside their triggers. Time and memory are the caller's."""
    trees = [parse(rule.pattern) for rule in rules]
    heads = [head(tree) for tree in trees]
    asked = [ask(tree, Words(rule.keywords).forms) for tree, rule in zip(trees, rules, strict=True)]
    triggers = Plan([*asked, *others])
    anchors = Plan((item.anchor for item in heads), once=False)
    beginnings = tuple(
        Beginning(closure(item.node), min(rule.reach, widest(item.node) or rule.reach), item.whole, bool(item.anchor))
        for item, rule in zip(heads, rules, strict=True)
    )
    # A rule with keywords of its own is asked for by these: its whole form beside them costs seconds to compile.
    forms = Plan(Ask() if rule.keywords else second(tree) for tree, rule in zip(trees, rules, strict=True))
    return triggers.compile(), forms.compile(), anchors.compile(), beginnings


def _kept(database: bytes | None, count: int) -> Compiled | None:
    """What `dump` gave, None when there is none or it does not fit: then all is compiled anew."""
    if database is None:
        return None
    try:
        triggers, forms, anchors, beginnings = unpack(database)
        items = tuple(Beginning(*item) for item in json.loads(beginnings))
        passes = Pass.load(triggers), Pass.load(forms), Pass.load(anchors)
        return (*passes, items) if len(items) == count else None
    except (ValueError, TypeError):
        return None


def _span(raw: Raw) -> tuple[int, int]:
    return raw[2], raw[3]
