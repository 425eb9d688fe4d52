from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.rare import piece, run, words
from akto_proxy.guard.syntax import parse


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"(?i)ignore\s+(?:all|any) rules", {(b"ignore",), (b"all", b"any"), (b" rules",)}),
        (r"(?:sk|rk)_live_[0-9a-z]{24}", {(b"_live_",)}),
        (r"(?:one two)?three", {(b"three",)}),
        (r"(?:alpha)+", {(b"alpha",)}),
        (r"(?:alpha|\d+)x", set()),
        (r"(?:alpha)*", set()),
        (r"authorization", {(b"authoriz",), (b"ation",)}),
    ],
)
def test_words_are_those_that_every_match_holds(pattern, groups):
    assert set(words(parse(pattern))) == groups


@pytest.mark.parametrize(
    ("pattern", "shared"),
    [
        (r"[0-9a-f]{40}", "[0-9A-Fa-f]{16}"),
        (r"x[0-9a-f]{15}g", r"[\x23-"),
        (r"x[0-9a-f]{13}g", ""),
        (r"[A-Z]{4}[A-Z]{2}[0-9A-Z]{2}", "[0-9A-Z]{8}"),
        (r"(?:[A-Z]{20}|[0-9]{9})", "[0-9A-Z]{8}"),
        (r"[a-z ]{40}", ""),
        (r"(?:[a-f]{20}|[^x]{40})", ""),
    ],
)
def test_long_runs_are_the_ones_that_rules_share(pattern, shared):
    found = "".join(run(parse(pattern)).patterns)
    assert found.startswith(shared) if shared else not found


@pytest.mark.parametrize(
    "pattern",
    [
        r"a{9}b",  # of a long repeat a window spells out the end that touches
        r"a{3,9}-b",
        r"-a{3,9}",
        r"x?-y?:z",
        r"(?:ab|c)-(?:d|ef)",
        r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}",
        r"(?:a-b|c:d)+!",
        r"[a-c]?#[0-9]{2}#?[a-c]",
        r"<[A-Z][A-Z0-9_]{0,6}_[a-c]{3}>",
        r"(?P<v>[+][1-9]\d{0,3}(?:[ .]{0,2}\d{1,5}){1,3})",
        r"é-\d",
    ],
)
def test_every_match_holds_its_rarest_piece(pattern):
    """The one promise: a piece may fire without a match, never the other way round."""
    node = parse(pattern)

    @settings(max_examples=60, deadline=None)
    @given(st.from_regex(re.compile(pattern, re.ASCII)))
    def check(text):
        match = re.search(pattern, text, re.ASCII)
        assert match is not None
        data = match[0].encode()
        for letters in (True, False):
            found = piece(node, letters=letters).patterns
            assert not found or any(re.search(one.encode(), data, re.DOTALL) for one in found)
        for group in words(node):
            assert any(word in data.lower() for word in group)

    check()
