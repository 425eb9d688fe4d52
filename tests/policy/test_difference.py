"""The parts of two plans that are not shared; and, for every pair, a replay by them says what a whole one says."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.model import Action, Finding, Message, Segment, Trace
from akto_proxy.policy.compile import Plan, PolicySet, Scope
from akto_proxy.policy.difference import Differences
from akto_proxy.policy.replay import replay
from akto_proxy.policy.schema import Policy


def names(plan) -> list[str]:
    return [item.policy.name for item in plan.clauses]


def test_what_is_alike_is_in_neither_part(known, policy):
    old = PolicySet([policy(name="a"), policy(name="b")], known)
    new = PolicySet([policy(name="a"), policy(name="c", action="block")], known)
    before, after = Differences(old, new).parts(old.plan(Scope()), new.plan(Scope()))
    assert (names(before), names(after)) == (["b"], ["c"])


def test_words_for_people_are_no_difference(known, policy):
    old = PolicySet([policy(name="a", description="one")], known)
    new = PolicySet([policy(name="a", description="another")], known)
    before, after = Differences(old, new).parts(old.plan(Scope()), new.plan(Scope()))
    assert (names(before), names(after)) == ([], [])


def test_another_action_is_a_difference(known, policy):
    old, new = PolicySet([policy(name="a")], known), PolicySet([policy(name="a", action="block")], known)
    before, after = Differences(old, new).parts(old.plan(Scope()), new.plan(Scope()))
    assert (names(before), names(after)) == (["a"], ["a"])


def made(chosen) -> list[Policy]:
    """A policy a word, the later in the alphabet the stricter."""
    steps = {"a": "alert", "b": "alert", "c": "redact", "d": "redact", "e": "block", "f": "block"}
    return [Policy.model_validate({"name": n, "action": steps[n], "rules": [{"words": [n * 3]}]}) for n in chosen]


some = st.sets(st.sampled_from("abcdef"))


@given(some, some)
def test_the_parts_are_the_set_differences(one, other):
    old, new = PolicySet(made(one), {}), PolicySet(made(other), {})
    before, after = Differences(old, new).parts(old.plan(Scope()), new.plan(Scope()))
    assert (names(before), names(after)) == (sorted(one - other), sorted(other - one))


@given(some, some, st.lists(st.lists(st.sampled_from("abcdef"), max_size=3), max_size=6))
def test_a_replay_by_the_parts_says_what_two_whole_judgements_say(one, other, texts):
    old, new = PolicySet(made(one), {}), PolicySet(made(other), {})

    def scan(item: Trace, policies: PolicySet, plan: Plan):
        words = [Segment(item.request.body, "/m")]
        rules = {id_: rule for id_, rule in policies.custom.items() if id_ in plan.enabled_request}
        found = [
            Finding(match.start(), match.end(), id_, "CUSTOM", "custom", 1.0)
            for id_, rule in sorted(rules.items())
            for match in re.finditer(rule.id.split(":")[1] * 3, item.request.body)
        ]
        return [(words[0], sorted(found))]

    def verdict(policies: PolicySet, item: Trace) -> Action:
        plan = policies.everything()
        ((segment, found),) = scan(item, policies, plan)
        return plan.judge([segment], [found]).action

    traces = [
        Trace(f"{n:032x}", 0.0, "e", "POST", "/", "r", "", 200, "ok", request=Message(body=" ".join(w * 3 for w in t)))
        for n, t in enumerate(texts)
    ]
    moves = Counter((verdict(old, item), verdict(new, item)) for item in traces)
    assert replay(traces, old, new, scan).changed == {move: n for move, n in moves.items() if move[0] is not move[1]}
