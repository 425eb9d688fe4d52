from __future__ import annotations

from akto_proxy.guard.rule import CONTEXT, DEFAULT_WIDTH, Rule


def rule(pattern: str, **fields) -> Rule:
    return Rule("r", "R", "custom", pattern, **fields)


def test_reach_is_the_longest_match_or_what_the_rule_says():
    assert rule(r"\bab{2,4}").reach == 5
    assert rule("ab*").reach == DEFAULT_WIDTH
    assert rule("ab*", max_width=77).reach == 77


def test_context_and_keywords_look_back():
    assert rule("abc").reach_before == 4
    assert rule("abc", keywords=("x",)).reach_before == rule("abc", context=("x",)).reach_before == 2 * CONTEXT


def test_the_shortest_match():
    assert rule("a?b{3}").least == 3
