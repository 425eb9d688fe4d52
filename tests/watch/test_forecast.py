"""Forecasters: each learns its own kind of series, and the mixture follows who is right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from akto_proxy.watch.forecast import Forecaster, Lags, Level, Mixture, Season, find_period

FREE = 1e300


def _missed(member: Forecaster, values: list[float]) -> float:
    """The mean miss over the last quarter."""
    misses = []
    for number, value in enumerate(values):
        said = member.predict(float(number))
        misses.append(abs(value - said) if said is not None else 0.0)
        member.learn(float(number), value, FREE)
    return float(np.mean(misses[-len(values) // 4 :]))


def test_each_learns_its_own_kind() -> None:
    season = [10 * math.sin(2 * math.pi * n / 24) + (5 if n % 24 == 3 else 0) for n in range(480)]
    line = [0.5 * n for n in range(480)]
    assert _missed(Level(0.1), [7.0] * 100) == 0.0
    assert _missed(Season(24.0, 24), season) < 0.3
    assert _missed(Lags(), line) < 0.1 < _missed(Level(0.1), line)


def test_a_move_is_followed_at_once() -> None:
    for member in (Level(0.05), Season(24.0, 24)):
        _missed(member, [7.0] * 200)
        member.move(30.0)
        assert member.predict(200.0) == pytest.approx(37.0)


def test_a_clipped_surprise_teaches_little() -> None:
    level = Level(0.5)
    for number in range(50):
        level.learn(float(number), 1.0, 1.0)
    level.learn(50.0, 1e6, 1.0)
    assert level.predict(51.0) == pytest.approx(1.5)


def test_the_mixture_follows_who_is_right() -> None:
    mixture = Mixture()
    mixture.add("level", Level(0.1))
    mixture.add("season", Season(24.0, 24))
    said = None
    for number in range(400):
        said, each = mixture.predict(float(number))
        mixture.learn(float(number), 10 * math.sin(2 * math.pi * number / 24), each, 1.0, FREE)
    assert said == pytest.approx(10 * math.sin(2 * math.pi * 399 / 24), abs=0.5)


@pytest.mark.parametrize("period", [17, 24, 60])
def test_periods_are_found(period: int) -> None:
    rng = np.random.default_rng(1)
    numbers = np.arange(600)
    values = np.sin(2 * np.pi * numbers / period) + rng.normal(0, 0.2, 600)
    assert abs(find_period(values) - period) <= 1
    assert find_period(rng.normal(0, 1, 600)) == 0
