"""Patterns as trees: RE2's syntax parsed, measured and written again.

One tree serves four masters: the RE2 pattern that finds spans, the cheap trigger that vectorscan runs, the width of
the longest match, and the closure that says what could still become a match. So what they say about a rule agrees.

Trade-off: case folding under `(?i)` is ASCII plus the simple upper and lower forms of a written non-ASCII character,
not RE2's full Unicode folding (which takes the Kelvin sign for a `k`): the trigger stays a plain byte pattern, and the
NFKC view finds such characters anyway. A parser of our own also lets an error name the construct that is not allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from akto_proxy.errors import PolicyError

Ranges = tuple[tuple[int, int], ...]
TOP = 0x10FFFF
ANY: Ranges = ((0, TOP),)

_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 10), (12, 13), (32, 32))
_NAMED: dict[str, Ranges] = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROL = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": _DIGIT,
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_REFUSED_GROUPS = (
    ("(?=", "lookahead `(?=...)`", "match the following text and mark the wanted part with `(?P<v>...)`"),
    ("(?!", "negative lookahead `(?!...)`", "use a negated class such as `[^x]`, or the rule's `no` and `allow` lists"),
    ("(?<=", "lookbehind `(?<=...)`", "match the text before and mark the wanted part with `(?P<v>...)`"),
    ("(?<!", "negative lookbehind `(?<!...)`", "use `\\b`, or match `(?:^|[^x])` before `(?P<v>...)`"),
    ("(?>", "atomic group `(?>...)`", "use a plain group `(?:...)`: matching is linear without it"),
    ("(?(", "conditional `(?(1)...)`", "write the alternatives out: `(?:a|b)`"),
    ("(?P=", "backreference `(?P=name)`", "repeat the sub-pattern itself"),
    ("(?P>", "recursion `(?P>name)`", "write the nesting out to a fixed depth"),
    ("(?R", "recursion `(?R)`", "write the nesting out to a fixed depth"),
    ("(?&", "recursion `(?&name)`", "write the nesting out to a fixed depth"),
    ("(?#", "comment `(?#...)`", "put the comment beside the rule"),
)
_REFUSED_ESCAPES = {
    "k": ("backreference `\\k`", "repeat the sub-pattern itself"),
    "g": ("reference `\\g`", "repeat the sub-pattern itself"),
    "K": ("`\\K`", "mark the wanted part with `(?P<v>...)`"),
    "G": ("`\\G`", "use `\\b` or `\\A`"),
    "Z": ("`\\Z`", "use `\\z` or `$`"),
    "R": ("`\\R`", "use `\\r?\\n`"),
    "X": ("`\\X`", "use `.`"),
    "h": ("`\\h`", "use `[ \\t]`"),
    "H": ("`\\H`", "use `[^ \\t]`"),
    "N": ("`\\N`", "use `[^\\n]`"),
    "C": ("`\\C` (one byte)", "use `.`"),
    "u": ("`\\u`", "use `\\x{...}`"),
}


@dataclass(frozen=True, slots=True)
class Char:
    """Exactly one character. `source` is kept where the ranges are only an upper bound (Unicode classes)."""

    ranges: Ranges
    source: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    r"""A place, not a character: `^ $ \b \B \A \z`, written so that it means the same under any flags."""

    source: str


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Alt:
    """One or the other, the first that fits is preferred."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Rep:
    """`low` to `high` times (None: no end)."""

    item: Node
    low: int
    high: int | None
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Value:
    """The group `v`: what the finding covers."""

    item: Node


Node = Char | Mark | Seq | Alt | Rep | Value


@dataclass(slots=True)
class _Flags:
    fold: bool = False
    multi: bool = False
    dot_all: bool = False
    swap: bool = False

    def copy(self) -> _Flags:
        return _Flags(self.fold, self.multi, self.dot_all, self.swap)


@lru_cache(maxsize=4096)
def parse(pattern: str) -> Node:
    """The tree of an RE2 pattern.

    Raises:
        PolicyError: names the construct that linear-time matching does not allow, and the nearest allowed form.
    """
    return _Parser(pattern).parse()


