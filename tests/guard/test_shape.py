from __future__ import annotations

import pytest

from akto_proxy.guard.shape import narrowest, widest, write
from akto_proxy.guard.syntax import parse


@pytest.mark.parametrize(
    ("pattern", "low", "high"),
    [
        ("abc", 3, 3),
        ("a|bcd", 1, 3),
        (r"\b\d{3,5}\b", 3, 5),
        ("a*", 0, None),
        ("(?:ab){2,3}c?", 4, 7),
        ("é", 1, 2),
        ("[^a]", 1, 4),
        ("(?P<v>x)+", 1, None),
        ("^$", 0, 0),
    ],
)
def test_widths_are_bounds_of_what_matches(pattern, low, high):
    assert (narrowest(parse(pattern)), widest(parse(pattern))) == (low, high)


def test_only_v_captures():
    assert write(parse("(a)(?P<x>b)(?P<v>c)")) == "ab(c)"
