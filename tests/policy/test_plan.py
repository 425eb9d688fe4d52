from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akto_proxy.model import Action, Direction, Finding, Mode, Role, Segment, Severity
from akto_proxy.policy.checks import Tally
from akto_proxy.policy.judgement import CLEAN
from akto_proxy.policy.plan import MAX_DECISIONS

TEXT = "mail jo@x.org or jo@x.org, key AKIAXXXXXXXXXXXXXXXX"
SEGMENT = Segment(TEXT, "/messages/0/content")
KEY = Finding(31, 51, "aws-access-key", "AWS_ACCESS_KEY", "secrets", 0.9)
BOTH_SIDES = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def test_clean_text_gets_the_shared_judgement(plan, policy):
    made = plan(policy())
    assert made.judge([SEGMENT], [[]]) is CLEAN
    assert made.judge_one(Role.ASSISTANT, Direction.RESPONSE, "/x", ()) is CLEAN


def test_a_redaction_says_where_what_and_why(plan, policy, email):
    judged = plan(policy(controls=["GDPR:Art.5"], severity="high")).judge([SEGMENT], [[email(5, 13), email(17, 25)]])
    (decision,) = judged.decisions
    assert judged.action is decision.action is decision.would is Action.REDACT
    assert (decision.count, decision.place, decision.severity) == (2, "/messages/0/content", Severity.HIGH)
    assert decision.controls == ("GDPR:Art.5",)
    assert [(edit.start, edit.end, edit.replacement) for edit in judged.edits[0]] == [
        (5, 13, "label"),
        (17, 25, "label"),
    ]


def test_a_block_carries_the_policys_message_and_never_the_text(plan, policy, email):
    made = plan(policy(action="block", rules=[{"detect": "email"}], response_message="No."))
    judged = made.judge([SEGMENT], [[email(5, 13)]])
    assert judged.action is Action.BLOCK
    assert judged.blocked_by is judged.decisions[0]
    assert "'p'" in judged.message
    assert "jo@x.org" not in judged.message
    assert made.judge_one(Role.ASSISTANT, Direction.RESPONSE, "/x", [email()]).message == "No."


def test_monitor_does_nothing_and_says_what_it_would(plan, policy, email):
    judged = plan(policy(mode="monitor")).judge([SEGMENT], [[email(5, 13)]])
    assert judged.action is Action.ALLOW
    assert not judged.edits
    assert judged.decisions[0].would is Action.REDACT
    assert judged.decisions[0].mode is Mode.MONITOR


def test_direction_role_and_confidence_narrow(plan, policy, email):
    rule = {"detect": "email", "direction": "request", "roles": ["tool"], "confidence": 0.7, "action": "block"}
    made = plan(policy(rules=[rule]))
    tool = Segment(TEXT, "/m", Role.TOOL)
    assert made.judge([tool], [[email()]]).action is Action.BLOCK
    assert made.judge([tool], [[email(score=0.6)]]) is CLEAN
    assert made.judge([SEGMENT], [[email()]]) is CLEAN
    assert made.judge([Segment(TEXT, "/m", Role.TOOL, Direction.RESPONSE)], [[email()]]) is CLEAN


def test_levels_choose_the_action_by_score(plan, policy, email):
    made = plan(
        policy(
            rules=[
                {"detect": "email", "confidence": 0, "levels": {"high": "block", "medium": "redact", "low": "alert"}}
            ]
        )
    )
    actions = [made.judge([SEGMENT], [[email(0, 8, score)]]).action for score in (0.3, 0.6, 0.85)]
    assert actions == [Action.ALERT, Action.REDACT, Action.BLOCK]


def test_min_matches_counts_a_body_and_a_stream(plan, policy, email):
    made = plan(policy(rules=[{"detect": "email", "action": "block", "min_matches": 2}]))
    assert made.judge([SEGMENT], [[email()]]) is CLEAN
    assert made.judge([SEGMENT, SEGMENT], [[email()], [email()]]).action is Action.BLOCK
    tally = Tally()
    pieces = [made.judge_one(Role.ASSISTANT, Direction.RESPONSE, "/x", [email()], tally=tally) for _ in range(2)]
    assert [piece.action for piece in pieces] == [Action.ALLOW, Action.BLOCK]


def test_allowed_phrases_excuse_only_inside_them_and_only_in_their_policy(plan, policy, email):
    rule = [{"detect": "email", "action": "redact"}]
    lenient = policy(name="lenient", allow=["mail jo@x.org"], rules=rule)
    judged = plan(lenient).judge([SEGMENT], [[email(5, 13), email(17, 25)]])
    assert [edit.start for edit in judged.edits[0]] == [17]
    both = plan(lenient, policy(name="strict", rules=rule)).judge([SEGMENT], [[email(5, 13)]])
    assert [decision.policy for decision in both.decisions] == ["strict"]


def test_a_failed_check_follows_the_fail_mode(plan, policy):
    failed = Finding(0, 0, "prompt-injection", "CHECK_FAILED", "injection")
    rules = [{"detect": "injection", "action": "block"}]
    closed = plan(policy(rules=rules)).judge([SEGMENT], [[failed]])
    opened = plan(policy(rules=rules, on_error="allow")).judge([SEGMENT], [[failed]])
    assert closed.action is Action.BLOCK
    assert "could not run" in closed.message
    assert opened.action is Action.ALLOW
    assert opened.decisions[0].bypassed


def test_a_failed_check_that_could_only_alert_does_not_block(plan, policy):
    failed = Finding(0, 0, "harm", "CHECK_FAILED", "harm")
    judged = plan(policy(rules=[{"detect": "harm", "action": "alert"}])).judge([SEGMENT], [[failed]])
    assert judged.action is Action.ALERT
    assert judged.decisions[0].bypassed


