from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.errors import PolicyError
from akto_proxy.guard.engine import Engine, check_custom, compile_database, fingerprint
from akto_proxy.guard.rule import Rule


@pytest.fixture(scope="module")
def engine(sample_rules, sample_validators) -> Engine:
    return Engine(sample_rules, validators=sample_validators, allow=frozenset({"test@example.com"}))


def rules_found(engine: Engine, text: str) -> list[str]:
    return [finding.rule for finding in engine.scan(text)]


def test_findings_carry_character_offsets(engine):
    text = "日本 é joe@example.com"
    (found,) = engine.scan(text)
    assert text[found.start : found.end] == "joe@example.com"


def test_the_group_v_is_the_finding(engine):
    text = 'Password: "hunter22"'
    (found,) = engine.scan(text)
    assert text[found.start : found.end] == "hunter22"


def test_gates(engine):
    assert "ssn" not in rules_found(engine, "123-45-6789")
    only = frozenset({"ssn"})
    assert engine.scan("my SSN 123-45-6789", only)
    assert not engine.scan("opssnix 123-45-6789", only)
    assert engine.scan("CONTRASEÑA 123456789", frozenset({"tax"}))
    assert rules_found(engine, "12345") == []
    assert engine.scan("12344")[0].score == 1.0
    assert rules_found(engine, "zqwertyuio") == ["mixed"]
    assert rules_found(engine, "zaaaaaaaa") == []
    assert rules_found(engine, "Test@Example.com") == []


def test_a_context_word_before_raises_the_score(engine):
    assert engine.scan("415-555-1234")[0].score == 0.4
    assert engine.scan("call 415-555-1234")[0].score == 0.75


def test_the_higher_score_wins_then_the_longer(engine):
    assert rules_found(engine, "password is joe@example.com") == ["email"]


def test_only_enabled_rules_take_part(engine):
    (found,) = engine.scan("password is joe@example.com", frozenset({"password"}))
    assert found.rule == "password"


def test_many_texts_are_told_apart(engine):
    assert engine.scan_many(["a", "b@c.de", "", "AKIAABCDEFGHIJKLMNOP"]) == [
        (1, engine.scan("b@c.de")[0]),
        (3, engine.scan("AKIAABCDEFGHIJKLMNOP")[0]),
    ]
    assert engine.scan_many(["AKIAABCDEFGH", "IJKLMNOP"]) == []
    assert engine.scan_many([]) == []


def test_many_texts_equal_each_text_alone(engine, pieces):
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.lists(st.sampled_from(pieces), max_size=5).map("".join), max_size=5))
    def check(texts):
        alone = [(number, found) for number, text in enumerate(texts) for found in engine.scan(text)]
        assert engine.scan_many(texts) == alone

    check()


def test_a_kept_database_serves_and_a_broken_one_is_replaced(sample_rules, sample_validators):
    first = Engine(sample_rules, validators=sample_validators)
    for database in (first.dump(), compile_database(sample_rules), b"broken"):
        again = Engine(sample_rules, validators=sample_validators, database=database)
        assert again.scan("joe@example.com") == first.scan("joe@example.com")
    assert first.fingerprint == fingerprint(sample_rules) != fingerprint(sample_rules[1:])


def test_no_rules_find_nothing():
    engine = Engine([], validators={})
    assert engine.scan("joe@example.com") == []
    assert engine.stream().feed("joe@example.com").text == "joe@example.com"


def test_two_rules_may_not_share_an_id():
    rule = Rule("a", "A", "custom", "abc")
    with pytest.raises(PolicyError, match="share an id"):
        Engine([rule, rule], validators={})


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("a(?=b)", "lookahead"),
        ("a(?!b)", "negative lookahead"),
        ("(?<=a)b", "lookbehind"),
        ("(?<!a)b", "lookbehind"),
        ("(?>a)b", "atomic"),
        (r"(a)\1", "backreference"),
        ("(?P<x>a)(?P=x)", "backreference"),
        ("a++", "possessive"),
        ("a*", "empty"),
        ("(a", "never closed"),
        ("a)", "closes nothing"),
        ("a{2000}", "1,000"),
        (r"(?:(?:a{1,1000}){1,1000}b)", "RE2"),
        ("*a", "repeats nothing"),
        ("(?(1)a)", "conditional"),
        (r"a\Z", "Z"),
        ("[a", "never closed"),
        ("(" * 200 + "a" + ")" * 200, "nested"),
    ],
)
def test_a_custom_rule_is_refused_with_the_construct_named(pattern, word):
    with pytest.raises(PolicyError, match=word):
        check_custom(pattern)


@pytest.mark.parametrize(
    "pattern", [r"(?i)project\s+\w{1,20}", r"\p{Greek}+x", "[[:alpha:]]{3}", r"\Qa.b\E", "(?s:.)x"]
)
def test_a_custom_rule_that_is_linear_is_taken(pattern):
    check_custom(pattern)


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a@b" * 100_000, "\ud800" * 1000, "-----BEGIN PRIVATE KEY-----" * 3000, "pass:" * 20000]
)
def test_hostile_texts_are_scanned_in_bounded_time(engine, text):
    engine.scan(text)


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"(a|aa)+c", r"(\w+\s?)*!", r"(.*a){10}z"])
def test_patterns_that_stop_backtracking_engines_are_linear_here(pattern):
    Engine([Rule("r", "R", "custom", pattern)], validators={}).scan("a" * 50_000)
