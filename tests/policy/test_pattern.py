from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.policy.pattern import PatternError, check_custom, compiled, glob_pattern, quote


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(?=a)b", "lookahead"),
        ("(?<!a)b", "lookbehind"),
        (r"(a)\1", "backreference"),
        ("a++", "possessive"),
        ("(?>a)", "atomic"),
        ("(a", "pattern"),
        ("a*", "empty text"),
    ],
)
def test_what_is_not_allowed_is_named(pattern, said):
    with pytest.raises(PatternError, match=said):
        check_custom(pattern)


def test_examples_must_prove_the_pattern():
    check_custom(r"EMP-\d{6}", ["EMP-123456"], ["EMP-12"])
    with pytest.raises(PatternError, match="`match` example 1 is not found"):
        check_custom("a", ["b"])
    with pytest.raises(PatternError, match="`no_match` example 1 is found"):
        check_custom("a", [], ["a"])


def test_a_pattern_that_would_exhaust_a_backtracker_answers_at_once():
    check_custom(r"(a+)+\z", ["a"], ["b"])
    assert compiled(r"(a+)+\z").search("a" * 50_000 + "b") is None


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=20))
def test_quoted_text_matches_itself(text):
    assert compiled("(?s)" + quote(text)).search(text) is not None


@pytest.mark.parametrize(
    ("glob", "text", "path", "holds"),
    [
        ("/a/*", "/a/b", True, True),
        ("/a/*", "/a/b/c", True, False),
        ("/a/**", "/a/b/c", True, True),
        ("a?c", "abc", False, True),
    ],
)
def test_globs(glob, text, path, holds):
    assert (compiled(glob_pattern(glob, path=path)).search(text) is not None) is holds
