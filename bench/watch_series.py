"""Judges the scorer of single series on generated ones, beside simple baselines, on seeds it was not tuned on.

    .venv/bin/python bench/watch_series.py [seeds] [held|dev]

A series is a base (what is usual) with three anomalies of one kind, none in the first sixth. Bases and kinds are drawn
with parameters of wide ranges; `held` seeds were never looked at while tuning. For each scorer:
AP: area under precision and recall of events over all thresholds, pooled over the series of a row (an event is found
by any alarm inside it, a false alarm is a run of alarms outside, runs closer than 12 points are one); NAB: the
best threshold's score, early alarms counting more (1 at the begin of an event, 0 at its end, -0.22 a false alarm),
as a share of the highest possible; delay: median share of an event before its first alarm at that threshold.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from akto_proxy.watch.series import Scorer

LENGTH, START = 2600, 1_700_000_000
Points = list[tuple[float, float]]
Spans = list[tuple[int, int]]


def _season(rnd: random.Random, period: float) -> Callable[[float], float]:
    """A daily or other shape: some harmonics with random phases."""
    parts = [(k, rnd.uniform(0.2, 1) / k, rnd.uniform(0, 6.28)) for k in range(1, rnd.randint(2, 5))]
    return lambda at: sum(size * math.sin(2 * math.pi * k * at / period + phase) for k, size, phase in parts)


def base(kind: str, rnd: random.Random) -> tuple[list[float], list[float], float]:
    """Times, values and the usual size of a surprise."""
    step = rnd.choice((60, 300, 300, 900, 3600))
    if kind == "odd-season":
        step = 1
    times = [START + n * step for n in range(LENGTH)]
    level, noise = math.exp(rnd.uniform(-1, 7)), rnd.uniform(0.02, 0.1)
    swing = rnd.uniform(0.15, 0.5)
    period = {"odd-season": rnd.uniform(30, 200) * step}.get(kind, 86_400.0)
    if kind in ("daily", "weekly") and 86_400 / step * 5 > LENGTH:
        step = 900
        times = [START + n * step for n in range(LENGTH)]
    shape = _season(rnd, period)
    weekend = rnd.uniform(0.4, 0.8)
    values, wander = [], 0.0
    reset, ramp = rnd.randint(40, 150), 0.0
    for n, at in enumerate(times):
        if kind in ("daily", "odd-season", "missing"):
            value = level * (1 + swing * shape(at) + rnd.gauss(0, noise))
        elif kind == "weekly":
            quiet = weekend if int(at // 86_400 + 3) % 7 >= 5 else 1.0
            value = level * (quiet * (1 + swing * shape(at)) + rnd.gauss(0, noise))
        elif kind == "counts":
            mean = 6 * (1 + 0.6 * math.sin(2 * math.pi * at / 86_400))
            value = float(np.random.default_rng(rnd.getrandbits(32)).poisson(mean))
        elif kind == "wild":
            value = level * math.exp(rnd.gauss(0, 0.5))
        elif kind == "walk":
            wander = 0.98 * wander + rnd.gauss(0, noise)
            value = level * (1 + wander)
        elif kind == "saw":
            ramp = 0.0 if n % reset == 0 else ramp + 1 / reset
            value = level * (0.3 + ramp + rnd.gauss(0, noise / 3))
        elif kind == "steps":
            value = float(round(20 + 3 * math.sin(n / 70) + rnd.gauss(0, 0.4)))
        elif kind == "rare":
            value = 0.0 if rnd.random() > 0.02 else rnd.uniform(1, 3)
        else:
            value = level * (1 + rnd.gauss(0, noise))
        values.append(value)
    spread = float(np.median(np.abs(np.diff(values)))) or float(np.std(values)) or 1.0
    return times, values, spread


def plant(kind: str, values: list[float], spread: float, rnd: random.Random) -> Spans:
    """Change the values of three spans by one kind of anomaly; where they are."""
    spans: Spans = []
    low, high = float(np.quantile(values, 0.02)), float(np.quantile(values, 0.98))
    size = max(6 * spread, 0.35 * (high - low))
    for slot in range(3):
        begin = int(LENGTH / 6) + slot * 700 + rnd.randrange(0, 500)
        sign = rnd.choice((1, 1, -1))
        long = rnd.randint(25, 80)
        if kind == "spike":
            long = rnd.randint(1, 3)
            for n in range(begin, begin + long):
                values[n] += sign * size * rnd.uniform(1, 2.5)
            long += 8
        elif kind == "shift":
            for n in range(begin, len(values)):
                values[n] += sign * size * 0.8
        elif kind == "drift":
            long = rnd.randint(60, 150)
            for n in range(begin, len(values)):
                values[n] += sign * size * min(1.0, (n - begin) / long)
        elif kind == "noise":
            for n in range(begin, begin + long):
                values[n] += rnd.gauss(0, size * 0.7)
        elif kind == "dropout":
            long = rnd.randint(6, 30)
            for n in range(begin, begin + long):
                values[n] = 0.0
        elif kind == "stuck":
            for n in range(begin, begin + long):
                values[n] = values[begin - 1]
        else:  # context: what is usual at another time
            away = rnd.randint(120, 400)
            part = values[begin - away : begin - away + long]
            values[begin : begin + long] = part[::-1]
        spans.append((begin, begin + long))
    return spans


def series(name: str, kind: str, seed: str) -> tuple[Points, Spans]:
    rnd = random.Random(f"{name}/{kind}/{seed}")
    times, values, spread = base(name, rnd)
    spans = plant(kind, values, spread, rnd)
    points = list(zip(times, values, strict=True))
    if name != "missing":
        return points, spans
    kept = [n for n in range(LENGTH) if rnd.random() > 0.25]
    place = {n: i for i, n in enumerate(kept)}
    found = [[place[n] for n in range(a, b) if n in place] for a, b in spans]
    jitter = [(points[n][0] + rnd.uniform(0, 20), points[n][1]) for n in kept]
    return jitter, [(item[0], item[-1] + 1) for item in found if item]


class Rolling:
    """A z-score of the last 100 points."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def score(self, at: float, value: float) -> float:
        past = self.values[-100:]
        self.values.append(value)
        if len(past) < 30:
            return 0.0
        spread = float(np.std(past)) or 1e-9
        return _squash(abs(value - float(np.mean(past))) / spread)


