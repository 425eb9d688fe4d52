from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from akto_proxy.config import assets
from akto_proxy.errors import PolicyError
from akto_proxy.model import Action, Role
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.rules import KINDS, External, RuleBase, kind_of
from akto_proxy.policy.schema import Callers, Case, Policy, ScopeRule, json_schema, parse_file, parse_policies

HEAD = "version: 1\npolicies:\n  - name: p\n    rules:\n"


def refused(text: str) -> str:
    with pytest.raises(PolicyError) as error:
        parse_policies(text, "file.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "      - detect: pii\n        acton: block\n",
            "policies[0].rules[0].acton: no such key: did you mean `action`?",
        ),
        (
            "      - detect: pii\n        action: sw0rdfish\n",
            "policies[0].rules[0].action: expected one of allow, alert",
        ),
        ("      - words: sw0rdfish\n", "policies[0].rules[0].words: expected a list, got text"),
        ("      - note: sw0rdfish\n", "policies[0].rules[0]: a rule needs one of the keys detect, words, regex"),
        ("      - detect: pii\n        confidence: 5\n", "confidence: expected less than or equal to 1, got a number"),
        ("      - regex: a+\n        match: [a]\n", "policies[0].rules[0].no_match: missing"),
        ("      - regex: '(?=a)b'\n        match: [b]\n        no_match: [c]\n", "lookahead"),
        ("      - regex: 'ab'\n        match: [sw0rdfish]\n        no_match: [c]\n", "`match` example 1 is not found"),
        ("      - regex: 'ab'\n        match: [ab]\n        no_match: [xab]\n", "`no_match` example 1 is found"),
        ("      - limit: {tokens: 4}\n        action: redact\n", "nothing can be redacted here"),
        ("      - detect: pii\n        action: alert\n        levels: {}\n", "give `action` or `levels`, not both"),
        ("      - tools: {arguments: {f: {oneOf: []}}}\n        action: block\n", "`oneOf` is not checked"),
    ],
)
def test_a_mistake_is_told_with_file_key_and_fix_and_without_the_value(body, said):
    told = refused(HEAD + body)
    assert told.startswith("file.yaml: ")
    assert said in told
    assert "sw0rdfish" not in told


def test_policies_check_themselves():
    assert "may only alert" in refused(
        HEAD.replace("rules:", "sample: 0.5\n    action: block\n    rules:") + "      - detect: pii\n"
    )
    topics = "".join(f"      - {{topic: t{n}, phrases: [x], action: alert}}\n" for n in range(31))
    assert "more than 30 topics" in refused(HEAD + topics)
    assert "the same `name`" in refused(HEAD + "      - detect: pii\n  - name: p\n    rules: [{detect: pii}]\n")
    assert "same `id`" in refused(HEAD + "      - {detect: pii, id: a}\n      - {detect: pii, id: a}\n")
    assert "version: expected 1" in refused("version: 2\npolicies: []\n")


def test_ten_thousand_words_are_taken_and_one_more_is_not():
    words = [f"word{n}" for n in range(10_001)]
    assert parse_policies(HEAD + f"      - words: {json.dumps(words[:-1])}\n", "f")[0].rules[0].words[-1] == "word9999"
    assert "10000" in refused(HEAD + f"      - words: {json.dumps(words)}\n")


def test_an_allowed_phrase_may_be_a_plain_text_but_not_everything():
    text = HEAD.replace("    rules:\n", "    allow: [jo@x.org, {regex: 'x+'}]\n    rules:\n") + "      - detect: pii\n"
    assert [phrase.pattern for phrase in parse_policies(text, "f")[0].allow][1] == "(?i:x+)"
    assert "allow everything" in refused(text.replace("x+", "x*"))


def test_actions_come_from_rule_then_policy():
    text = HEAD.replace("    rules:\n", "    action: block\n    rules:\n")
    made = parse_policies(text + "      - detect: pii\n      - {detect: pii, action: alert}\n", "f")[0]
    assert [set(made.actions(rule).values()) for rule in made.rules] == [{Action.BLOCK}, {Action.ALERT}]


def test_a_case_speaks_for_its_side():
    assert Case(name="c", input="x", expect="allow").speaker is Role.USER
    assert Case(name="c", input="x", expect="allow", direction="response").speaker is Role.ASSISTANT


def test_the_published_schema_is_in_step_and_takes_what_we_take():
    published = json.loads((Path(__file__).parents[2] / "docs/schema/policy.schema.json").read_text())
    assert published == json_schema()
    text = assets.read_text("policy/packs/default.yaml")
    file = parse_file(text, "default.yaml")
    jsonschema.validate(file.model_dump(mode="json", exclude_defaults=True, exclude_none=True), published)


@pytest.mark.parametrize("model", [Policy, ScopeRule, Callers, Case, RuleBase, External, *KINDS.values()])
def test_every_key_is_documented(model):
    page = (Path(__file__).parents[2] / "docs/policies.md").read_text()
    assert [key for key in model.model_fields if f"`{key}`" not in page and f"{key}:" not in page] == []


def test_the_examples_of_the_page_work(known):
    page = (Path(__file__).parents[2] / "docs/policies.md").read_text()
    blocks = [part.partition("```")[0] for part in page.split("```yaml\n")[1:]]
    files = [parse_file(block, "page") for block in blocks if "version: 1" in block]
    for file in files:
        PolicySet(file.policies, known)
    assert files[0].cases
    assert {kind_of(rule) for file in files for policy in file.policies for rule in policy.rules} == set(KINDS)
