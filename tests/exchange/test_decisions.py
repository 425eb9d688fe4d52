from dataclasses import replace

from akto_proxy.exchange.decisions import late, merged
from akto_proxy.model import Action, Decision, Direction, Finding, Severity
from akto_proxy.policy.compile import Edit, Judgement

ONE = Decision("p", "r", "pii", "E", Severity.LOW, Action.REDACT, Direction.RESPONSE, score=0.5)


def test_a_redaction_that_comes_too_late_is_an_alert_that_says_so():
    edit = Edit(0, 1, "label", Finding(0, 1, "r", "E", "pii"), "p")
    judgement = late(Judgement(Action.REDACT, (ONE,), {0: (edit,)}))
    assert not judgement.edits
    assert judgement.decisions[0].action is Action.ALERT
    assert "after it was sent" in judgement.decisions[0].reason


def test_a_late_block_stays_a_block():
    block = replace(ONE, action=Action.BLOCK)
    assert late(Judgement(Action.BLOCK, (block,))).action is Action.BLOCK


def test_repeats_are_counted_and_the_strongest_are_kept():
    again = merged([ONE, replace(ONE, score=0.9), replace(ONE, rule="other")])
    assert [(item.rule, item.count, item.score) for item in again] == [("r", 2, 0.9), ("other", 1, 0.5)]
    many = [replace(ONE, rule=f"r{n}", action=Action.ALERT) for n in range(300)]
    kept = merged([*many, replace(ONE, action=Action.BLOCK)])
    assert len(kept) == 256
    assert kept[0].action is Action.BLOCK
