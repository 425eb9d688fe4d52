"""Numbers share a few questions: hundreds of rules want so many digits in a row, give or take separators.

`count` says how many digits every match of a pattern holds with at most GAP bytes of separators between them, and
`asks` is the one byte pattern for that many. Each rule with a form of its own made vectorscan four times slower.
"""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.guard.shape import widest
from akto_proxy.guard.syntax import Alt, Char, Mark, Node, Rep, Seq, Value

GAP = 4
STEPS = (1, 4, 6, 8, 11)  # counts are rounded down to these, so that rules share


def asks(count: int) -> str:
    """The byte pattern for `count` digits rounded down to a step, "" below the first."""
    step = max((step for step in STEPS if step <= count), default=0)
    if step == 1:
        return "[0-9]"
    return rf"[0-9](?:[^0-9A-Za-z]{{0,{GAP}}}[0-9]){{{step - 1}}}" if step else ""


def count(node: Node) -> int:
    """The digits that a stretch of every match holds, with at most GAP bytes of separators from one to the next."""
    return _measure(node).best


@dataclass(frozen=True, slots=True)
class _Run:
    """What a node adds. `pure`: nothing but digits and separators, of which at most `gap` bytes in a row at an edge."""

    pure: bool
    digits: int
    gap: int
    best: int


def _measure(node: Node) -> _Run:
    match node:
        case Char():
            return _char(node)
        case Mark():
            return _Run(True, 0, 0, 0)
        case Value(item):
            return _measure(item)
        case Alt(items):
            runs = [_measure(item) for item in items]
            gap = max(run.gap for run in runs)
            return _Run(all(r.pure for r in runs), min(r.digits for r in runs), gap, min(r.best for r in runs))
        case Rep(item, low, high):
            return _repeat(item, low, high)
        case Seq(items):
            return _sequence(items)


def _char(char: Char) -> _Run:
    if not char.source and char.ranges and all(low >= 48 and high <= 57 for low, high in char.ranges):
        return _Run(True, 1, 0, 1)
    alnum = ((48, 57), (65, 90), (97, 122))
    separates = not any(low <= last and high >= first for low, high in char.ranges for first, last in alnum)
    return _Run(separates, 0, widest(char) or 0, 0)


def _repeat(item: Node, low: int, high: int | None) -> _Run:
    run = _measure(item)
    gap = 2 * run.gap if run.digits else run.gap * (GAP + 1 if high is None else high)
    pure = run.pure and gap <= GAP
    digits = run.digits * low if pure else 0
    return _Run(pure, digits, min(gap, GAP + 1), digits if pure else run.best if low else 0)


def _sequence(items: tuple[Node, ...]) -> _Run:
    pure = True
    total = gap = best = here = pending = 0
    for item in items:
        run = _measure(item)
        best = max(best, run.best)
        joins = run.pure and pending + run.gap <= GAP
        pure = pure and joins
        gap = max(gap, pending + run.gap)
        total += run.digits
        here = here + run.digits if joins else run.digits if run.pure else 0
        pending = run.gap if run.digits or not joins else pending + run.gap
        best = max(best, here)
    return _Run(pure, total, min(GAP + 1, gap), best)
