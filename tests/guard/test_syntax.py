from __future__ import annotations

import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.shape import write
from akto_proxy.guard.syntax import parse

ATOMS = st.sampled_from(
    [
        *"abz09_ -",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\W",
        r"\.",
        "[a-c]",
        "[^a]",
        "[[:upper:]]",
        r"[\d_-]",
        r"\x41",
        r"\n",
        "é",
    ]
)
MARKS = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\z"])
REPEATS = st.sampled_from(["", "", "?", "*", "+", "{2}", "{1,3}", "*?", "+?"])
GROUPS = st.sampled_from(["(?:", "(", "(?i:", "(?s:", "(?P<x>"])


def patterns() -> st.SearchStrategy[str]:
    item = st.tuples(ATOMS, REPEATS).map("".join) | MARKS
    flat = st.lists(item, min_size=1, max_size=4).map("".join)
    return st.recursive(
        flat,
        lambda inner: st.tuples(GROUPS, inner, st.just("|"), inner, st.just(")"), inner).map("".join),
        max_leaves=4,
    ).filter(lambda pattern: pattern.count("?P<x>") < 2)


def test_a_written_tree_matches_as_the_pattern_itself():
    @settings(max_examples=200, deadline=None)
    @given(patterns(), st.text("abcABCz019_ -\n.é", max_size=12))
    def check(pattern, text):
        expected = [match.span() for match in re2.finditer(pattern, text)]
        assert [match.span() for match in re2.finditer(write(parse(pattern)), text)] == expected

    check()


def test_quoted_text_and_flags_in_the_middle():
    assert re2.fullmatch(write(parse(r"\Qa.b\E(?i)c|D")), "a.bC")
    assert re2.fullmatch(write(parse(r"\Qa.b\E(?i)c|D")), "d")
    assert not re2.fullmatch(write(parse(r"\Qa.b\Ec")), "axbc")
