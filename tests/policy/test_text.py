from __future__ import annotations

import pytest

from akto_proxy.errors import PolicyError
from akto_proxy.policy.schema import parse_file
from akto_proxy.policy.terms import MAX_TEXT
from akto_proxy.policy.text import load, path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "f.yaml, line 1: not valid YAML"),
        ("a: 1\na: 2\n", "line 2: not valid YAML: key 'a' twice"),
        ("a: &x [1]\nb: *x\n", "anchors are not supported"),
        ("a: !!python/object:os.system {}\n", "not valid YAML"),
        ("- a\n", "expected a mapping"),
        ("", "got nothing"),
        ("x" * (MAX_TEXT + 1), "larger than"),
        ("[" * 5_000, "not valid YAML"),
    ],
)
def test_traps_are_closed(text, said):
    with pytest.raises(PolicyError, match=said.replace("[", r"\[")):
        load(text, "f.yaml")


def test_paths_read_like_code():
    assert path(("policies", 0, "rules", 2, "detect", "detect"), frozenset({"detect"})) == "policies[0].rules[2].detect"
    assert path((), frozenset()) == "(file)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: My Policy, rules: [{words: [x]}]}", "lower-case letters, digits and dashes, such as `support-desk`"),
        ("{name: a, rules: [{word: [x]}]}", "did you mean `words`?"),
        (
            "{name: a, paths: ['/v1'], rules: [{words: [x]}]}",
            "paths: no such key here, it belongs elsewhere",
        ),
        ("{name: a, mode: off, rules: [{words: [x]}]}", "got true or false: put it in quotes"),
        ("{name: a, rules: [{words: [123]}]}", "words[0]: expected text, got a number: put it in quotes"),
        ('{name: a, rules: [{regex: "\\d"}]}', "put patterns in single quotes"),
    ],
)
def test_common_mistakes_are_told_with_what_to_write(text, said):
    with pytest.raises(PolicyError) as told:
        parse_file(f"version: 1\npolicies: [{text}]", "p.yaml")
    assert said in str(told.value)
    assert "got a mapping" not in str(told.value)
