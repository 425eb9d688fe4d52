from __future__ import annotations

from akto_proxy.model import Action, Direction, Finding, Mode, Role
from akto_proxy.policy.catalogue import Selector
from akto_proxy.policy.clause import clause


def test_what_a_rule_leaves_out_is_the_policys(policy):
    given = policy(severity="high", direction="request", roles=["tool"])
    made = clause(0, given, 0, Selector(frozenset()), frozenset())
    assert (made.directions, made.roles) == ({Direction.REQUEST}, {Role.TOOL})
    assert (made.name, made.severity.label, made.action(0.1)) == ("rules[0]", "high", Action.REDACT)


def test_monitor_decides_to_do_nothing(policy):
    made = clause(0, policy(mode="monitor"), 0, Selector(frozenset()), frozenset())
    decision = made.decide(Action.BLOCK, Direction.REQUEST, Finding(0, 1, "r", "E", "pii"))
    assert (decision.action, decision.would, decision.mode) == (Action.ALLOW, Action.BLOCK, Mode.MONITOR)


def test_a_phrase_excuses_only_what_lies_inside_it(policy):
    made = clause(0, policy(allow=["a jo@x.org"]), 0, Selector(frozenset()), frozenset())
    assert made.excuses("say A JO@X.ORG now", Finding(6, 14, "email", "E", "pii"))
    assert not made.excuses("say A JO@X.ORG now", Finding(6, 18, "email", "E", "pii"))
    assert not made.excuses("", Finding(6, 14, "email", "E", "pii"))
