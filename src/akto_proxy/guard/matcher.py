"""One rule, ready to run: where it matches in some bytes, and what each match is worth.

Matches are RE2's leftmost, non-overlapping ones, each confined to `reach` bytes from its start: a match that would be
wider is tried again inside that window. So the outcome at a start depends on a bounded window, whatever follows.

Trade-off: gates read bytes and fold ASCII case only; keywords of other scripts are looked for in both their cases.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from math import log2
from typing import Any

import re2

from akto_proxy.errors import PolicyError
from akto_proxy.guard.rule import CONTEXT, Rule
from akto_proxy.guard.shape import widest, write
from akto_proxy.guard.syntax import parse

Check = Callable[[str], bool | float]
Span = tuple[int, int, int, int]
"""A match's start and end, and its finding's start and end."""

_FREE = re2._Anchor.UNANCHORED
_HERE = re2._Anchor.ANCHOR_START
_SHORT = 4  # a keyword of so few letters must stand alone: `pin` is not meant by `opinion`
_BARE = str.maketrans("", "", " -./()+")  # what numbers are written with
_FLOOR = 0.4  # the least score of a match with a context word (Presidio's model)


class Matcher:
    """Finds and judges the matches of one rule. Stateless, so any thread may use it."""

    __slots__ = ("_allow", "_check", "_context", "_keywords", "_match", "_values", "before", "capped", "reach", "rule")

    def __init__(self, rule: Rule, validators: Mapping[str, Check], allow: Allow) -> None:
        tree = parse(rule.pattern)
        own = widest(tree)
        self.rule = rule
        self.reach = rule.reach
        self.before = rule.reach_before
        self.capped = own is None or own > self.reach
        self._match: Any = None  # compiled when first wanted: a start need not wait for hundreds of them
        self._check = _validator(rule, validators)
        self._keywords = Words(rule.keywords)
        self._context = Words(rule.context)
        self._allow = allow

    def compile(self) -> Any:
        """RE2's search for this rule.

        Raises:
            PolicyError: RE2 cannot hold the pattern.
        """
        self._match = compile_re2(write(parse(self.rule.pattern))).Match
        return self._match

    def spans(self, data: bytes, begin: int, stop: int) -> Iterator[Span]:
        """The matches in `data` that start in `begin..stop-1`, in order."""
        if self.capped:
            yield from self._capped(data, begin, stop)
            return
        match, end = self._match or self.compile(), len(data)
        while True:
            groups = match(_FREE, data, begin, end)
            first, last = groups[0]
            if first < 0 or first >= stop:
                return
            yield (first, last, *_value(groups))
            begin = last

    def _capped(self, data: bytes, begin: int, stop: int) -> Iterator[Span]:
        """As `spans`, where the pattern could match wider than `reach`.

        It looks through windows of twice the reach, so a start without an end costs a window, not the whole text.
        """
        match, reach, end = self._match or self.compile(), self.reach, len(data)
        while begin < stop:
            groups = match(_FREE, data, begin, min(end, begin + 2 * reach))
            first = groups[0][0]
            if first < 0 or first >= begin + reach:
                begin += reach  # every match that starts before is confined to the window, so there is none
                continue
            if first >= stop:
                return
            if groups[0][1] - first > reach:
                groups = match(_HERE, data, first, min(end, first + reach))
            if groups[0][0] < 0:
                begin = first + 1
                continue
            yield (first, groups[0][1], *_value(groups))
            begin = groups[0][1]

    def judge(self, data: bytes, span: Span) -> float:
        """What the match is worth: its score, 0.0 when a gate says that it is none."""
        start, end, first, last = span
        rule = self.rule
        before = _before(data, start) if self.before > CONTEXT else b""
        if self._keywords and not (self._keywords.within(before) or self._keywords.within(data[start:end].lower())):
            return 0.0
        near = bool(self._context) and self._context.within(before)
        if rule.context_required and not near:
            return 0.0
        text = data[first:last].decode("utf-8", "replace")
        if rule.entropy and entropy(text) < rule.entropy:
            return 0.0
        if self._allow and self._allow.holds(text):
            return 0.0
        score = rule.score
        if self._check is not None:
            verdict = self._check(text)
            if not verdict:
                return 0.0
            score = 1.0 if verdict is True else float(verdict)
        return min(1.0, max(score + rule.context_boost, _FLOOR)) if near else score


class Words:
    """Words to look for in lower-case bytes: short ASCII ones alone, others anywhere."""

    __slots__ = ("_anywhere", "_count", "alone", "forms")

    def __init__(self, words: tuple[str, ...]) -> None:
        forms = {form.encode("utf-8", "replace").lower() for word in words for form in (word.lower(), word.upper())}
        self.forms = tuple(sorted(form for form in forms if form))
        self.alone = tuple(form for form in self.forms if len(form) <= _SHORT and form.isalnum())
        self._anywhere = tuple(form for form in self.forms if form not in self.alone)
        self._count = len(self.forms)

    def __bool__(self) -> bool:
        return self._count > 0

    def within(self, lower: bytes) -> bool:
        """Whether one of the words stands in `lower`."""
        return any(word in lower for word in self._anywhere) or any(_stands(word, lower) for word in self.alone)


class Allow:
    """Values that are never a finding. A `*` in one stands for any characters, a `?` for one; case does not count."""

    __slots__ = ("_globs", "_values")

    def __init__(self, values: frozenset[str]) -> None:
        globs = sorted(value for value in values if "*" in value or "?" in value)
        self._values = frozenset(value.lower() for value in values)
        forms = (re.escape(glob.lower()).replace(r"\*", ".*").replace(r"\?", ".") for glob in globs)
        self._globs = re.compile("|".join(forms), re.DOTALL).fullmatch if globs else None

    def __bool__(self) -> bool:
        return bool(self._values)

    def holds(self, text: str) -> bool:
        """Whether `text` is such a value, as it is or without blanks, hyphens, dots, slashes, brackets and plus."""
        lower = text.lower()
        for form in (lower, lower.translate(_BARE)):
            if form in self._values or (self._globs is not None and self._globs(form)):
                return True
        return False


def compile_re2(pattern: str, megabytes: int = 8) -> Any:
    """RE2's own object for `pattern`, which has a `Match(anchor, bytes, begin, end)`.

    The object behind the module's wrapper is used because the wrapper costs more than a short match.

    Raises:
        PolicyError: RE2 cannot hold the pattern.
    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = megabytes << 20
    compiled = re2._re2.RE2(pattern.encode("utf-8", "replace"), options)
    if not compiled.ok():
        raise PolicyError(f"pattern: RE2 refuses it: {str(compiled.error(), 'utf-8', 'replace')[:80]}")
    return compiled


def entropy(text: str) -> float:
    """Shannon entropy in bits a character."""
    size = len(text)
    return -sum(count / size * log2(count / size) for count in Counter(text).values()) if size else 0.0


def _validator(rule: Rule, validators: Mapping[str, Check]) -> Check | None:
    if not rule.validator:
        return None
    if rule.validator not in validators:
        raise PolicyError(f"rule `{rule.id}`: no validator is called `{rule.validator}`")
    return validators[rule.validator]


def _value(groups: Any) -> tuple[int, int]:
    for group in groups[1:]:
        if group[0] >= 0:
            return int(group[0]), int(group[1])
    return int(groups[0][0]), int(groups[0][1])


def _before(data: bytes, start: int) -> bytes:
    near = data[max(0, start - CONTEXT) : start]
    if not near.isascii():
        near = data[max(0, start - 2 * CONTEXT) : start]
    return near.lower()


def _stands(word: bytes, lower: bytes) -> bool:
    at = lower.find(word)
    while at >= 0:
        after = lower[at + len(word) : at + len(word) + 1]
        if not (lower[max(0, at - 1) : at].isalnum() or after.isalnum()):
            return True
        at = lower.find(word, at + 1)
    return False
