"""One series, scored point by point."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.watch.series import Judge, RollingMedian, Scorer

START = 1_700_000_000


def _scores(values: Iterable[float], step: float = 900) -> list[float]:
    scorer = Scorer()
    return [scorer.score(START + number * step, value) for number, value in enumerate(values)]


def _daily(number: int, rnd: random.Random) -> float:
    return 100 + 30 * math.sin(2 * math.pi * number / 96) + rnd.gauss(0, 2)


def _spike(values: list[float]) -> None:
    values[1000] += 40


def _shift(values: list[float]) -> None:
    values[1000:] = [value + 40 for value in values[1000:]]


def _stuck(values: list[float]) -> None:
    values[1000:1040] = [values[1000]] * 40


def _silent(values: list[float]) -> None:
    values[1000:1020] = [0.0] * 20


def _noisy(values: list[float]) -> None:
    rnd = random.Random(9)
    values[1000:1040] = [value + rnd.gauss(0, 25) for value in values[1000:1040]]


def _at_the_wrong_time(values: list[float]) -> None:
    values[1000:1040] = [value - 2 * (value - 100) for value in values[1000:1040]]


@pytest.mark.parametrize("plant", [_spike, _shift, _stuck, _silent, _noisy, _at_the_wrong_time])
def test_what_is_strange_in_a_daily_rhythm_is_found_and_little_else(plant: Callable[[list[float]], None]) -> None:
    rnd = random.Random(3)
    values = [_daily(number, rnd) for number in range(1400)]
    plant(values)
    scores = _scores(values)
    assert max(scores[1000:1041]) > 0.5
    assert sum(score > 0.5 for score in scores[:1000]) <= 2
    assert sum(score > 0.5 for score in scores[1120:]) <= 2


def test_a_new_level_is_believed_after_a_while() -> None:
    rnd = random.Random(5)
    scores = _scores([rnd.gauss(10, 1) for _ in range(600)] + [rnd.gauss(40, 1) for _ in range(600)])
    assert max(scores[600:605]) > 0.5
    assert max(scores[680:]) < 0.5


def test_what_comes_again_and_again_is_usual() -> None:
    rnd = random.Random(4)
    values = [rnd.uniform(1, 3) if rnd.random() < 0.02 else 0.0 for _ in range(3000)]
    values[2800] = 60.0
    scores = _scores(values)
    late = [score for number, score in enumerate(scores[1500:], 1500) if number != 2800]
    assert scores[2800] > 0.9
    assert sum(score > 0.5 for score in late) <= 5


@pytest.mark.parametrize("value", [0.0, 5.0, -1e9])
def test_a_constant_series_is_never_strange(value: float) -> None:
    assert max(_scores([value] * 800)) < 0.05


def test_a_change_of_a_constant_series_is() -> None:
    assert _scores([5.0] * 800 + [6.0])[-1] > 0.5


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=150))
def test_scores_are_scores_whatever_comes(values: list[float]) -> None:
    assert all(0.0 <= score <= 1.0 for score in _scores(values))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 1000), st.floats(-1000, 1000))
def test_unit_and_offset_change_little(seed: int, unit: float, offset: float) -> None:
    rnd = random.Random(seed)
    values = [rnd.gauss(0, 1) for _ in range(200)] + [12.0]
    moved = [value * unit + offset for value in values]
    assert abs(_scores(values)[-1] - _scores(moved)[-1]) < 0.1


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 20))
def test_the_rolling_median_is_that_of_the_last(values: list[float], size: int) -> None:
    rolling = RollingMedian(size)
    for value in values:
        rolling.add(value)
    last = sorted(values[-size:])
    assert rolling.quantile(0.5) == last[min(int(0.5 * len(last)), len(last) - 1)]


def test_a_judge_measures_against_its_own_history() -> None:
    calm, wild = Judge(), Judge()
    rnd = random.Random(1)
    for _ in range(500):
        calm.far(rnd.gauss(0, 1), 0.01)
        wild.far(rnd.gauss(0, 50), 0.01)
    assert calm.far(60, 0.01) > 5 > wild.far(60, 0.01)
