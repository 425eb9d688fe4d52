from __future__ import annotations

import pytest

from akto_proxy.guard.syntax import parse
from akto_proxy.guard.trigger import Ask, ask, second

DIGITS_4 = "[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){3}"
DIGITS_8 = "[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){7}"
TOKEN = r"[\x23-\x25\x2a\x2b\x2d-\x3a\x3d0-9A-Z\x5fa-z\x7e]{16}"


@pytest.mark.parametrize(
    ("pattern", "keywords", "asked"),
    [
        (r"\d{9}", (b"ssn",), Ask(DIGITS_8, ((b"ssn",),))),
        (r"\d{3}-\d{2}", (), Ask(DIGITS_4)),
        (r"(?i)(?:born|née).{0,30}[a-z]{4}", (), Ask("", ((b"born", b"n\xc3\x89e", b"n\xc3\xa9e"),))),
        (r"\bhf_[A-Za-z0-9_]{30,40}", (), Ask(TOKEN, ((b"hf_",),))),
        (r"(?i)zulip[^\n]{0,40}?[a-z0-9]{32}", (), Ask(TOKEN, ((b"zulip",),))),
        (r"\b\d{4}-\d{4}\b", (b"pin",), Ask(DIGITS_8, ((b"pin",),))),
        (r"(?i)(?:show|tell)\s+(?:prompt|rules)", (), Ask("", ((b"prompt", b"rules"), (b"show", b"tell")))),
    ],
)
def test_words_numbers_and_long_runs_are_asked_for_apart(pattern, keywords, asked):
    assert ask(parse(pattern), keywords) == asked


def test_a_pattern_without_anything_rare_is_asked_for_as_it_is():
    assert ask(parse(".{1,99}"), ()).pattern


def test_a_rule_told_by_words_alone_has_a_second_question():
    form = second(parse(r"(?i)(?:show|tell)\s+(?:me )?(?:prompt|rules)x?")).pattern
    assert form.endswith("[Rr][Uu][Ll][Ee][Ss])")
    assert not second(parse(r"(?i)ghp_[0-9a-z]{36}"))
