"""Amounts as samples keep them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.limits.samples import MOST_CALLERS, Group, follow, rounded_up


@given(st.integers(1, 10**15))
def test_rounding_only_goes_up_and_by_less_than_a_hundredth(amount: int) -> None:
    assert amount <= rounded_up(amount) < amount * 1.011 + 1


def test_a_sample_is_the_most_used_in_a_period_up_to_a_call() -> None:
    track = follow("requests")
    assert [pair for n in range(10) for pair in track.add(50.0 + n, 1)] == [], "the stretch is not over"
    assert list(track.add(70.0, 1)) == [(0.0, 10)]
    assert list(track.rest()) == [(60.0, 11)]


def test_calls_at_the_same_time_are_counted_while_they_run() -> None:
    track = follow("concurrent")
    for at in (1.0, 2.0, 3.0):
        assert list(track.add(at, 1_500_000)) == []
    assert list(track.rest()) == [(0.0, 2)]


def test_a_group_has_bounded_memory() -> None:
    group = Group()
    for number in range(MOST_CALLERS + 10):
        group.sample(str(number), 0.0, 1_000_000 + number)
    assert len(group.callers) == MOST_CALLERS
    assert len(group.sizes) < 10
    assert group.at(50) >= 1_010_000
