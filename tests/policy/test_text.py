from __future__ import annotations

import pytest

from akto_proxy.errors import PolicyError
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
        ("", "got NoneType"),
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
