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
            [Change("p", "rules[0].words", "['xxxxxxxxx']", "99 entries", False)],
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
