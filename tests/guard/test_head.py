from __future__ import annotations

import pytest

from akto_proxy.guard.head import head
from akto_proxy.guard.syntax import parse


def test_a_rare_beginning_is_the_head():
    found = head(parse(r"\bAKIAX[0-9A-Z]{16}\b"))
    assert not found.whole
    assert found.anchor.words == ((b"akiax",),) or found.anchor.words == ((b"akia",),)


@pytest.mark.parametrize("pattern", [r"[a-z]{1,9}@[a-z]", r"\d{6}"])
def test_without_one_the_pattern_is_its_own_head(pattern):
    found = head(parse(pattern))
    assert found.whole
    assert found.anchor


def test_words_to_choose_from_are_all_asked_for():
    found = head(parse(r"(?i)\b(?:secret|token)\s.{0,40}x"))
    assert found.anchor.words == ((b"secre", b"token"),)


def test_nothing_worth_searching_is_said():
    assert not head(parse("[a-z]{3}")).anchor
