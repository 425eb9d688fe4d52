"""The cheap question asked of every text: could this rule match anywhere in it?

A trigger is a byte pattern for vectorscan that matches inside every match of the rule, cut down to the part that is
rare and cheap: assertions go, optional edges go, wide runs before the first rare character go (`@` instead of
`[a-z0-9._]{1,64}@...`: 5.5 us became 2 for 600 characters). It may fire without a match, never the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import log2, prod

from akto_proxy.guard.digits import asks, count
from akto_proxy.guard.shape import bounds, narrowest
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

WIDE = 16  # a class of more characters than this says little
ENOUGH = 12.0  # bits that make a trigger rare enough to leave the rest of the pattern out
_WORD = 3  # bytes that make a word worth searching for
_LONG = 8  # letters of a word that are searched for
_RUN = 8  # repeats of a wide class that make a long run
_FEW = 4  # characters that one place of a word may hold
_SPELLINGS = 16  # spellings of one word
_MOST = 400  # words of one group
MANY = 16  # a bounded repeat above this is cheaper to run without its upper bound


@dataclass(frozen=True, slots=True)
class Ask:
    """What must occur in a text for a rule to match: the byte pattern, and of each group of words one (any case).

    Without a pattern and words there is nothing to ask.
    """

    pattern: str = ""
    words: tuple[tuple[bytes, ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pattern or self.words)


def ask(node: Node, keywords: tuple[bytes, ...]) -> Ask:
    """The question for a rule: its trigger and keywords.

    A number is asked for by its count of digits and the letters around it; where a word is wanted too, nearly any
    number will do, because the word is rare.
    """
    letters = letters_of(_flat(node))
    words = tuple(group for group in (letters, keywords) if group)
    digits = count(node)
    if digits > 5 or (words and digits):
        return Ask(asks(digits), words)
    if words and (_gap(node) if letters else isinstance(_flat(node)[0], Alt)):
        return Ask("", words)  # many forms that only a word tells apart: the word is cheaper alone
    return Ask(trigger(node), (keywords,) if keywords else ())


def _gap(node: Node) -> bool:
    """Whether it begins with one of several words and has a stretch of nearly anything after it."""
    items = [item for item in _flat(node) if narrowest(item)]
    loose = (item for item in _flat(node) if isinstance(item, Rep) and item.low == 0 and is_wide(item))
    return isinstance(items[0], Alt) and any(item.high is None or item.high > _LONG for item in loose)


def letters_of(items: list[Node]) -> tuple[bytes, ...]:
    """The longest run of single characters that every match holds, or one such run of each branch, in all its cases."""
    best: tuple[bytes, ...] = ()
    run: list[tuple[bytes, ...]] = []
    for item in [*items, None]:
        forms = _forms(item)
        if forms and len(run) < _LONG and _times(run, forms) <= _SPELLINGS:
            run.append(forms)
            continue
        if sum(len(form[0]) for form in run) >= _WORD and len(run) > min((len(word) for word in best), default=0):
            best = tuple(b"".join(parts) for parts in product(*run))
        run = [forms] if forms else []
        if isinstance(item, Alt) and not forms and not best:
            branches = [letters_of(_flat(branch)) for branch in item.items]
            best = tuple(sorted({word for branch in branches for word in branch})) if all(branches) else ()
    return best if len(best) <= _MOST else ()


def _times(run: list[tuple[bytes, ...]], forms: tuple[bytes, ...]) -> int:
    return prod(map(len, run)) * len(forms)


def _forms(item: Node | None) -> tuple[bytes, ...]:
    """The few characters that `item` stands for, ASCII ones in lower case; () where they are many."""
    if isinstance(item, Alt):
        forms = {form for branch in item.items for form in (_forms(branch) or (b"",))}
        return tuple(sorted(forms)) if b"" not in forms and len(forms) <= _FEW else ()
    if not isinstance(item, Char) or item.source or _size(item) > 2 * _FEW:
        return ()
    points = [point for low, high in item.ranges for point in range(low, high + 1)]
    forms = {chr(point).encode("utf-8", "replace").lower() for point in points}
    return tuple(sorted(forms)) if len(forms) <= _FEW else ()


def trigger(node: Node) -> str:
    """A vectorscan byte pattern (no flags needed) that matches within every match of `node`."""
    items = _flat(node)
    if len(items) == 1 and isinstance(items[0], Alt):
        return "|".join(trigger(item) for item in items[0].items)
    whole = _trimmed(items, wide=False)
    core = _trimmed(items, wide=True)
    chosen = core if sum(bits(item) for item in core) >= ENOUGH else whole
    return "".join(write_bytes(item) for item in plain_run(chosen))


def plain_run(items: list[Node]) -> list[Node]:
    """The items, or of those without a word only the long run of a wide class among them.

    A sign or two before such a run (`[13][a-z]{25}`) would say more, but every occurrence of it in a text of nothing
    else starts the run anew, and vectorscan is quadratic then: 113 s for 10 MB of one digit, alone no such pattern
    shows it, two together do.
    """
    runs = [item for item in items if isinstance(item, Rep) and is_wide(item) and item.low >= _RUN]
    if not runs or any(letters_of([*items])):
        return items
    return [shortest(max(runs, key=lambda item: item.low))]


def _flat(node: Node) -> list[Node]:
    match node:
        case Seq(items):
            return [inner for item in items for inner in _flat(item)]
        case Value(item):
            return _flat(item)
        case Mark():
            return []
        case _:
            return [node]


def _trimmed(items: list[Node], *, wide: bool) -> list[Node]:
    """Without what the edges do not need: optional items, on the left also wide ones, repeats beyond the first."""
    begin, end = 0, len(items)
    while begin < end and (narrowest(items[begin]) == 0 or (wide and is_wide(items[begin]))):
        begin += 1
    while end > begin and narrowest(items[end - 1]) == 0:
        end -= 1
    kept = items[begin:end]
    for edge in {0, len(kept) - 1} if kept else ():
        kept[edge] = shortest(kept[edge])
    return kept


def shortest(node: Node) -> Node:
    """The least of an item at an edge that every match holds, and no more of it than says enough."""
    return Rep(node.item, min(node.low, MANY), min(node.low, MANY)) if isinstance(node, Rep) else node


def is_wide(node: Node) -> bool:
    """Whether it is a class of many characters, or a repeat of one."""
    inner = node.item if isinstance(node, Rep) else node
    return isinstance(inner, Char) and _size(inner) > WIDE


def _size(char: Char) -> int:
    return sum(high - low + 1 for low, high in char.ranges)


def bits(node: Node) -> float:
    """How much a match of `node` says, in bits, against random printable ASCII."""
    match node:
        case Char():
            return max(0.0, log2(96 / max(1, _size(node))))
        case Rep(item, low):
            return low * bits(item)
        case Alt(items):
            return min(bits(item) for item in items)
        case Seq(items):
            return sum(bits(item) for item in items)
        case Value(item):
            return bits(item)
        case Mark():
            return 0.0


def write_bytes(node: Node) -> str:
    """The node over bytes, without its assertions, perhaps wider than it is."""
    match node:
        case Char():
            return _klass(node) if _ascii(node) else _exact(node) or _klass(node) + "{1,4}"
        case Mark():
            return ""
        case Value(item):
            return write_bytes(item)
        case Seq(items):
            return "".join(write_bytes(item) for item in items)
        case Alt(items):
            return "(?:" + "|".join(write_bytes(item) for item in items) + ")"
        case Rep():
            return _repeat(node)


def _repeat(node: Rep) -> str:
    if isinstance(node.item, Char):
        inner = _klass(node.item)
        high = node.high if node.high is None or _ascii(node.item) else node.high * 4
    else:
        inner, high = f"(?:{write_bytes(node.item)})", node.high
    # Two long counted repeats in one database make vectorscan quadratic on a run that both may take (1.1 s
    # for 1 MB of one digit, 113 s for 10), so counting ends at MANY.
    low = min(node.low, MANY)
    return inner + bounds(low, None if high is not None and high > MANY else high)


def _ascii(char: Char) -> bool:
    return not char.ranges or char.ranges[-1][1] < 128


def _exact(char: Char) -> str:
    if char.source or len(char.ranges) != 1 or char.ranges[0][0] != char.ranges[0][1]:
        return ""
    return "".join(f"\\x{byte:02x}" for byte in chr(char.ranges[0][0]).encode("utf-8", "replace"))


def _klass(char: Char) -> str:
    """The class over bytes: every byte of a non-ASCII character is let through."""
    parts = [_byte(low) if low == high else f"{_byte(low)}-{_byte(min(high, 127))}" for low, high in _low(char)]
    if not _ascii(char):
        parts.append("\\x80-\\xff")
    return "[" + "".join(parts) + "]" if len(parts) > 1 or len(parts[0]) > 4 or "-" in parts[0] else parts[0]


def _low(char: Char) -> list[tuple[int, int]]:
    return [(low, min(high, 127)) for low, high in char.ranges if low < 128]


def _byte(value: int) -> str:
    char = chr(value)
    return char if char.isascii() and char.isalnum() else f"\\x{value:02x}"
