from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from akto_proxy.model import Finding
from akto_proxy.policy.catalogue import RuleInfo
from akto_proxy.policy.compile import Plan, PolicySet, Scope
from akto_proxy.policy.schema import Policy, parse_policies

KNOWN = {
    item.id: item
    for item in (
        RuleInfo("aws-access-key", "AWS_ACCESS_KEY", "secrets", family="secrets-cloud", controls=("CWE-798",)),
        RuleInfo("email", "EMAIL_ADDRESS", "pii", family="pii-generic"),
        RuleInfo("us-ssn", "US_SSN", "pii", family="pii-us"),
        RuleInfo("injection-override", "PROMPT_INJECTION", "injection", family="injection"),
        RuleInfo("jailbreak-persona", "JAILBREAK", "jailbreak", family="injection"),
    )
}


@pytest.fixture
def known() -> dict[str, RuleInfo]:
    return dict(KNOWN)


@pytest.fixture
def policy() -> Callable[..., Policy]:
    """A policy from keywords; one rule that redacts e-mail addresses if none are given."""

    def make(**fields: Any) -> Policy:
        rules = fields.pop("rules", [{"detect": "EMAIL_ADDRESS", "action": "redact"}])
        return Policy.model_validate({"name": "p", "rules": rules, **fields})

    return make


@pytest.fixture
def plan(known: dict[str, RuleInfo]) -> Callable[..., Plan]:
    def make(*policies: Policy, scope: Scope | None = None, ticket: float = 0.0) -> Plan:
        return PolicySet(policies, known).plan(scope or Scope(), ticket)

    return make


@pytest.fixture
def email() -> Callable[..., Finding]:
    def make(start: int = 0, end: int = 8, score: float = 0.9) -> Finding:
        return Finding(start, end, "email", "EMAIL_ADDRESS", "pii", score)

    return make


@pytest.fixture
def parse() -> Callable[[str], list[Policy]]:
    return lambda text: parse_policies(text, "file.yaml")
