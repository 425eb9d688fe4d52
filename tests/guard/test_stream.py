from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.config.assets import names, read_text
from akto_proxy.guard.catalogue import parse_rules
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.stream import StreamGuard
from akto_proxy.model import Finding

CUTS = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def play(guard: StreamGuard, text: str, cuts: list[int]) -> tuple[str, list[Finding]]:
    """Feed `text` in pieces of the given sizes (again and again) and put what comes out together."""
    out, found, at, turn = "", [], 0, 0
    released = []
    while at < len(text):
        size = cuts[turn % len(cuts)]
        released.append(guard.feed(text[at : at + size]))
        at, turn = at + size, turn + 1
    released.append(guard.finish())
    for piece in released:
        shift = len(out)
        found += [
            Finding(f.start + shift, f.end + shift, f.rule, f.entity, f.category, f.score) for f in piece.findings
        ]
        out += piece.text
    return out, found


@pytest.fixture(scope="module")
def engine(sample_rules, sample_validators) -> Engine:
    return Engine(sample_rules, validators=sample_validators)


def test_pieces_equal_the_whole_for_every_cutting(engine, pieces):
    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from(pieces) | st.text(max_size=5), max_size=14).map("".join), CUTS)
    def check(text, cuts):
        assert play(engine.stream(), text, cuts) == (text, engine.scan(text))

    check()


def test_enabled_rules_alone_hold_and_find(engine, pieces):
    names = st.frozensets(st.sampled_from([rule.id for rule in engine.rules]), max_size=4)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(pieces), max_size=12).map("".join), CUTS, names)
    def check(text, cuts, enabled):
        assert play(engine.stream(enabled), text, cuts) == (text, engine.scan(text, enabled))

    check()


def test_only_what_could_still_match_is_held(engine):
    guard = engine.stream()
    assert guard.feed("write to joe@exam").text == "write to "
    assert guard.held == len("joe@exam")
    assert guard.feed("ple.com now").findings[0].entity == "EMAIL_ADDRESS"
    assert guard.feed(" and then. ").text == "now and then. "
    assert guard.held == 0


def test_what_is_held_stays_under_the_limit_and_leaves_as_a_finding():
    rule = Rule("key", "SECRET", "secrets", r"BEGIN[a-z]*END", max_width=5000)
    guard = Engine([rule], validators={}).stream(limit=1000)
    out, found = play(guard, "ok BEGIN" + "a" * 3000 + "END " + "b" * 6000, [100])
    assert out.startswith("ok BEGINaaa")
    assert all(finding.rule == "key" for finding in found)
    covered = sum(finding.end - finding.start for finding in found)
    assert covered >= len("BEGIN") + 3000 + len("END")
    assert max(finding.end for finding in found) <= 3 + 5000 + 100


def test_a_long_candidate_is_not_looked_at_again_for_every_piece():
    rule = Rule("key", "SECRET", "secrets", r"BEGIN[a-z]*END", max_width=60000)
    guard = Engine([rule], validators={}).stream()
    guard.feed("BEGIN")
    for _ in range(20000):
        assert guard.feed("ab").text == ""
    assert guard.feed("END ").text == "" or guard.held == 0
    last = guard.finish()
    assert last.findings == () or last.findings[0].rule == "key"


@pytest.fixture(scope="module")
def shipped() -> Engine:
    return Engine([rule for name in names("guard/rules", ".toml") for rule in parse_rules(read_text(name), name)])


PROSE = (
    "Call me",
    "or write;",
    "see page 7,",
    "the password is",
    "not needed:",
    "12 orders (300",
    "EUR)",
    "Rückruf",
    "予約。",
)


def embedded(rng: random.Random, example: str) -> str:
    """An example between words, or glued to them."""
    before, after = rng.choices(PROSE, k=rng.randint(0, 12)), rng.choices(PROSE, k=rng.randint(0, 8))
    return (
        " ".join(before)
        + rng.choice([" ", '"', "", ": ", "\n"])
        + example
        + rng.choice([" ", '"', "", "\n"])
        + " ".join(after)
    )


def differs(engine: Engine, text: str, cuts: list[int]) -> bool:
    return play(engine.stream(), text, cuts) != (text, engine.scan(text))


def test_shipped_rules_in_pieces_equal_the_whole(shipped):
    """A sample of the rules' own examples; the slow test below takes all of them."""
    examples = [example for rule in shipped.rules for example in (*rule.yes, *rule.no)]

    @settings(max_examples=200, deadline=None)
    @given(st.sampled_from(examples), st.sampled_from(examples), CUTS, st.randoms(use_true_random=False))
    def check(first, second, cuts, rng):
        assert not differs(shipped, embedded(rng, first) + embedded(rng, second), cuts)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_example_of_every_shipped_rule_in_pieces_equals_the_whole(shipped, seed):
    rng = random.Random(seed)
    wrong = [
        (rule.id, number)
        for rule in shipped.rules
        for number, example in enumerate((*rule.yes, *rule.no))
        for text in (example, embedded(rng, example))
        for cuts in ([1], [rng.randint(1, 9) for _ in range(5)], [rng.randint(1, 40) for _ in range(5)])
        if differs(shipped, text, cuts)
    ]
    assert wrong == []
