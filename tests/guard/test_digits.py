from __future__ import annotations

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.digits import asks, count
from akto_proxy.guard.syntax import parse


@pytest.mark.parametrize(
    ("pattern", "digits"),
    [
        (r"\d{3}-\d{2}-\d{4}", 9),
        (r"(?:[ -]?\d){13,19}", 13),
        (r"(?P<v>\d{7})[^\n]{0,24}(?:dea|mmc)", 7),
        (r"[A-Z]\d{8}[A-Z]", 8),
        (r"\d{5}|\d{9}", 5),
        (r"\d{2}[A-Z]\d{3}", 3),
        (r"(?:\d{3}-)?\d{4}", 4),
        (r"\d(?:-----)\d{4}", 4),
        (r"[0-9a-f]{8}", 0),
    ],
)
def test_how_many_digits_a_match_holds(pattern, digits):
    assert count(parse(pattern)) == digits


def test_what_is_asked_occurs_in_every_number_of_that_form():
    pieces = st.sampled_from([r"\d{3}", r"\d", r"[ -]?", r"\.", r"(?:\d{2}-)?", r"(?:\(\d{3}\)|\d{3}) ", "--", "[A-Z]"])

    @settings(max_examples=150, deadline=None)
    @given(st.lists(pieces, min_size=1, max_size=7).map("".join), st.data())
    def check(pattern, data):
        text = data.draw(st.from_regex(pattern, fullmatch=True, alphabet=st.characters(max_codepoint=127)))
        question = asks(count(parse(pattern)))
        assert not question or re2.search(question, text)

    check()
