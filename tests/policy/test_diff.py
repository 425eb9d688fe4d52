from __future__ import annotations

import pytest

from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.diff import Change, diff


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"mode": "enforce"}, {"mode": "monitor"}, [Change("p", "mode", "enforce", "monitor", True)]),
        ({"on_error": "allow"}, {"on_error": "block"}, [Change("p", "on_error", "allow", "block", False)]),
        ({"enabled": True}, {"enabled": False}, [Change("p", "enabled", "True", "False", True)]),
        (
            {"rules": [{"detect": "email", "action": "block"}]},
            {"rules": [{"detect": "email", "action": "alert"}]},
            [Change("p", "rules[0].action", "block", "alert", True)],
        ),
        (
            {"rules": [{"words": ["x" * 9] * 1}]},
            {"rules": [{"words": [f"word{n}" for n in range(99)]}]},
            [Change("p", "rules[0].words", "1 entry, 1 gone", "99 entries, 99 new", True)],
        ),
    ],
)
def test_each_change_is_told_by_its_key(known, policy, before, after, expected):
    assert diff(PolicySet([policy(**before)], known), PolicySet([policy(**after)], known)) == expected


def test_a_policy_that_goes_away_is_weaker_and_one_that_comes_is_not(known, policy):
    one, two = PolicySet([policy(name="one")], known), PolicySet([policy(name="two")], known)
    assert diff(one, two) == [
        Change("one", "(policy)", "1 rules", "", True),
        Change("two", "(policy)", "", "1 rules", False),
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"action": "block", "rules": [{"detect": "email"}]}, {"action": "alert", "rules": [{"detect": "email"}]}),
        (
            {"action": "block", "rules": [{"detect": "email"}]},
            {"action": "block", "rules": [{"detect": "email", "action": "alert"}]},
        ),
        (
            {"rules": [{"detect": "email", "action": "block"}]},
            {"rules": [{"detect": "email", "levels": {"low": "alert", "medium": "block", "high": "block"}}]},
        ),
        ({}, {"allow": ["our own mailbox"]}),
        ({"scope": {}}, {"scope": {"paths": ["/v1/**"]}}),
        ({"scope": {"paths": ["/v1/**", "/v2/**"]}}, {"scope": {"paths": ["/v1/**"]}}),
        ({"scope": {"callers": {"teams": ["a", "b"]}}}, {"scope": {"callers": {"teams": ["a"]}}}),
        ({}, {"scope": {"tags": {"x-tier": ["gold"]}}}),
        ({}, {"exclude": {"paths": ["/health"]}}),
        ({"exclude": {"paths": ["/health"]}}, {"exclude": {"paths": ["/health", "/v1"]}}),
        ({"exclude": {"paths": ["/a"], "methods": ["GET"]}}, {"exclude": {"paths": ["/a"]}}),
        ({"roles": []}, {"roles": ["user"]}),
        ({"direction": "both"}, {"direction": "request"}),
        ({"direction": "request"}, {"direction": "response"}),
        ({}, {"rules": [{"detect": "email", "direction": "response"}]}),
        ({"severity": "high"}, {"severity": "low"}),
        ({"on_error": "block", "on_unreadable": "block"}, {"on_error": "block", "on_unreadable": "allow"}),
        ({"on_error": "block"}, {"on_error": "allow"}),
        ({"rules": [{"detect": "email"}]}, {"sample": 0.5, "rules": [{"detect": "email"}]}),
        ({"rules": [{"detect": ["email", "us-ssn"]}]}, {"rules": [{"detect": ["email"]}]}),
        ({}, {"rules": [{"detect": "email", "but": ["us-ssn"]}]}),
        ({}, {"rules": [{"detect": "email", "confidence": 0.9}]}),
        ({}, {"rules": [{"detect": "email", "min_matches": 3}]}),
        ({"rules": [{"detect": "email", "redact": "label"}]}, {"rules": [{"detect": "email", "redact": "token"}]}),
        ({"rules": [{"words": ["one", "two"]}]}, {"rules": [{"words": ["one"]}]}),
        ({"rules": [{"words": ["one"]}]}, {"rules": [{"words": ["one"], "case_sensitive": True}]}),
        ({"rules": [{"words": ["one"], "whole_words": False}]}, {"rules": [{"words": ["one"]}]}),
        ({"rules": [{"words": ["one"]}]}, {"rules": [{"topic": "one", "phrases": ["one"]}]}),
        ({"rules": [{"topic": "t", "phrases": ["one", "two"]}]}, {"rules": [{"topic": "t", "phrases": ["two"]}]}),
        ({"rules": [{"limit": {"tokens": 10}}]}, {"rules": [{"limit": {"tokens": 20}}]}),
        ({"rules": [{"limit": {"tokens": 10, "characters": 9}}]}, {"rules": [{"limit": {"tokens": 10}}]}),
        ({"rules": [{"links": {"deny": ["a.io", "b.io"]}}]}, {"rules": [{"links": {"deny": ["a.io"]}}]}),
        ({"rules": [{"links": {"allow": ["a.io"]}}]}, {"rules": [{"links": {"allow": ["a.io", "b.io"]}}]}),
        ({"rules": [{"links": {"allow": ["a.io"]}}]}, {"rules": [{"links": {"deny": ["b.io"]}}]}),
        ({"rules": [{"tools": {"max_calls": 3}}]}, {"rules": [{"tools": {"max_calls": 4}}]}),
        ({"rules": [{"tools": {"forbid": ["rm"]}}]}, {"rules": [{"tools": {"forbid": ["ls"]}}]}),
        ({"rules": [{"tools": {"arguments": {"f": {"type": "object"}}}}]}, {"rules": [{"tools": {"forbid": ["x"]}}]}),
        ({"rules": [{"canary": ["willow-tree-9", "acorn-leaf-7"]}]}, {"rules": [{"canary": ["willow-tree-9"]}]}),
        ({"rules": [{"external": {"url": "https://a.io"}}]}, {"rules": [{"external": {"url": "https://b.io"}}]}),
        (
            {"rules": [{"external": {"url": "https://a.io"}}]},
            {"rules": [{"external": {"url": "https://a.io", "timeout_ms": 100}}]},
        ),
        ({"rules": [{"detect": "email"}, {"words": ["a"]}]}, {"rules": [{"words": ["a"]}]}),
    ],
)
def test_what_may_let_more_through_is_weaker_and_undoing_it_is_told_too(known, policy, before, after):
    one, two = PolicySet([policy(**before)], known), PolicySet([policy(**after)], known)
    assert any(change.weaker for change in diff(one, two))
    assert diff(two, one)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"description": "a"}, {"description": "b", "message": "c", "controls": ["LLM01"]}),
        ({"scope": {"paths": ["/v1/**"]}}, {"scope": {}}),
        ({"scope": {"paths": ["/v1/**"]}}, {"scope": {"paths": ["/v1/**", "/v2/**"]}}),
        ({"exclude": {"paths": ["/health"]}}, {}),
        ({"exclude": {"paths": ["/health"]}}, {"exclude": {"paths": ["/health"], "methods": ["GET"]}}),
        ({"allow": ["a mailbox"]}, {}),
        ({"roles": ["user"]}, {"roles": []}),
        ({"direction": "request"}, {"direction": "both"}),
        ({"action": "alert"}, {"action": "block"}),
        (
            {"action": "block", "rules": [{"detect": "email"}]},
            {"action": "block", "rules": [{"detect": "email", "action": "block"}]},
        ),
        (
            {"rules": [{"detect": "email", "action": "alert"}]},
            {"rules": [{"detect": "email", "levels": {"low": "alert", "medium": "block", "high": "block"}}]},
        ),
        ({"rules": [{"words": ["one"]}]}, {"rules": [{"words": ["one", "two"]}]}),
        ({"rules": [{"detect": "email"}]}, {"rules": [{"words": ["a"]}, {"detect": "email"}]}),
        ({"rules": [{"detect": "email", "confidence": 0.9}]}, {"rules": [{"detect": "email"}]}),
        ({"rules": [{"limit": {"tokens": 20}}]}, {"rules": [{"limit": {"tokens": 10, "characters": 5}}]}),
        ({"rules": [{"links": {"deny": ["a.io"]}}]}, {"rules": [{"links": {"deny": ["a.io"], "allow": ["b.io"]}}]}),
        ({"rules": [{"links": {"allow": ["a.io", "b.io"]}}]}, {"rules": [{"links": {"allow": ["a.io"]}}]}),
        ({"rules": [{"tools": {"forbid": ["rm"]}}]}, {"rules": [{"tools": {"forbid": ["rm"], "max_calls": 3}}]}),
        (
            {"rules": [{"tools": {"forbid": ["rm"]}}]},
            {"rules": [{"tools": {"forbid": ["rm"], "arguments": {"f": {"type": "object"}}}}]},
        ),
        ({"enabled": False}, {"enabled": False, "allow": ["anything"], "rules": [{"words": ["one"]}]}),
        ({"enabled": False, "action": "block"}, {"enabled": True, "action": "alert"}),
    ],
)
def test_what_only_adds_is_not_weaker(known, policy, before, after):
    changes = diff(PolicySet([policy(**before)], known), PolicySet([policy(**after)], known))
    assert changes
    assert [change for change in changes if change.weaker] == []


def test_a_rule_put_in_front_of_others_is_one_change(known, policy):
    rules = [{"detect": "email"}, {"words": ["one"]}, {"detect": "us-ssn", "id": "lines"}]
    more = [{"detect": "jailbreak-persona"}, rules[0], rules[1], {**rules[2], "action": "block"}]
    changes = diff(PolicySet([policy(rules=rules)], known), PolicySet([policy(rules=more)], known))
    assert [(change.key, change.after) for change in changes] == [("rules[0]", "new"), ("rules[3].action", "block")]
