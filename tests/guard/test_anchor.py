from __future__ import annotations

import pytest

from akto_proxy.guard.anchor import anchor, bits, flat
from akto_proxy.guard.syntax import parse
from akto_proxy.guard.trigger import Ask


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [
        (r"(?i)\b(?:secret|token)\s", Ask("", ((b"secret", b"token"),))),
        (r"hf_[a-z]{4}", Ask("", ((b"hf_",),))),
        (r"\d{6}", Ask("[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){5}")),
        (r"[A-Z]{3}\d{2}", Ask("[A-Z]{3}[0-9]{2}")),
        (r"[a-z ]{3}", Ask()),
    ],
)
def test_the_piece_that_says_most_is_asked_for(pattern, asked):
    assert anchor(parse(pattern)) == asked


def test_a_rare_character_says_more_than_a_class():
    assert bits(parse("@")) > bits(parse("[a-z]")) > bits(parse("."))
    assert len(flat(parse(r"(?P<v>ab)c"))) == 3