class _Parser:
    """A recursive-descent parser; depth is bounded because RE2 itself refuses nesting beyond 1,000."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.depth = 0

    def parse(self) -> Node:
        node = self._alternatives(_Flags())
        if self.at < len(self.text):
            raise PolicyError(f"pattern: `)` at {self.at} closes nothing; escape it as `\\)`")
        return node

    def _alternatives(self, flags: _Flags) -> Node:
        self.depth += 1
        if self.depth > 100:
            raise PolicyError("pattern: groups nested deeper than 100; write it flatter")
        branches = [self._sequence(flags)]
        while self._eat("|"):
            branches.append(self._sequence(flags))
        self.depth -= 1
        return branches[0] if len(branches) == 1 else Alt(tuple(branches))

    def _sequence(self, flags: _Flags) -> Node:
        items: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            atoms = self._atoms(flags)
            if atoms:
                atoms[-1] = self._repeated(atoms[-1], flags)
            items.extend(atoms)
        return items[0] if len(items) == 1 else Seq(tuple(items))

    def _atoms(self, flags: _Flags) -> list[Node]:
        char = self.text[self.at]
        if char == "(":
            return self._group(flags)
        if char == "[":
            return [self._klass(flags)]
        if char == "\\":
            return self._escape(flags)
        self.at += 1
        if char in "*+?":
            raise PolicyError(f"pattern: `{char}` at {self.at - 1} repeats nothing; escape it as `\\{char}`")
        if char == ".":
            return [Char(ANY if flags.dot_all else _negate(((10, 10),)))]
        if char == "^":
            return [Mark("(?m:^)" if flags.multi else "\\A")]
        if char == "$":
            return [Mark("(?m:$)" if flags.multi else "\\z")]
        return [_literal(char, flags)]

    def _group(self, flags: _Flags) -> list[Node]:
        rest = self.text[self.at : self.at + 4]
        for opening, name, instead in _REFUSED_GROUPS:
            if rest.startswith(opening) and not (opening == "(?P" and rest.startswith("(?P<")):
                raise PolicyError(f"pattern: {name} is not allowed; {instead}")
        name, inner = "", flags.copy()
        if rest.startswith(("(?P<", "(?<")):
            begin = self.text.index("<", self.at) + 1
            end = self.text.find(">", begin)
            if end < 0:
                raise PolicyError("pattern: a group name has no closing `>`")
            name, self.at = self.text[begin:end], end + 1
        elif rest.startswith("(?"):
            self.at += 2
            if self._flags(inner, flags):
                return []
        else:
            self.at += 1
        node = self._alternatives(inner)
        if not self._eat(")"):
            raise PolicyError("pattern: a `(` is never closed; escape it as `\\(`")
        return [Value(node)] if name == "v" else [node if isinstance(node, Char) else Seq((node,))]

    def _flags(self, inner: _Flags, outer: _Flags) -> bool:
        """Read `i-s:` or `i)`; true when it was the latter and so sets flags for the rest of the group."""
        value = True
        names = {"i": "fold", "m": "multi", "s": "dot_all", "U": "swap"}
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == ":":
                return False
            if char == ")":
                for field in names.values():
                    setattr(outer, field, getattr(inner, field))
                return True
            if char == "-":
                value = False
            elif char in names:
                setattr(inner, names[char], value)
            else:
                raise PolicyError(f"pattern: group flag `{char}` is not allowed; allowed are i, m, s and U")
        raise PolicyError("pattern: a `(?` is never closed")

    def _repeated(self, node: Node, flags: _Flags) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return node
        low, high = bounds
        lazy = self._eat("?") != flags.swap
        if self._eat("+"):
            raise PolicyError("pattern: possessive repeat such as `x*+` is not allowed; use `x*`: matching is linear")
        if self._bounds() is not None:
            raise PolicyError("pattern: a repeat of a repeat is not allowed; group it: `(?:x*)*`")
        return Rep(node, low, high, lazy)

    def _bounds(self) -> tuple[int, int | None] | None:
        for sign, bounds in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self._eat(sign):
                return bounds
        if not self.text.startswith("{", self.at):
            return None
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at + 1 : max(end, 0)].partition(",")
        if end < 0 or not _digits(low) or (high and not _digits(high)):
            return None  # RE2 reads such a brace as itself
        self.at = end + 1
        top = int(low) if not comma else int(high) if high else None
        if int(low) > 1000 or (top or 0) > 1000:
            raise PolicyError("pattern: a repeat above 1,000 is not allowed; use `*` and give the rule a `max_width`")
        return int(low), top

    def _escape(self, flags: _Flags) -> list[Node]:
        following = self.text[self.at + 1 : self.at + 2]
        if following == "Q":
            end = self.text.find("\\E", self.at)
            quoted = self.text[self.at + 2 : end if end >= 0 else len(self.text)]
            self.at = end + 2 if end >= 0 else len(self.text)
            return [_literal(char, flags) for char in quoted]
        if following and following in "bBAz":
            self.at += 2
            return [Mark("\\" + following)]
        begin = self.at
        ranges = self._escaped_ranges()
        if ranges is None:
            return [Char(ANY, _fold_source(self.text[begin : self.at], flags))]
        return [Char(_fold(ranges) if flags.fold else ranges)]

    def _escaped_ranges(self) -> Ranges | None:
        """The ranges of the escape at the cursor; None for a Unicode class, whose ranges are not spelled out."""
        char = self.text[self.at + 1 : self.at + 2]
        if char in _REFUSED_ESCAPES:
            name, instead = _REFUSED_ESCAPES[char]
            raise PolicyError(f"pattern: {name} is not allowed; {instead}")
        if char and char in "123456789":
            raise PolicyError(f"pattern: backreference `\\{char}` is not allowed; repeat the sub-pattern itself")
        self.at += 2
        if char.lower() in _NAMED:
            ranges = _NAMED[char.lower()]
            return ranges if char.islower() else _negate(ranges)
        if char in _CONTROL:
            return ((_CONTROL[char],) * 2,)
        if char == "0":
            return self._octal()
        if char == "x":
            return self._hex()
        if char and char in "pP":
            self.at = self.text.index("}", self.at) + 1 if self.text.startswith("{", self.at) else self.at + 1
            return None
        if not char or (char.isalnum() and char.isascii()):
            raise PolicyError(f"pattern: escape `\\{char}` is not allowed; write the character itself")
        return ((ord(char),) * 2,)

    def _octal(self) -> Ranges:
        begin = self.at
        while self.at < begin + 2 and self.text[self.at : self.at + 1] in set("01234567"):
            self.at += 1
        code = int(self.text[begin : self.at] or "0", 8)
        return ((code, code),)

    def _hex(self) -> Ranges:
        if self.text.startswith("{", self.at):
            end = self.text.find("}", self.at)
            digits, self.at = self.text[self.at + 1 : max(end, 0)], end + 1
        else:
            digits, self.at = self.text[self.at : self.at + 2], self.at + 2
        try:
            code = int(digits, 16)
        except ValueError:
            raise PolicyError("pattern: `\\x` wants two hexadecimal digits or `\\x{...}`") from None
        return ((code, code),)

    def _klass(self, flags: _Flags) -> Char:
        begin = self.at
        self.at += 1
        negated = self._eat("^")
        parts: list[tuple[int, int]] = []
        exact, first = True, True
        while first or not self.text.startswith("]", self.at):
            if self.at >= len(self.text):
                raise PolicyError("pattern: a `[` is never closed; escape it as `\\[`")
            first = False
            item = self._klass_item()
            exact = exact and item is not None
            parts.extend(item or ())
        self.at += 1
        if not exact:
            return Char(ANY, _fold_source(self.text[begin : self.at], flags))
        ranges = _merge(parts)
        ranges = _fold(ranges) if flags.fold else ranges
        return Char(_negate(ranges) if negated else ranges)

    def _klass_item(self) -> Ranges | None:
        if self.text.startswith("[:", self.at):
            end = self.text.find(":]", self.at)
            name = self.text[self.at + 2 : max(end, 0)]
            if name.removeprefix("^") in _POSIX:
                self.at = end + 2
                ranges = _POSIX[name.removeprefix("^")]
                return _negate(ranges) if name.startswith("^") else ranges
        low = self._klass_char()
        if low is None or len(low) != 1 or low[0][0] != low[0][1]:
            return low
        if self.text.startswith("-", self.at) and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            high = self._klass_char()
            if high is None or len(high) != 1 or high[0][0] < low[0][0]:
                raise PolicyError("pattern: a range in `[...]` ends before it begins")
            return ((low[0][0], high[0][0]),)
        return low

    def _klass_char(self) -> Ranges | None:
        if self.text.startswith("\\b", self.at):
            raise PolicyError("pattern: `\\b` inside `[...]` is not allowed; use `\\x08` for the backspace")
        if self.text.startswith("\\", self.at):
            return self._escaped_ranges()
        code = ord(self.text[self.at])
        self.at += 1
        return ((code, code),)

    def _eat(self, char: str) -> bool:
        if self.text.startswith(char, self.at):
            self.at += 1
            return True
        return False


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def _literal(char: str, flags: _Flags) -> Char:
    ranges: Ranges = ((ord(char), ord(char)),)
    return Char(_fold(ranges) if flags.fold else ranges)


def _fold_source(source: str, flags: _Flags) -> str:
    return f"(?i:{source})" if flags.fold else source


def _merge(parts: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(parts):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _negate(ranges: Ranges) -> Ranges:
    gaps, at = [], 0
    for low, high in _merge(ranges):
        if low > at:
            gaps.append((at, low - 1))
        at = high + 1
    if at <= TOP:
        gaps.append((at, TOP))
    return tuple(gaps)


def _fold(ranges: Ranges) -> Ranges:
    extra = list(ranges)
    for low, high in ranges:
        for first, last, shift in ((65, 90, 32), (97, 122, -32)):
            begin, end = max(low, first), min(high, last)
            if begin <= end:
                extra.append((begin + shift, end + shift))
        if high - low < 1000:  # a wide range of another script is taken to hold both cases already
            extra.extend(_variants(max(low, 128), high))
    return _merge(extra)


def _variants(low: int, high: int) -> Iterator[tuple[int, int]]:
    for code in range(low, high + 1):
        for other in (chr(code).lower(), chr(code).upper()):
            if len(other) == 1 and ord(other) > 127:
                yield (ord(other), ord(other))
