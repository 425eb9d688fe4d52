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


def test_denied_links_are_found_with_and_without_scheme(found):
    rule = {"links": {"deny": ["evil.com"]}}
    text = "see https://a.evil.com/x?y=1, evil.com. or //user@b.evil.com:80/z"
    assert found(rule, text) == ["https://a.evil.com/x?y=1,", "evil.com", "//user@b.evil.com:80/z"]
    assert found(rule, "https://good.com@evil.com/") == ["https://good.com@evil.com/"]


def test_look_alike_hosts_are_shown_whole_to_the_judging(found):
    rule = {"links": {"deny": ["evil.com"]}}
    assert found(rule, "notevil.com my-evil.com evil.com.good.org") == [
        "notevil.com",
        "my-evil.com",
        "evil.com.good.org",
    ]


def test_every_link_is_found_where_only_some_hosts_are_allowed(found):
    rule = {"links": {"allow": ["good.org"]}}
    assert found(rule, "https://good.org/a http://x.net") == ["https://good.org/a", "http://x.net"]


def test_rules_of_two_policies_do_not_push_each_other_out(known, policy):
    one = policy(name="one", rules=[{"links": {"deny": ["evil.com"]}}, {"canary": ["zx-81-canary"]}])
    two = policy(name="two", rules=[{"links": {"allow": ["good.org"]}}, {"words": ["canary"]}])
    made = PolicySet([one, two], known)
    hits = Engine(made.custom_rules).scan("https://evil.com/ zx-81-canary")
    assert sorted(hit.rule for hit in hits) == [f"custom:{name}:{n}" for name in ("one", "two") for n in (0, 1)]