def test_a_failed_check_hurts_only_policies_that_wanted_it(plan, policy):
    assert plan(policy()).judge([SEGMENT], [[Finding(0, 0, "harm", "CHECK_FAILED", "harm")]]) is CLEAN
    assert plan(policy()).judge([SEGMENT], [[Finding(0, 0, "person", "CHECK_FAILED", "pii")]]) is not CLEAN
    assert plan(policy()).judge([SEGMENT], [[Finding(0, 0, "guest", "CHECK_FAILED", "")]]).action is Action.BLOCK


def test_an_unreadable_body_is_never_let_pass_in_silence(plan, policy):
    judged = plan(policy(on_unreadable="allow")).unreadable(Direction.REQUEST, "token_ids")
    assert judged.action is Action.ALLOW
    assert judged.decisions[0].bypassed
    assert judged.decisions[0].reason == "token_ids"
    assert plan(policy()).unreadable(Direction.REQUEST, "token_ids").action is Action.BLOCK
    assert plan(policy(direction="response")).unreadable(Direction.REQUEST, "token_ids") is CLEAN


def test_what_has_no_place_cannot_be_redacted_so_it_is_blocked(plan, policy):
    made = plan(policy(rules=[{"detect": "harm", "action": "redact"}]))
    assert made.judge([SEGMENT], [[Finding(0, 0, "harm-s1", "HARM_S1", "harm", 0.9)]]).action is Action.BLOCK


def test_decisions_are_bounded_and_none_is_lost(plan, policy, email):
    count = MAX_DECISIONS * 2
    judged = plan(policy()).judge([SEGMENT] * count, [[email()] for _ in range(count)])
    assert len(judged.decisions) == MAX_DECISIONS + 1
    assert sum(decision.count for decision in judged.decisions) == count
    assert judged.decisions[-1].place == "*"
    assert len(judged.edits) == count


def test_limits_and_tools_are_checked_without_any_finding(plan, policy):
    made = plan(policy(rules=[{"limit": {"tokens": 2}, "action": "block"}]))
    assert made.checks_bodies
    assert not plan(policy()).checks_bodies
    assert made.judge([SEGMENT], [[]]).blocked_by.rule == "limit:tokens"
    assert made.judge([Segment("short", "/x")], [[]]) is CLEAN


def test_answers_say_what_they_need(plan, policy):
    assert not plan(policy()).windowed
    made = plan(policy(rules=[{"detect": "leak"}]))
    assert made.windowed
    assert made.needs_system


FINDINGS = st.lists(
    st.tuples(
        st.integers(0, 40), st.integers(0, 11), st.sampled_from(["email", "us-ssn", "aws-access-key"]), st.floats(0, 1)
    ),
    max_size=8,
)
POLICIES = st.lists(
    st.fixed_dictionaries(
        {
            "action": st.sampled_from(["allow", "alert", "redact", "block"]),
            "mode": st.sampled_from(["enforce", "monitor"]),
            "on_error": st.sampled_from(["allow", "block"]),
            "detect": st.sampled_from(["email", "pii", "secrets", "US_SSN"]),
            "redact": st.sampled_from(["label", "mask", "hash", "token", "surrogate", "remove"]),
            "confidence": st.sampled_from([0.0, 0.5, 0.9]),
            "allow": st.sampled_from([[], ["jo@x.org"], ["mail"]]),
        }
    ),
    min_size=1,
    max_size=4,
)


def made_findings(raw: list[tuple[int, int, str, float]]) -> list[Finding]:
    kinds = {
        "email": ("EMAIL_ADDRESS", "pii"),
        "us-ssn": ("US_SSN", "pii"),
        "aws-access-key": ("AWS_ACCESS_KEY", "secrets"),
    }
    return [Finding(start, start + size, rule, *kinds[rule], score) for start, size, rule, score in raw]


def made_policies(policy: Any, raw: list[dict[str, Any]]) -> list[Any]:
    out = []
    for number, item in enumerate(raw):
        rule = {key: item[key] for key in ("detect", "action", "redact", "confidence")}
        out.append(
            policy(name=f"p{number}", mode=item["mode"], on_error=item["on_error"], allow=item["allow"], rules=[rule])
        )
    return out


def hidden(judged: Any) -> set[int]:
    return {at for edit in judged.edits.get(0, ()) for at in range(edit.start, edit.end)}


@BOTH_SIDES
@given(POLICIES, FINDINGS, st.data())
def test_adding_a_policy_never_weakens_another(plan, policy, raw, found, data):
    policies, findings = made_policies(policy, raw), made_findings(found)
    fewer = data.draw(st.lists(st.sampled_from(policies), unique_by=lambda item: item.name, max_size=len(policies)))
    some, every = plan(*fewer).judge([SEGMENT], [findings]), plan(*policies).judge([SEGMENT], [findings])
    assert some.action <= every.action
    assert set(some.decisions) <= set(every.decisions)
    assert hidden(some) <= hidden(every)


@BOTH_SIDES
@given(POLICIES, FINDINGS)
def test_edits_never_overlap_and_are_sorted(plan, policy, raw, found):
    edits = plan(*made_policies(policy, raw)).judge([SEGMENT], [made_findings(found)]).edits.get(0, ())
    assert all(first.end <= second.start for first, second in itertools.pairwise(edits))


@BOTH_SIDES
@given(POLICIES, FINDINGS, st.randoms())
def test_the_order_of_policies_changes_nothing(plan, policy, raw, found, random):
    policies, findings = made_policies(policy, raw), made_findings(found)
    shuffled = random.sample(policies, len(policies))
    assert plan(*policies).judge([SEGMENT], [findings]) == plan(*shuffled).judge([SEGMENT], [findings])
