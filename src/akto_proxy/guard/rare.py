"""What every match of a pattern must hold that ordinary text nearly never does: the pieces that a scan looks for.

A text is searched for all pieces of all rules in one pass, so the pieces are what clean text costs. Three kinds are
cheap, and nothing else is used: words (vectorscan finds thousands of literals at the price of one), a few long runs
shared by all rules (sixteen characters of a token, digits in a row), and windows of fixed characters. A pattern of its
own for every rule, even a short one, made one automaton of them that cost ten times as much as all words together.

A piece may fire without a match, never the other way round: it is a part of the pattern, or wider than one. How rare
a character is comes from a rough model of prose; a wrong guess costs time, not a finding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from math import log2, prod

from akto_proxy.guard.bytewise import write_bytes
from akto_proxy.guard.digits import asks, count
from akto_proxy.guard.shape import narrowest
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

Words = tuple[bytes, ...]

_WORD = 3  # bytes that make a word worth searching for
_LONG = 8  # letters of a word that are searched for
_FEW = 4  # characters that one place of a word may hold
_SPELLINGS = 16  # spellings of one word
_MOST = 400  # words of one group
_REPEATS = 8  # repeats of a fixed character that a window spells out
_LETTER = 2.5  # bits of a small letter in a window
_ENOUGH = 14.0  # bits that make a window rare enough to leave out what is around it

_DIGITS = frozenset(b"0123456789")
_UPPER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER = frozenset(b"abcdefghijklmnopqrstuvwxyz")
_HEX = _DIGITS | frozenset(b"abcdefABCDEF")
_TOKEN = _DIGITS | _UPPER | _LOWER | frozenset(b"-_+/=.~%$*#:")
_RUNS: tuple[tuple[frozenset[int], str, int, float], ...] = (
    (_HEX, "[0-9A-Fa-f]{16}", 16, 24.0),
    (_DIGITS | _UPPER, "[0-9A-Z]{8}", 8, 16.0),
    (_TOKEN, r"[\x23-\x25\x2a\x2b\x2d-\x3a\x3d0-9A-Z\x5fa-z\x7e]{16}", 16, 14.0),
)
"""The runs that rules share: characters, byte pattern, least length, and how rare it is in bits."""
_DIGIT_BITS = ((1, 2.5), (4, 8.0), (6, 12.0), (8, 16.0), (11, 20.0))


@dataclass(frozen=True, slots=True)
class Piece:
    """Byte patterns of which every match holds one. `said` is how rare they are, in bits."""

    said: float
    patterns: tuple[str, ...]


NONE = Piece(0.0, ())


def words(node: Node) -> list[Words]:
    """Groups of words (ASCII letters in lower case); every match holds one of each group in any case. Rarest first."""
    return sorted(_required(flat(node)), key=_rank, reverse=True)


def run(node: Node) -> Piece:
    """The rarest shared question that every match answers: a number of digits, a long run. NONE where there is none."""
    digits = count(node)
    said = max((bits for least, bits in _DIGIT_BITS if digits >= least), default=0.0)
    best = Piece(said, (asks(digits),)) if said else NONE
    for chars, size in _stretches(flat(node)):
        for wide, pattern, least, bits in _RUNS:
            if bits > best.said and size >= least and chars <= wide:
                best = Piece(bits, (pattern,))
    return best


def piece(node: Node, *, letters: bool = True) -> Piece:
    """The rarest piece: a shared run or a window of fixed characters, of each branch where there are several.

    Without `letters`, only other characters say anything: for a rule whose words are asked for anyway.
    """
    items = flat(node)
    found = [run(node)]
    found += [_window(window, letters) for window in _windows(items)]
    for item in items:
        if isinstance(item, Alt):
            found.append(_either([piece(branch, letters=letters) for branch in item.items]))
        elif isinstance(item, Rep) and item.low > 0 and not isinstance(item.item, Char):
            inner = flat(item.item)
            found.append(piece(Seq(tuple(inner * min(item.low, 2))), letters=letters))
    return max(found, key=lambda one: (min(one.said, _ENOUGH), -len(one.patterns)))


def flat(node: Node) -> list[Node]:
    """The items of a sequence, sequences inside it opened, without assertions."""
    match node:
        case Seq(items):
            return [inner for item in items for inner in flat(item)]
        case Value(item):
            return flat(item)
        case Mark():
            return []
        case _:
            return [node]


def rarity(group: Words) -> float:
    """How rare the most common word of a group is in prose, in bits."""
    return min(sum(_rarity(frozenset((byte,))) for byte in word) for word in group)


def _rank(group: Words) -> tuple[float, int]:
    return rarity(group), -len(group)


def _required(items: list[Node]) -> list[Words]:
    groups: list[Words] = []
    letters: list[Words] = []
    for item in [*items, None]:
        forms = _forms(item)
        if forms and len(letters) < _LONG and prod(map(len, letters)) * len(forms) <= _SPELLINGS:
            letters.append(forms)
            continue
        if sum(len(form[0]) for form in letters) >= _WORD:
            groups.append(tuple(b"".join(parts) for parts in product(*letters)))
        letters = [forms] if forms else []
        if not forms and item is not None:
            groups += _inside(item)
    return groups


def _inside(item: Node) -> list[Words]:
    if isinstance(item, Rep) and item.low > 0 and not isinstance(item.item, Char):
        return _required(flat(item.item))
    if not isinstance(item, Alt):
        return []
    branches = [max(_required(flat(branch)), key=_rank, default=()) for branch in item.items]
    group = tuple(sorted({word for branch in branches for word in branch})) if all(branches) else ()
    return [group] if 0 < len(group) <= _MOST else []


def _forms(item: Node | None) -> Words:
    """The few characters that `item` stands for, ASCII ones in lower case; () where they are many."""
    if isinstance(item, Alt):
        forms = {form for branch in item.items for form in (_forms(_only(branch)) or (b"",))}
        return tuple(sorted(forms)) if b"" not in forms and len(forms) <= _FEW else ()
    if not isinstance(item, Char) or item.source or _size(item) > 2 * _FEW:
        return ()
    points = [point for low, high in item.ranges for point in range(low, high + 1)]
    forms = {chr(point).encode("utf-8", "replace").lower() for point in points}
    return tuple(sorted(forms)) if len(forms) <= _FEW else ()


def _only(node: Node) -> Node | None:
    items = flat(node)
    return items[0] if len(items) == 1 else None


def _size(char: Char) -> int:
    return sum(high - low + 1 for low, high in char.ranges)


def _stretches(items: list[Node]) -> list[tuple[frozenset[int], int]]:
    """Stretches of ASCII characters: which they are made of, and how many a match holds in a row at least."""
    found: list[tuple[frozenset[int], int]] = []
    chars: frozenset[int] = frozenset()
    size = 0
    for item in items:
        part = _made_of(item)
        if part is None or not part[0] <= _TOKEN:
            chars, size = frozenset(), 0
            if isinstance(item, Rep) and item.low > 0 and not isinstance(item.item, Char):
                found += _stretches(flat(item.item))
            elif isinstance(item, Alt):
                found += _shared([_stretches(flat(branch)) for branch in item.items])
            continue
        chars, size = chars | part[0], size + part[1]
        found += [(chars, size), part]
    return found


def _shared(branches: list[list[tuple[frozenset[int], int]]]) -> list[tuple[frozenset[int], int]]:
    """The longest stretch of each branch as one."""
    if not branches or not all(branches):
        return []
    longest = [max(branch, key=lambda stretch: stretch[1]) for branch in branches]
    return [(frozenset().union(*(chars for chars, _ in longest)), min(size for _, size in longest))]


def _made_of(node: Node) -> tuple[frozenset[int], int] | None:
    """The ASCII characters of an item and their least count, None where it may hold others."""
    match node:
        case Char(ranges):
            return (_bytes(node), 1) if not node.source and ranges and ranges[-1][1] < 128 else None
        case Mark():
            return frozenset(), 0
        case Value(item):
            return _made_of(item)
        case Rep(item, low):
            part = _made_of(item)
            return None if part is None else (part[0], part[1] * low)
        case Seq(items) | Alt(items):
            parts = [_made_of(item) for item in items]
            known = [part for part in parts if part is not None]
            if len(known) < len(parts):
                return None
            sizes = [size for _, size in known]
            return frozenset().union(*(chars for chars, _ in known)), (
                sum(sizes) if isinstance(node, Seq) else min(sizes, default=0)
            )


def _bytes(char: Char) -> frozenset[int]:
    return frozenset(point for low, high in char.ranges for point in range(low, min(high, 127) + 1))


def _windows(items: list[Node]) -> list[list[Node]]:
    """Runs of items of fixed width, and optional single characters between them."""
    found: list[list[Node]] = []
    window: list[Node] = []
    for item in [*items, None]:
        fixed = _fixed(item)
        if fixed is not None:
            window.append(fixed)
        if fixed is None or _goes_on(item):
            found.append(window)  # it ends with the first of a longer repeat, the next begins with its last
            window = [fixed] if fixed is not None else []
    return [window for window in found if window]


def _goes_on(item: Node | None) -> bool:
    """Whether a match may hold more of a repeat than a window spells out."""
    return isinstance(item, Rep) and item.low > 0 and (item.low != item.high or item.low > _REPEATS)


def _fixed(item: Node | None) -> Node | None:
    """The least of an item as characters; None where it is more than that."""
    if isinstance(item, Char):
        return item
    if isinstance(item, Rep) and isinstance(item.item, Char):
        if item.low > 0:
            times = min(item.low, _REPEATS)
            return Rep(item.item, times, times)
        return item if item.high is not None and item.high <= 2 else None
    if isinstance(item, Alt):
        chars = [_only(branch) for branch in item.items]
        if all(isinstance(char, Char) and not char.source for char in chars):
            return Char(tuple(sorted({pair for char in chars if isinstance(char, Char) for pair in char.ranges})))
    return None


def _window(window: list[Node], letters: bool) -> Piece:
    """The shortest part of a window that says enough, all of it where none does."""
    rare = [_said(item, letters) for item in window]
    ends = range(1, len(window) + 1)
    parts = [(end - begin, begin, end) for end in ends for begin in range(end) if sum(rare[begin:end]) >= _ENOUGH]
    _, begin, end = min(parts, default=(0, 0, len(window)))
    while begin < end and not narrowest(window[begin]):
        begin += 1
    while begin < end and not narrowest(window[end - 1]):
        end -= 1
    return Piece(sum(rare[begin:end]), ("".join(map(write_bytes, window[begin:end])),)) if begin < end else NONE


def _said(item: Node, letters: bool) -> float:
    if isinstance(item, Rep):
        return item.low * _said(item.item, letters)
    if not isinstance(item, Char) or item.source:
        return 0.0
    chars = _bytes(item) | (frozenset((0x80,)) if item.ranges and item.ranges[-1][1] > 127 else frozenset())
    if not letters and chars & (_LOWER | _UPPER):
        return 0.0
    # Letters come as syllables: three of them in a row are no rare thing.
    return min(_rarity(chars), _LETTER) if chars & _LOWER else _rarity(chars)


def _either(branches: list[Piece]) -> Piece:
    if not branches or not all(branch.patterns for branch in branches):
        return NONE
    patterns = tuple(dict.fromkeys(pattern for branch in branches for pattern in branch.patterns))
    return Piece(min(branch.said for branch in branches), patterns)


@lru_cache(maxsize=4096)
def _rarity(chars: frozenset[int]) -> float:
    """Bits that one of these bytes says in prose."""
    share = 0.0
    for char in chars:
        if char in _LOWER:
            share += 0.03
        elif char in _UPPER:
            share += 0.0015
        elif char in _DIGITS:
            share += 0.002
        else:
            share += _SIGNS.get(char, 0.0003)
    return -log2(min(1.0, share)) if share else 0.0


_SIGNS = {
    0x20: 0.16,
    0x0A: 0.01,
    0x2C: 0.01,
    0x2E: 0.01,
    0x2D: 0.004,
    0x27: 0.004,
    0x22: 0.004,
    0x3A: 0.001,
    0x80: 0.02,
}
