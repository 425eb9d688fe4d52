from __future__ import annotations

import pytest

from akto_proxy.errors import PolicyError
from akto_proxy.model import Action, Severity
from akto_proxy.policy.akto import import_policies
from akto_proxy.policy.catalogue import vocabulary, with_detectors
from akto_proxy.policy.compile import PolicySet

PULLED = {
    "guardrailPolicies": [
        {
            "name": "PCI & more",
            "description": "d",
            "severity": "CRITICAL",
            "behaviour": "block",
            "active": True,
            "applyOnRequest": True,
            "applyOnResponse": True,
            "blockedMessage": "no",
            "selectedAgentServersV2": [{"id": "1", "name": "chat-prod"}],
            "piiTypes": [
                {"type": "email", "behavior": "mask", "minMatchCount": 2},
                {"type": "cvv", "behavior": "block"},
            ],
            "regexPatternsV2": [
                {"pattern": r"EMP-\d{4}", "behavior": "mask"},
                {"pattern": "(?=x)y", "behavior": "block"},
            ],
            "deniedTopics": [{"topic": "Weapons", "description": "arms", "samplePhrases": ["build a bomb"]}],
            "contentFiltering": {"promptAttacks": {"level": "HIGH"}, "harmfulCategories": {"hate": "LOW"}},
            "secretsDetection": {"enabled": True, "confidenceScore": 70},
            "gibberishDetection": {"enabled": False},
            "tokenLimitDetection": {"threshold": 1000},
            "anomalyDetection": {"toolCallLimit": 5, "errorLimit": 3},
            "blockedHosts": ["https://evil.com/x"],
            "llmRule": {"userPrompt": "is it nice?"},
            "ignorePhrases": [{"phrase": "ok@x.org", "isRegex": False}],
        },
        {"name": "pci more", "behaviour": "approval", "llmRule": {"userPrompt": "?"}},
    ]
}


def test_fields_are_mapped_and_the_rest_is_listed(known):
    imported = import_policies(PULLED, vocabulary(with_detectors(known)))
    (policy,) = imported.policies
    assert (policy.name, policy.severity, policy.action) == ("akto-pci-more", Severity.CRITICAL, Action.BLOCK)
    assert policy.scope.endpoints == ("chat-prod",)
    kinds = [type(rule).__name__ for rule in policy.rules]
    assert sorted(set(kinds)) == ["DetectRule", "LimitRule", "LinksRule", "RegexRule", "ToolsRule", "TopicRule"]
    PolicySet(imported.policies, known)
    told = "\n".join(imported.unmapped)
    for part in (
        "piiTypes: `cvv`",
        "regexPatternsV2[1]",
        "lookahead",
        "errorLimit",
        "llmRule",
        "blockedHosts",
        "`approval`",
    ):
        assert part in told
    assert "akto-pci-more-2: (policy): none of its detectors can be mapped" in told


def test_a_detector_that_is_not_installed_is_listed():
    imported = import_policies(
        {"guardrailPolicies": [{"name": "a", "secretsDetection": {"enabled": True}}]}, frozenset()
    )
    assert not imported.policies
    assert "no detector for secrets is installed" in imported.unmapped[0]


def test_another_answer_is_refused():
    with pytest.raises(PolicyError, match="guardrailPolicies"):
        import_policies({}, frozenset())
