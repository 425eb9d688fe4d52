from __future__ import annotations

from akto_proxy.model import Caller
from akto_proxy.policy.compile import PolicySet, Scope
from akto_proxy.policy.explain import explain


def test_it_says_which_policies_apply_and_why_the_others_do_not(known, policy):
    made = PolicySet(
        [
            policy(name="all", rules=[{"detect": "pii", "action": "alert"}]),
            policy(name="teams", scope={"callers": {"teams": ["red"]}}, action="block"),
            policy(name="not-ann", exclude={"callers": {"users": ["ann"]}}),
            policy(name="off", enabled=False),
        ],
        known,
    )
    told = {item.policy: item for item in explain(made, Scope(caller=Caller(user="ann", team="red")))}
    assert list(told)[:2] == ["teams", "all"]
    assert told["teams"].applies
    assert told["teams"].reasons == ("callers.teams is red",)
    assert told["all"].reasons == ("it applies everywhere",)
    assert told["not-ann"].reasons == ("excluded: callers.users is ann",)
    assert told["off"].reasons == ("it is switched off (enabled: false)",)
    assert not told["off"].applies


def test_a_rules_line_says_what_it_does(known, policy):
    levels = {"detect": "pii", "id": "two", "levels": {"high": "block"}, "roles": ["user"], "direction": "request"}
    made = PolicySet([policy(rules=[{"detect": "email", "action": "redact", "redact": "mask"}, levels])], known)
    one, two = explain(made, Scope())[0].rules
    assert (one.rule, one.action, one.roles, one.directions) == ("rules[0]", "redact (mask)", "all", "request+response")
    assert (two.rule, two.action, two.roles) == ("two", "high: block, medium: alert, low: allow", "user")
    assert two.runs > one.runs
