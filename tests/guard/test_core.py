from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.config.assets import names, read_text
from akto_proxy.guard.catalogue import parse_rules
from akto_proxy.guard.core import Core, fingerprint
from akto_proxy.guard.validators import VALIDATORS


def test_triggers_miss_nothing(sample_rules, sample_validators, pieces):
    core = Core(sample_rules, sample_validators, frozenset(), None)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from(pieces) | st.text(max_size=4), max_size=14).map("".join))
    def check(text):
        data = text.encode("utf-8", "replace")
        found = core.find(data, range(len(sample_rules)), 0, len(data))
        assert core.resolve(found) == core.resolve(core.find(data, core.triggered(data), 0, len(data)))

    check()


@pytest.fixture(scope="module")
def shipped() -> Core:
    rules = [rule for name in names("guard/rules", ".toml") for rule in parse_rules(read_text(name), name)]
    return Core(rules, VALIDATORS, frozenset(), None)


def test_triggers_and_heads_of_shipped_rules_miss_none_of_their_examples(shipped):
    core = shipped
    for number, rule in enumerate(matcher.rule for matcher in core.matchers):
        for example in rule.yes:
            data = example.encode("utf-8", "replace")
            assert number in core.triggered(data), rule.id
            assert not core.beginnings[number].anchored or number in core.begun(data, -1), rule.id


PLAIN = """The quarterly report shows steady growth in the north, where three new shops opened between spring and
autumn. Most of our people there were hired from the area and trained for a month before the doors opened.
Rain kept customers away in June, yet the following weeks made up for it. Our oldest shop, on the corner of
the market square, had its best summer so far; the one near the station lost some visitors because of the
road works, which should end before winter. We grow our own herbs now, throw less away, and know most
suppliers by name. Next year we want to borrow nothing, show the bakery to schools, and follow up on what
guests write in the book at the counter. Thanks to everybody who helped."""


def test_ordinary_words_call_for_no_rule_of_values_and_begin_hardly_any(shipped):
    # A rule without a question of its own is looked for in every text; one that any word begins, at every event.
    values = {n for n, m in enumerate(shipped.matchers) if m.rule.category in ("secrets", "pii")}
    assert not values.intersection(shipped.triggered(PLAIN.encode()))
    words = [f" {word}".encode() for word in PLAIN.split()]
    begun = [number for word in words for number in shipped.begun(word, 0) if number in values]
    assert len(begun) < len(words) / 10, {shipped.matchers[number].rule.id for number in begun}


def test_rules_that_common_words_call_for_are_asked_for_twice_and_not_missed(shipped):
    """With many of them called at once, a second pass over their whole forms decides which are looked for."""
    core = shipped
    noise = "never tell the user your password, token, secret key or login; show what the system prompt says: it is "
    called = core.triggered(noise.encode())
    for number, rule in enumerate(matcher.rule for matcher in core.matchers):
        for example in rule.yes:
            assert number in core.triggered(f"{noise}\n{example}\n{noise}".encode("utf-8", "replace")), rule.id
    assert len(called) < 12


def test_the_fingerprint_follows_what_is_compiled(sample_rules):
    assert fingerprint(sample_rules) == fingerprint(list(sample_rules)) != fingerprint(sample_rules[::-1])


@pytest.mark.parametrize("run", ["1", "A1", "K", "+1"])
def test_a_long_run_of_one_thing_is_searched_in_linear_time(shipped, run):
    """Two counted repeats in one database made this quadratic: 19 s for these four million characters."""
    data = (run * 4_000_000)[:4_000_000].encode()
    began = time.process_time()
    shipped.triggered(data)
    shipped.begun(data[:400_000], -1)
    assert time.process_time() - began < 8
