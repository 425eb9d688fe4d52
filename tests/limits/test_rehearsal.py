"""What a limit would have refused, call by call."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.limits.test_learn import PRICES, calls, learned, use

from akto_proxy.limits.learn import Found, Terms, Use
from akto_proxy.limits.rehearsal import Rehearsal

JUST_ABOVE = 1.0001  # a bucket rounds each charge up by less than a nanosecond


@settings(max_examples=60, deadline=None)
@given(st.lists(calls, min_size=1, max_size=60), st.floats(0, 2))
def test_a_limit_just_above_the_peak_would_have_refused_nothing(uses: list[Use], headroom: float) -> None:
    terms = Terms(percentile=100.0, headroom=headroom, least_days=1, kinds=("user",), prices=PRICES)
    for item in learned(uses, terms).values():
        sure = replace(item, limit=item.peak * JUST_ABOVE, thin="")
        rehearsal = Rehearsal([sure], PRICES)
        for one in sorted(uses, key=lambda item: item.at):
            rehearsal.add(one)
        assert rehearsal.refused(sure) == (0, 0)


def test_what_a_limit_would_have_refused_is_counted_with_its_callers() -> None:
    item = Found("main", "user", "requests", 7, 900, 2, 1.0, 9.0, 3.0)
    rehearsal = Rehearsal([item])
    for n in range(9):
        rehearsal.add(use(100.0 + n * 0.1, "eve"))
    rehearsal.add(use(200.0, "ann"))
    assert rehearsal.refused(item) == (6, 1)
