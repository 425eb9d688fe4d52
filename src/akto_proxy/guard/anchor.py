"""The one short piece of a rule's beginning that new text of a stream is searched for.

Unlike the questions for whole texts (see `rare`), a piece must lie in the head of the pattern, so there is less to
choose from: its longest word, or the fixed characters that say most.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import log2, prod

from akto_proxy.guard.bytewise import MANY, write_bytes
from akto_proxy.guard.digits import asks, count
from akto_proxy.guard.shape import narrowest, widest
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value
from akto_proxy.guard.trigger import Ask

OVERLAP = 64  # bytes of the text before that are searched again for anchors: the widest anchor
_LEAST = 6.0  # bits that an anchor must have
_WIDE = 16  # a class of more characters than this says little
_WORD = 3  # bytes that make a word worth searching for
_LONG = 8  # letters of a word that are searched for
_RUN = 8  # repeats of a wide class that make a long run
_FEW = 4  # characters that one place of a word may hold
_SPELLINGS = 16  # spellings of one word
_MOST = 400  # words of one group


def anchor(node: Node) -> Ask:
    """The question for the piece of a head that says most; empty where none says enough."""
    words = letters_of(flat(node))
    if words:
        return Ask("", (words,))
    digits = count(node)
    # Hundreds of rules share the question for a number.
    return Ask(asks(digits) if digits > 3 else _anchor(node))


def _anchor(node: Node) -> str:
    """The piece of at most OVERLAP bytes that says most; "" where none says enough."""
    items = [item for item in flat(node) if not isinstance(item, Mark)]
    if len(items) == 1 and isinstance(items[0], Alt):
        branches = [_anchor(item) for item in items[0].items]
        return "|".join(branches) if all(branches) else ""
    parts = [_measured(item) for item in items]
    said, best = max((_best_from(parts, begin) for begin in range(len(parts))), default=(0.0, (0, 0)))
    if said <= _LEAST:
        return next((found for item in items if isinstance(item, Alt) and (found := _anchor(item))), "")
    begin, end = best
    last = [parts[end - 1].least] if end - begin > 1 else []
    chosen = [parts[begin].least, *items[begin + 1 : end - 1], *last]
    return "".join(write_bytes(item) for item in plain_run(chosen))


@dataclass(frozen=True, slots=True)
class _Part:
    """An item and the least of it that a match must hold, with their widths (None: too wide) and bits."""

    least: Node
    needed: bool
    width: int | None
    least_width: int | None
    said: float
    least_said: float


def _measured(item: Node) -> _Part:
    least = shortest(item)
    return _Part(least, narrowest(item) > 0, widest(item), widest(least), bits(item), bits(least))


def _best_from(parts: list[_Part], begin: int) -> tuple[float, tuple[int, int]]:
    """The most that a run from `begin` says, and the run. Its first and last part count with their least only."""
    width, said = 0, 0.0
    best = (0.0, (0, 0))
    for at in range(begin, len(parts)):
        part = parts[at]
        least = part.least_width
        if least is None or width + least > OVERLAP or (at == begin and not part.needed):
            break
        if part.needed and said + part.least_said > best[0]:
            best = (said + part.least_said, (begin, at + 1))
        whole = least if at == begin else part.width
        if whole is None:
            break
        width, said = width + whole, said + (part.least_said if at == begin else part.said)
    return best


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
            branches = [letters_of(flat(branch)) for branch in item.items]
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


def shortest(node: Node) -> Node:
    """The least of an item at an edge that every match holds, and no more of it than says enough."""
    return Rep(node.item, min(node.low, MANY), min(node.low, MANY)) if isinstance(node, Rep) else node


def is_wide(node: Node) -> bool:
    """Whether it is a class of many characters, or a repeat of one."""
    inner = node.item if isinstance(node, Rep) else node
    return isinstance(inner, Char) and _size(inner) > _WIDE


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


def flat(node: Node) -> list[Node]:
    """The items of a sequence, sequences inside it opened."""
    match node:
        case Seq(items):
            return [inner for item in items for inner in flat(item)]
        case Value(item):
            return flat(item)
        case _:
            return [node]
