from __future__ import annotations

import pytest

from akto_proxy.guard.syntax import parse
from akto_proxy.guard.trigger import ask, trigger


def test_wide_runs_before_the_rare_part_are_left_out():
    assert trigger(parse(r"\b[a-z0-9._]{1,64}@[a-z]{1,63}\.[a-z]{2,24}\b")).startswith(r"\x40")


def test_edges_ask_for_no_more_than_they_must():
    assert trigger(parse("x?AKIA[0-9]{4,40}y*")) == "AKIA[0-9]{4}"


def test_each_branch_is_cut_on_its_own():
    assert trigger(parse("AKIA[0-9]{4}|ASIA[0-9]{2,9}")) == "AKIA[0-9]{4}|ASIA[0-9]{2}"


@pytest.mark.parametrize(
    ("pattern", "keywords", "asked"),
    [
        (r"\d{9}", (b"ssn",), ("[0-9](?:[^0-9A-Za-z]{0,4}[0-9]){7}", ((b"ssn",),))),
        (r"\d{3}-\d{2}", (), ("[0-9]{3}\\x2d[0-9]{2}", ())),
        (r"(?i)(?:born|née).{0,30}[a-z]{4}", (), ("", ((b"born", b"n\xc3\x89e", b"n\xc3\xa9e"),))),
    ],
)
def test_numbers_and_words_are_asked_for_apart(pattern, keywords, asked):
    question = ask(parse(pattern), keywords)
    assert (question.pattern, question.words) == asked
