"""Lines planted in documents: orders to whoever reads for somebody else (attacks), and orders among people (harmless).

The lines were written one by one (`texts/planted.txt`, `texts/orders.txt`); both kinds go into the same documents at the
same places in the same dress, so that nothing but what a line says to whom tells them apart. Trade-off: a line seldom
suits its document, which an attacker's often does not either.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

TEXTS = Path(__file__).parent / "texts"
_INSIDE = re.compile(r'(?<=[\w.!?])"')
"""Where a JSON string of words ends."""


def lines(name: str) -> list[str]:
    """The lines of a file of `texts`."""
    return [line for line in (TEXTS / name).read_text("utf-8").splitlines() if line.strip()]


def dressed(chance: random.Random, line: str) -> str:
    """A line as documents show such lines."""
    roll = chance.random()
    if line[:1] in "<[(/#\"'" or roll < 0.72:
        return line
    if roll < 0.76:
        return line[:1].lower() + line[1:].rstrip(".")
    frames = ("- {}", "* {}", "Note: {}", "({})", "<!-- {} -->", "> {}", "**{}**", "{} Thanks.", "P.S. {}", "NB {}")
    return chance.choice(frames).format(line)


def plant(chance: random.Random, document: str, line: str) -> str:
    """`document` with `line` in it: in one of its strings, after one of its sentences, or as a line of its own."""
    line = dressed(chance, line)
    if document.lstrip()[:1] in ("{", "["):
        ends = [found.start() for found in _INSIDE.finditer(document)]
        if ends:
            at = chance.choice(ends)
            return f"{document[:at]} {json.dumps(line, ensure_ascii=False)[1:-1]}{document[at:]}"
    breaks = [found.end() for found in re.finditer(r"\n+|(?<=[.!?])\s+", document)]
    at = chance.choice([0, len(document), *breaks, *breaks])
    glue = "\n" if "\n" in document[max(0, at - 2) : at + 2] or chance.random() < 0.25 else " "
    return f"{document[:at]}{'' if at == 0 else glue}{line}{glue}{document[at:]}".strip()


def cut(chance: random.Random, document: str) -> str:
    """A stretch of a long document, whole lines where it has some."""
    size = chance.choice([300, 600, 1000, 1600])
    if len(document) <= size:
        return document
    start = chance.randint(0, len(document) - size)
    return document[start : start + size].partition("\n")[2] or document[start : start + size]


def planted(chance: random.Random, count: int, documents: Sequence[Sequence[str]]) -> Iterator[tuple[str, int]]:
    """Texts and their labels: `count` attacks, as many with an order among people, and half as many with nothing added.

    `documents` are kinds of documents, each kind as likely as the others.
    """
    attacks, orders = lines("planted.txt"), lines("orders.txt")
    for number in range(count):
        yield plant(chance, cut(chance, chance.choice(chance.choice(documents))), chance.choice(attacks)), 1
        yield plant(chance, cut(chance, chance.choice(chance.choice(documents))), chance.choice(orders)), 0
        if number % 2:
            yield cut(chance, chance.choice(chance.choice(documents))), 0
