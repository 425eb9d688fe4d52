from __future__ import annotations

import re
from pathlib import Path

import pytest

from akto_proxy.cli import build
from akto_proxy.config import assets
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.scanner import Scanner
from akto_proxy.policy.cases import run_cases
from akto_proxy.policy.catalogue import DETECTED, ENGINE, detector_of
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.schema import parse_file

ROOT = Path(__file__).parents[2]
PACKS = assets.names("policy/packs", ".yaml")
PROMISED = (
    "secrets pii-eu pii-us hipaa pci-dss soc2 owasp-llm-top10-2025 owasp-agentic nist-ai-rmf eu-ai-act mitre-atlas "
    "iso-27001 jailbreak-strict data-exfiltration child-safety code-secrets-only default"
)


@pytest.fixture(scope="module")
def rules():
    return build.shipped_rules()


@pytest.fixture(scope="module")
def shared_engine(rules):
    """One engine for all packs: each one's own rules beside the shipped."""
    files = {path: parse_file(assets.read_text(path), path) for path in PACKS}
    policies = [policy for file in files.values() for policy in file.policies]
    custom = PolicySet(policies, {rule.id: rule for rule in rules}).custom_rules
    return Engine([*rules, *custom])


def test_all_promised_packs_ship():
    assert {path.rpartition("/")[2].removesuffix(".yaml") for path in PACKS} == set(PROMISED.split())


@pytest.mark.parametrize("path", PACKS)
def test_every_rule_serves_a_control_and_every_policy_has_a_case(path):
    file = parse_file(assets.read_text(path), path)
    assert f"{file.name}.yaml" == path.rpartition("/")[2]
    for policy in file.policies:
        assert policy.name.startswith(file.name.partition("-")[0])
        assert all(rule.controls or policy.controls for rule in policy.rules), policy.name
    assert {case.expect.label for case in file.cases} >= {"allow"}
    assert len(file.cases) >= 2


@pytest.mark.parametrize("path", PACKS)
def test_the_cases_of_a_pack_pass(path, rules, shared_engine):
    file = parse_file(assets.read_text(path), path)
    policies = PolicySet(file.policies, {rule.id: rule for rule in rules})
    detectors = build.detectors(policies.detectors)
    scanner = Scanner(shared_engine, detectors)
    results = run_cases(file, policies, scanner.scan)
    ids = {one for item in policies.clauses() for one in policies.rule_ids(item)}
    named = {detector_of(policies.known[one]) for one in ids if one in policies.known}
    missing = named - {detector.name for detector in detectors} - {ENGINE}
    bad = [result for result in results if result.problems and not needs(policies, result.case.policy) & missing]
    assert [(result.case.name, result.problems) for result in bad] == []


def needs(policies: PolicySet, name: str | None) -> frozenset[str]:
    """The detectors that a policy's rules ask."""
    ids = {one for item in policies.clauses() if item.policy.name == name for one in policies.rule_ids(item)}
    return frozenset(detector_of(policies.known[one]) for one in ids if one in policies.known)


def test_every_control_that_ships_is_listed_in_the_docs_and_no_other():
    listed = set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/controls.md").read_text("utf-8"), re.MULTILINE))
    policies = [policy for name in build.pack_names() for policy in build.pack(name)]
    used = {control for policy in policies for rule in policy.rules for control in (*policy.controls, *rule.controls)}
    used |= {control for rule in build.shipped_rules() for control in rule.controls}
    used |= {control for rule in DETECTED for control in rule.controls}
    assert used == listed
