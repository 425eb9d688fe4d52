from __future__ import annotations

import time

import pytest

from akto_proxy.model import Action, Caller, Decision, Direction, Finding, Message, Segment, Severity, Trace
from akto_proxy.policy.compile import Plan, PolicySet
from akto_proxy.policy.replay import replay


def trace(number: int, *rules: str, body: str = "masked") -> Trace:
    decisions = tuple(
        Decision("p", rule, "pii", "EMAIL_ADDRESS", Severity.LOW, Action.REDACT, Direction.REQUEST, "/m", score=0.9)
        for rule in rules
    )
    return Trace(
        id=f"{number:032x}",
        started=0.0,
        endpoint="e",
        method="POST",
        path="/v1/chat/completions",
        route="openai.chat",
        engine="",
        status=200,
        outcome="ok",
        caller=Caller(user=f"user{number % 3}"),
        request=Message(body=body),
        decisions=decisions,
    )


def nothing(_: Trace, __: PolicySet, ___: Plan) -> list[tuple[Segment, list[Finding]]]:
    return []


@pytest.fixture
def redacting(known, policy):
    return PolicySet([policy()], known)


@pytest.fixture
def blocking(known, policy):
    return PolicySet([policy(action="block", rules=[{"detect": "email"}])], known)


def test_verdicts_move_from_old_to_new(redacting, blocking):
    report = replay([trace(1, "email"), trace(2), trace(3, "email")], redacting, blocking, nothing)
    assert (report.total, report.masked) == (3, 2)
    assert report.newly(Action.BLOCK) == 2
    move = (Action.REDACT, Action.BLOCK)
    assert report.changed == {move: 2}
    assert report.samples[move] == [f"{1:032x}", f"{3:032x}"]
    assert report.callers[move] == {"user1": 1, "user0": 1}
    assert report.policies[move] == {"p": 2}


def test_what_the_kept_text_still_shows_counts_once(redacting, blocking):
    def scan(item: Trace, _: PolicySet, __: Plan) -> list[tuple[Segment, list[Finding]]]:
        return [(Segment("a@b.co", "/m"), [Finding(0, 6, "email", "EMAIL_ADDRESS", "pii", 0.9)])]

    report = replay([trace(1, "email", body="a@b.co"), trace(2, body="a@b.co")], redacting, blocking, scan)
    assert report.changed == {(Action.REDACT, Action.BLOCK): 2}


def test_a_policys_own_rules_are_not_mistaken_when_their_numbers_move(known, policy):
    old = PolicySet([policy(rules=[{"words": ["a"], "action": "alert"}])], known)
    new = PolicySet([policy(rules=[{"words": ["b"], "action": "block"}])], known)
    assert replay([trace(1, "custom:p:0")], old, new, nothing).changed == {(Action.ALERT, Action.ALLOW): 1}
    assert replay([trace(1, "custom:p:0")], old, PolicySet([], known), nothing).newly(Action.ALLOW) == 1


@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_hundred_thousand_traces_take_under_a_minute(redacting, blocking, count):
    started = time.process_time()
    replay((trace(number, "email") for number in range(count)), redacting, blocking, nothing)
    assert time.process_time() - started < 60.0 * count / 100_000
