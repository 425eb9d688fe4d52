from __future__ import annotations

from typing import get_args

import pytest
from pydantic import BaseModel

from akto_proxy.policy.rules import KINDS
from akto_proxy.policy.schema import Policy
from akto_proxy.policy.weaker import POLICY, RULE, weaker


def keys(model: type[BaseModel], before: str = "") -> set[str]:
    """Each key of a model, those of the models inside it with dots."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        inner = [one for one in (field.annotation, *get_args(field.annotation)) if isinstance(one, type)]
        models = [one for one in inner if issubclass(one, BaseModel)]
        found |= keys(models[0], f"{before}{name}.") if models else {f"{before}{name}"}
    return found


def judged(key: str, judges: dict[str, object]) -> bool:
    return any(key == known or key.startswith(f"{known}.") for known in judges)


def test_every_key_of_a_policy_has_a_judge() -> None:
    assert {key for key in keys(Policy) if key != "rules" and not judged(key, POLICY)} == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_rule_has_a_judge(kind: str) -> None:
    assert {key for key in keys(KINDS[kind]) if not judged(key, RULE)} == set()


def test_no_judge_is_of_a_key_that_is_gone() -> None:
    known = set().union(*map(keys, KINDS.values()))
    assert {key for key in RULE if not any(one == key or one.startswith(f"{key}.") for one in known)} == set()


def test_a_key_without_a_judge_is_taken_for_weaker() -> None:
    assert weaker({}, ("something",), {"something": 1}, {"something": 2})
