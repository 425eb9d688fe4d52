"""Small forecasters of one series, each wrong in its own way, and a mixture that trusts those that were right lately.

All are online: a forecast uses only what came before. Updates are clipped, so a spike teaches little; a lasting change
is learned because the clip lets a bounded step pass each time.
"""

from __future__ import annotations

from math import exp
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


class Forecaster(Protocol):
    """Says what comes next, then learns what came."""

    def predict(self, at: float) -> float | None:
        """The value expected at this time; None while nothing is known."""
        ...

    def learn(self, at: float, value: float, bound: float) -> None:
        """What came; `bound` is how far from the forecast it is believed."""
        ...

    def move(self, step: float) -> None:
        """The level is another one from now on, by so much."""
        ...


class Level:
    """A moving average."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._level = 0.0
        self._seen = 0

    def predict(self, at: float) -> float | None:
        """The average."""
        return self._level if self._seen else None

    def learn(self, at: float, value: float, bound: float) -> None:
        """Move a share of the way."""
        self._seen += 1
        step = value - self._level
        if self._seen > 10:
            step = min(max(step, -bound), bound)
        self._level += step * max(self._share, 1 / self._seen)

    def move(self, step: float) -> None:
        """A new level."""
        self._level += step


class Season:
    """A profile over a period in slots, on a level that moves: time of day, of the week, or any length found."""

    def __init__(self, period: float, slots: int, share: float = 0.3, drift: float = 0.05) -> None:
        self.period = period
        self._slots = slots
        self._share = share
        self._drift = drift
        self._profile: Vector = np.zeros(slots)
        self._seen: npt.NDArray[np.int64] = np.zeros(slots, dtype=np.int64)
        self._born: Vector = np.zeros(slots)
        self._level = 0.0
        self._total = 0

    def slot(self, at: float) -> int:
        """Which slot a time falls in."""
        return int(at % self.period / self.period * self._slots) % self._slots

    def predict(self, at: float) -> float | None:
        """What the profile says, once this slot was seen in an earlier period."""
        slot = self.slot(at)
        known = self._seen[slot] and self._born[slot] < at // self.period
        return float(self._profile[slot] + self._level) if known else None

    def learn(self, at: float, value: float, bound: float) -> None:
        """Move slot and level."""
        slot = self.slot(at)
        self._total += 1
        seen = self._seen[slot]
        self._seen[slot] += 1
        if not seen:
            self._born[slot] = at // self.period
            self._profile[slot] = value - self._level
            return
        step = min(max(value - self._level - float(self._profile[slot]), -bound), bound)
        self._profile[slot] += step * (1 - self._drift) * max(self._share, 1 / (seen + 1))
        self._level += step * self._drift

    def move(self, step: float) -> None:
        """A new level under the same profile."""
        self._level += step


class Lags:
    """A linear forecast from the last few values (recursive least squares that slowly forgets)."""

    def __init__(self, lags: int = 6, forget: float = 0.998) -> None:
        self._lags = lags
        self._forget = forget
        self._past: Vector = np.zeros(lags + 1)
        self._past[-1] = 1.0
        self._weights: Vector = np.zeros(lags + 1)
        self._weights[0] = 1.0
        self._cover: Vector = np.eye(lags + 1) * 10.0
        self._seen = 0
        self._shift = 0.0
        self._scale = 1.0
        self._off = 0

    def predict(self, at: float) -> float | None:
        """The linear forecast."""
        if self._seen < self._lags + 5:
            return None
        return float(self._weights @ self._past) * self._scale + self._shift

    def learn(self, at: float, value: float, bound: float) -> None:
        """Update weights by what was missed, clipped."""
        self._seen += 1
        if self._seen == 1:
            self._shift = value
        if self._seen <= 50:
            self._rescale(max(abs(value - self._shift), 1e-12))
        scaled = (value - self._shift) / self._scale
        if self._seen > self._lags:
            limit = bound / self._scale
            said = float(self._weights @ self._past)
            missed = min(max(scaled - said, -limit), limit)
            self._off = self._off + 1 if abs(scaled - said) > limit else 0
            if self._off == 1 and np.isfinite(said):
                scaled = said + missed  # a spike is not what the next value follows from
            spread = self._cover @ self._past
            gain = spread / (self._forget + float(self._past @ spread))
            self._weights += gain * missed
            self._cover = (self._cover - np.outer(gain, spread)) / self._forget
            self._steady()
        self._past[1:-1] = self._past[:-2]
        self._past[0] = scaled

    def move(self, step: float) -> None:
        """Nothing: the last values say it already."""

    def _rescale(self, size: float) -> None:
        """Keep values near 1, so that one starting certainty fits all units."""
        if size > self._scale or self._seen == 2:
            self._past[:-1] *= self._scale / size
            self._scale = size

    def _steady(self) -> None:
        """Without news the certainty would shrink without end, and one surprise would throw the weights far."""
        if not np.isfinite(self._weights).all() or np.trace(self._cover) > 1e6:
            self._cover = np.eye(self._lags + 1) * 10.0
            if not np.isfinite(self._weights).all() or np.abs(self._weights).max() > 50:
                self._weights = np.zeros(self._lags + 1)
                self._weights[0] = 1.0


class Mixture:
    """The forecasters' weighted mean. A forecaster's weight falls with its recent error."""

    _MEMORY = 0.02

    def __init__(self) -> None:
        self._members: dict[str, Forecaster] = {}
        self._loss: dict[str, float] = {}
        self._ages: dict[str, int] = {}
        self._bias: dict[str, float] = {}
        self._heard: dict[str, float] = {}

    def add(self, name: str, member: Forecaster) -> None:
        """One more; it begins without trust."""
        self._members[name] = member
        self._loss[name] = 3.0
        self._ages[name] = 0
        self._bias[name] = 0.0
        self._heard[name] = 0.0

    def remove(self, name: str) -> None:
        """One less."""
        for table in (self._members, self._loss, self._ages, self._bias, self._heard):
            table.pop(name, None)

    def predict(self, at: float) -> tuple[float | None, dict[str, float]]:
        """The mixed forecast, and each member's own."""
        said = {name: value for name, member in self._members.items() if (value := member.predict(at)) is not None}
        if not said:
            return None, said
        best = min(self._loss[name] for name in said)
        weights = {name: exp(-6 * (self._loss[name] / (best + 1e-9) - 1)) for name in said}
        total = sum(weights.values())
        return sum(said[name] * weight for name, weight in weights.items()) / total, said

    def settle(self, step: float) -> None:
        """The level is another one from now on: each member moves by what it missed lately, one that was silent by
        `step`.
        """
        for name, member in self._members.items():
            member.move(self._bias[name] if self._heard[name] > 0.8 else step)
            self._bias[name] = 0.0

    def learn(self, at: float, value: float, said: dict[str, float], scale: float, bound: float) -> None:
        """What came: judge every member, then let it learn."""
        for name, member in self._members.items():
            self._heard[name] += ((name in said) - self._heard[name]) * 0.1
            if name in said:
                if self._heard[name] < 0.3:
                    self._loss[name] = max(self._loss[name], 3.0)  # who was silent begins without trust
                missed = min(abs(value - said[name]) / scale, 6.0)
                self._ages[name] += 1
                share = max(self._MEMORY, 1 / (self._ages[name] + 1))
                self._loss[name] += (missed - self._loss[name]) * share
                self._bias[name] += (value - said[name] - self._bias[name]) * 0.1
            member.learn(at, value, bound)


def find_period(values: Vector, least: int = 6) -> int:
    """The length after which the series repeats itself best, in points; 0 when it does not."""
    size = len(values)
    trend = np.linspace(values[0], values[-1], size)
    low, high = np.quantile(values, (0.01, 0.99))
    flat = np.clip(values, low, high) - trend
    flat = flat - flat.mean()
    power = np.abs(np.fft.rfft(flat, 2 * size)) ** 2
    auto = np.fft.irfft(power)[: size // 2]
    if auto[0] <= 0:
        return 0
    auto = auto / auto[0] * (size / (size - np.arange(len(auto))))
    peaks = [
        lag
        for lag in range(least, len(auto) - 1)
        if auto[lag] > 0.3 and auto[lag] >= auto[lag - 1] and auto[lag] >= auto[lag + 1]
    ]
    if not peaks or not (auto[: peaks[0]] < 0.5 * auto[peaks[0]]).any():
        return 0
    best = max(auto[lag] for lag in peaks)
    return next(lag for lag in peaks if auto[lag] >= 0.9 * best)
