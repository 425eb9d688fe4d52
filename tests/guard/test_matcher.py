from __future__ import annotations

import pytest

from akto_proxy.errors import PolicyError
from akto_proxy.guard.matcher import Allow, Matcher, Words, compile_re2, entropy
from akto_proxy.guard.rule import Rule


def matcher(pattern: str, **fields) -> Matcher:
    return Matcher(
        Rule("r", "R", "custom", pattern, **fields), {"half": lambda _: 0.5, "no": lambda _: False}, Allow(frozenset())
    )


def test_matches_do_not_overlap_and_v_is_the_finding():
    assert list(matcher("a(?P<v>b)c|x").spans(b"abcx abc", 0, 8)) == [(0, 3, 1, 2), (3, 4, 3, 4), (5, 8, 6, 7)]


def test_a_match_is_confined_to_its_reach():
    long = matcher("a[a-z]*z", max_width=4)
    assert list(long.spans(b"abbbbz abz", 0, 10)) == [(7, 10, 7, 10)]
    assert list(matcher("ab*", max_width=4).spans(b"abbbbbb ab", 0, 10)) == [(0, 4, 0, 4), (8, 10, 8, 10)]


def test_a_start_without_an_end_costs_a_window_each():
    assert list(matcher("BEGIN[A-Z ]*end", max_width=2000).spans(b"BEGIN " * 20_000, 0, 120_000)) == []


def test_a_validator_sets_the_score():
    assert matcher("ab", validator="half").judge(b"ab", (0, 2, 0, 2)) == 0.5
    assert matcher("ab", validator="no").judge(b"ab", (0, 2, 0, 2)) == 0.0
    with pytest.raises(PolicyError, match="no validator"):
        matcher("ab", validator="what")


def test_short_words_stand_alone_long_ones_anywhere():
    words = Words(("pin", "password", "Straße"))
    assert not words.within(b"opinion")
    assert words.within(b"my pin:")
    assert words.within(b"userpassword1")
    assert words.within("STRASSE straße".lower().encode())
    assert not Words(())


def test_entropy():
    assert entropy("aaaa") == 0.0
    assert entropy("abcd") == 2.0


def test_an_allowed_value_is_known_in_any_case_and_with_any_separators():
    allow = Allow(frozenset({"4111111111111111", "*@example.com", "203.0.113.*", "???55501??"}))
    for text in ("4111 1111-1111 1111", "Jo.Roe@Example.com", "203.0.113.77", "(212) 555-0132"):
        assert allow.holds(text), text
    for text in ("4111 1111-1111 1112", "jo@example.com.acme.io", "203.0.11.77", "212-555-0232", "jo@anexample.org"):
        assert not allow.holds(text), text
    assert not Allow(frozenset())


def test_what_re2_cannot_hold_is_refused():
    with pytest.raises(PolicyError, match="RE2"):
        compile_re2("(?:a{1000}){1000}")
