import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.learned.levels import HIGH, LOW, MEDIUM, score
from akto_proxy.policy.rules import DetectRule
from akto_proxy.policy.terms import level

POINTS = (0.5, 2.0, 4.0)


@pytest.mark.parametrize(("logit", "expected"), [(0.5, HIGH), (2.0, MEDIUM), (4.0, LOW)])
def test_levels_are_fixed_scores(logit, expected):
    assert score(logit, POINTS) == pytest.approx(expected)


def test_a_policys_levels_and_confidence_begin_where_the_detectors_do():
    assert level(LOW) == "high"
    assert level(LOW - 0.01) == "medium"
    assert DetectRule(detect=["harm"]).confidence == MEDIUM


@settings(max_examples=100)
@given(st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_a_score_rises_with_the_logit_and_stays_in_its_range(a, b):
    low, high = sorted((a, b))
    assert 0 <= score(low, POINTS) <= score(high, POINTS) <= 1
