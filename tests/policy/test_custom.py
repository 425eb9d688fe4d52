from __future__ import annotations

import pytest

from akto_proxy.guard.engine import Engine
from akto_proxy.policy.compile import PolicySet


@pytest.fixture
def found(known, policy):
    """The texts that a policy's own rules find, by way of the real engine."""

    def find(rule: dict, text: str) -> list[str]:
        made = PolicySet([policy(rules=[rule])], known)
        return [text[hit.start : hit.end] for hit in Engine(made.custom_rules).scan(text)]

    return find


def test_words_are_found_whole_in_any_case(found):
    rule = {"words": ["Falcon", "c++", "日本"]}
    assert found(rule, "FALCON falcons c++ 今日本当") == ["FALCON", "c++", "日本"]
    assert found({**rule, "case_sensitive": True, "whole_words": False}, "FALCON Falcons") == ["Falcon"]


def test_many_words_are_all_found(found):
    words = [f"codename{n}" for n in range(1_000)]
    assert found({"words": words}, "codename7 codename77 codename777 codename7777") == words_of(7, 77, 777)


def words_of(*numbers: int) -> list[str]:
    return [f"codename{n}" for n in numbers]


def test_topics_bear_any_spacing(found):
    rule = {"topic": "merger", "phrases": ["project blue moon"]}
    assert found(rule, "on Project  Blue-Moon?") == ["Project  Blue-Moon"]


def test_a_regex_finds_its_value_group(found):
    rule = {"regex": r"badge (?P<v>\d{4})", "match": ["badge 1234"], "no_match": ["badge"]}
    assert found(rule, "my badge 9876 ok") == ["9876"]


def test_a_canary_is_exact(found):
    assert found({"canary": ["zx-81-canary"]}, "ZX-81-CANARY zx-81-canary") == ["zx-81-canary"]


def test_links_are_found_with_and_without_scheme(found):
    assert found({"links": {"deny": ["evil.com"]}}, "see https://a.evil.com/x?y=1 or evil.com.") == [
        "https://a.evil.com/x?y=1",
        "evil.com",
    ]
