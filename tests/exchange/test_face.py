from __future__ import annotations

from akto_proxy.exchange.face import Ask
from akto_proxy.model import Direction, Segment
from akto_proxy.policy.clause import ALL_ROLES, ExternalCheck
from akto_proxy.policy.rules import External


def test_a_question_nobody_could_ask_is_a_failure_of_each_check():
    external = External.model_validate({"url": "https://guard.example/v1"})
    checks = tuple(ExternalCheck(f"external:p:{name}", "EXTERNAL", ALL_ROLES, external) for name in "ab")
    failed = Ask(checks, (Segment("text", "/x"),), Direction.REQUEST).unanswered()
    assert [(number, finding.rule, finding.entity) for number, finding in failed] == [
        (0, "external:p:a", "CHECK_FAILED"),
        (0, "external:p:b", "CHECK_FAILED"),
    ]
