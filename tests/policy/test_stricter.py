"""Policies under a measure: never weaker, and the originals untouched."""

from __future__ import annotations

import pytest

from akto_proxy.cli import build
from akto_proxy.model import Action, Mode
from akto_proxy.policy.schema import Policy, parse_policies
from akto_proxy.policy.stricter import stricter

TEXT = """
version: 1
policies:
  - {name: soft, mode: monitor, action: alert, rules: [{detect: pii}, {detect: secrets, action: redact}]}
  - {name: other, action: alert, sample: 0.5, rules: [{detect: pii}]}
"""


def _actions(policy: Policy) -> list[set[Action]]:
    return [set(policy.actions(rule).values()) for rule in policy.rules]


def test_enforce_changes_the_mode_of_the_named_policy_only() -> None:
    written = parse_policies(TEXT, "x.yaml")
    soft, other = stricter(written, [("soft", "enforce")])
    assert (soft.mode, other) == (Mode.ENFORCE, written[1])
    assert written[0].mode is Mode.MONITOR


def test_raise_moves_each_action_one_step() -> None:
    soft, other = stricter(parse_policies(TEXT, "x.yaml"), [("*", "raise")])
    assert _actions(soft) == [{Action.REDACT}, {Action.BLOCK}]
    assert other.sample == 1.0
    assert min(min(found) for found in _actions(other)) > Action.ALERT


@pytest.mark.parametrize("name", build.pack_names())
@pytest.mark.parametrize("deed", ["enforce", "raise"])
def test_no_pack_becomes_weaker_or_impossible(name: str, deed: str) -> None:
    written = build.pack(name)
    made = stricter(written, [("*", deed)])
    for before, after in zip(written, made, strict=True):
        assert Policy.model_validate(after.model_dump()) == after
        assert all(
            max(new) >= max(old) and min(new) >= min(old)
            for old, new in zip(_actions(before), _actions(after), strict=True)
        )