class Ewma:
    """A moving average and moving spread."""

    def __init__(self) -> None:
        self.mean, self.var, self.seen = 0.0, 0.0, 0

    def score(self, at: float, value: float) -> float:
        self.seen += 1
        if self.seen == 1:
            self.mean = value
        missed = value - self.mean
        far = abs(missed) / math.sqrt(self.var) if self.var > 0 and self.seen > 30 else 0.0
        self.mean += 0.05 * missed
        self.var = 0.95 * (self.var + 0.05 * missed * missed)
        return _squash(far)


class Naive:
    """The value a day before, and the spread of what that missed."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []
        self.misses: list[float] = []
        self.old = 0

    def score(self, at: float, value: float) -> float:
        self.seen.append((at, value))
        while self.old < len(self.seen) and self.seen[self.old][0] < at - 86_400:
            self.old += 1
        if not self.old or self.seen[-1][0] - self.seen[0][0] < 86_400:
            return 0.0
        missed = abs(value - self.seen[self.old][1])
        usual = 1.4826 * float(np.median(self.misses[-500:])) if len(self.misses) > 30 else 0.0
        self.misses.append(missed)
        return _squash(missed / usual) if usual > 0 else 0.0


def _squash(far: float) -> float:
    ratio = far / 6
    return ratio**3 / (1 + ratio**3)


def runs(scores: list[float], spans: Spans) -> tuple[list[float], list[float]]:
    """The highest score of each event, and of each run outside events (peaks at least 12 points apart)."""
    inside = np.zeros(len(scores), dtype=bool)
    for begin, end in spans:
        inside[begin : min(end + 30, len(scores))] = True  # the way back to usual is no false alarm
    best = [max(scores[begin:end], default=0.0) for begin, end in spans]
    peaks = []
    for start in range(LENGTH // 12, len(scores), 12):
        part = [scores[n] for n in range(start, min(start + 12, len(scores))) if not inside[n]]
        peaks.append(max(part, default=0.0))
    lone = [b for a, b, c in zip([0.0, *peaks], peaks, [*peaks[1:], 0.0], strict=False) if b > 0 and b >= a and b > c]
    return best, lone


def average_precision(hits: list[float], false: list[float]) -> float:
    marks = sorted([(-score, 1) for score in hits if score > 0] + [(-score, 0) for score in false])
    total, found, wrong, last = 0.0, 0, 0, 0.0
    for _, good in marks:
        found, wrong = found + good, wrong + 1 - good
        recall = found / len(hits)
        total += (recall - last) * found / (found + wrong)
        last = recall
    return total


def nab(judged: list[tuple[list[float], Spans]]) -> tuple[float, float]:
    best, lag = -1.0, 1.0
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98):
        total, events, delays = 0.0, 0, []
        for scores, spans in judged:
            _, false = runs(scores, spans)
            total -= 0.22 * sum(score >= threshold for score in false)
            for begin, end in spans:
                events += 1
                first = next((n for n in range(begin, min(end, len(scores))) if scores[n] >= threshold), None)
                if first is not None:
                    delays.append((first - begin) / max(1, end - begin))
                    total += 1 - delays[-1] ** 3
        if total / events > best:
            best, lag = total / events, float(np.median(delays)) if delays else 1.0
    return best, lag


SCORERS: dict[str, Callable[[], Any]] = {"ours": Scorer, "z-score": Rolling, "ewma": Ewma, "day before": Naive}
BASES = ("flat", "daily", "weekly", "odd-season", "missing", "counts", "wild", "walk", "saw", "steps", "rare")
KINDS = ("spike", "shift", "drift", "noise", "dropout", "stuck", "context")
SENSELESS = {
    ("flat", "context"), ("wild", "context"), ("wild", "noise"), ("walk", "context"), ("walk", "shift"),
    ("walk", "drift"), ("rare", "context"), ("rare", "stuck"), ("rare", "dropout"), ("rare", "drift"),
    ("steps", "stuck"), ("counts", "stuck"), ("counts", "dropout"), ("wild", "drift"), ("saw", "context"),
}  # fmt: skip
"""Where what is planted cannot be told from what is usual."""


def judge(seeds: int, part: str, names: list[str]) -> None:
    rows: dict[str, dict[str, list[tuple[list[float], Spans]]]] = {name: {} for name in names}
    points, spent = 0, 0.0
    for one in BASES:
        for kind in KINDS:
            if (one, kind) in SENSELESS:
                continue
            for seed in range(seeds):
                data, spans = series(one, kind, f"{part}{seed}")
                for name in names:
                    scorer = SCORERS[name]()
                    began = time.process_time()
                    scores = [scorer.score(at, value) for at, value in data]
                    if name == "ours":
                        spent += time.process_time() - began
                        points += len(data)
                    for row in (one, f"+ {kind}", "all"):
                        rows[name].setdefault(row, []).append((scores, spans))
    print(f"{'':12}" + "".join(f"{name:>12} AP   NAB  lag" for name in names))
    for row in [*BASES, *(f"+ {kind}" for kind in KINDS), "all"]:
        print(f"{row:12}" + "".join(_cell(rows[name][row]) for name in names))
    print(f"{points:,} points, {spent / points * 1e6:.0f} us of CPU each")


def _cell(judged: list[tuple[list[float], Spans]]) -> str:
    hits: list[float] = []
    false: list[float] = []
    for scores, spans in judged:
        best, lone = runs(scores, spans)
        hits += best
        false += lone
    score, lag = nab(judged)
    return f"{average_precision(hits, false):15.2f} {score:5.2f} {lag:4.2f}"


if __name__ == "__main__":
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    names = sys.argv[3].split(",") if len(sys.argv) > 3 else [*SCORERS]
    judge(many, sys.argv[2] if len(sys.argv) > 2 else "held", names)
