from __future__ import annotations

import pytest

from akto_proxy.guard.syntax import parse
from akto_proxy.policy.pattern import compiled
from akto_proxy.policy.sample import shortest


@pytest.mark.parametrize(
    "pattern", [r"\bEMP-\d{6}\b", "(?:abc|d)e+[^a-z]", "(?i)x{3,9}", "[[:upper:]]{2}", "日本", r"\p{L}+"]
)
def test_a_sample_is_found_by_its_pattern(pattern):
    assert compiled(pattern).search(shortest(parse(pattern))) is not None


def test_a_sample_is_bounded():
    assert len(shortest(parse("(?:a{900}){900}"))) <= 2_000
