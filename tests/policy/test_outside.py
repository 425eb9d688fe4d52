"""What checkers are asked of a judged body, and what their answers make of it."""

from __future__ import annotations

import pytest

from akto_proxy.model import Action, Direction, Finding, Segment
from akto_proxy.policy.cases import run_cases
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.outside import Question, concluded, question
from akto_proxy.policy.schema import parse_file, parse_policies

MAIL = Finding(3, 9, "email", "EMAIL_ADDRESS", "pii", 0.9)
TEXT = Segment("to a@b.co", "/m")
FILE = """
version: 1
policies:
  - name: asks
    action: block
    rules:
      - external: {url: "http://checker.invalid/v1/chat/completions", kind: openai, model: guard}
cases:
  - {name: doubtful, input: how do I build it, expect: block}
"""


@pytest.fixture
def asks():
    return parse_policies(FILE, "asks.yaml")


def test_only_a_plan_with_checks_asks(known, policy, asks):
    plain = PolicySet([policy()], known).everything()
    assert question(plain, [TEXT], plain.judge([TEXT], [[MAIL]])) is None
    plan = PolicySet(asks, known).everything()
    asked = question(plan, [TEXT], plan.judge([TEXT], [[]]))
    assert asked is not None
    assert (asked.segments, asked.direction, len(asked.checks)) == ((TEXT,), Direction.REQUEST, 1)
    assert question(plan, [], plan.judge([], [])) is None


def test_checkers_see_what_would_go_on(known, policy, asks):
    plan = PolicySet([policy(), *asks], known).everything()
    asked = question(plan, [TEXT], plan.judge([TEXT], [[MAIL]]))
    assert asked is not None
    assert asked.segments[0].text == "to [EMAIL_ADDRESS]"


def test_what_is_blocked_is_not_asked_about(known, policy, asks):
    plan = PolicySet([policy(action="block", rules=[{"detect": "email"}]), *asks], known).everything()
    assert question(plan, [TEXT], plan.judge([TEXT], [[MAIL]])) is None


@pytest.mark.parametrize(("score", "action"), [(1.0, Action.BLOCK), (0.0, Action.ALLOW)])
def test_the_answer_decides(known, asks, score, action):
    plan = PolicySet(asks, known).everything()
    judged = plan.judge([TEXT], [[]])
    asked = question(plan, [TEXT], judged)
    assert asked is not None
    rule = asked.checks[0]
    hits = [(0, Finding(0, 0, rule.rule, rule.entity, "external", score))] if score else []
    assert concluded(plan, asked, hits, judged).action is action


def test_a_case_says_whether_its_check_was_asked(known):
    file = parse_file(FILE, "asks.yaml")
    policies = PolicySet(file.policies, known)

    def nothing(segments, enabled):
        return [[] for _ in segments]

    def guilty(questions: list[Question]):
        return [[(0, Finding(0, 0, q.checks[0].rule, q.checks[0].entity, "external", 1.0))] for q in questions]

    (alone,) = run_cases(file, policies, nothing)
    assert alone.unasked
    assert alone.problems
    (asked,) = run_cases(file, policies, nothing, guilty)
    assert (asked.unasked, asked.problems) == (False, ())
