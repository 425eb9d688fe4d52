"""Judges the scorer of single series on generated ones, whose anomalies are known.

    .venv/bin/python bench/watch_series.py

For each kind: the share of anomalies that get a score above the threshold within 12 points, and false alarms (runs of
scores above it, elsewhere) a thousand points; for the scorer and for a rolling z-score of 100 points.
"""

from __future__ import annotations

import math
import random
import sys
import time

from akto_proxy.watch.series import Scorer

LENGTH, STEP, START = 4000, 300, 1_700_000_000
WINDOW = 12


def series(kind: str, seed: int) -> tuple[list[tuple[float, float]], list[int]]:
    rnd = random.Random(f"{kind}{seed}")
    base, noise, daily = rnd.uniform(20, 2000), rnd.uniform(0.01, 0.06), rnd.uniform(0.2, 0.6)
    wild = kind == "wild"
    spots = sorted(rnd.sample(range(1200, LENGTH - 200, 400), 4))
    points, level, slope = [], 0.0, 0.0
    for number in range(LENGTH):
        at = START + number * STEP
        day = math.sin(2 * math.pi * (at % 86400) / 86400)
        week = 0.7 if int(at // 86400 + 3) % 7 >= 5 and "week" in kind else 1.0
        value = base * (1 + (daily * day if kind not in ("flat", "wild") else 0)) * week
        if kind == "odd-season":
            value = base * (1 + daily * math.sin(2 * math.pi * number / 47) + 0.2 * math.sin(4 * math.pi * number / 47))
        if kind == "smooth":
            value = base * (1 + daily * math.sin(number / 25))
        scale = base * noise * (1 if not wild else math.exp(rnd.gauss(0, 0.9)))
        value += rnd.gauss(0, scale)
        if number in spots and kind not in ("shift", "trend", "noise", "stuck"):
            value += base * max(0.5, 10 * noise) * rnd.choice((1, -1))
        if kind == "shift" and number in spots:
            level += base * max(0.35, 6 * noise) * rnd.choice((1, -1))
        if kind == "trend":
            slope = base * 0.02 if any(spot <= number < spot + 40 for spot in spots) else 0.0
            level += slope
        if kind == "noise" and any(spot <= number < spot + 40 for spot in spots):
            value += rnd.gauss(0, base * noise * 8)
        value += level
        if kind == "stuck" and any(spot <= number < spot + 60 for spot in spots):
            value = points[-1][1]
        if kind == "missing" and rnd.random() < 0.3 and number not in spots:
            continue
        points.append((at, value))
    return points, [START + spot * STEP for spot in spots]


class Rolling:
    def __init__(self) -> None:
        self.values: list[float] = []

    def score(self, at: float, value: float) -> float:
        past = self.values[-100:]
        self.values.append(value)
        if len(past) < 30:
            return 0.0
        mean = sum(past) / len(past)
        spread = math.sqrt(sum((item - mean) ** 2 for item in past) / len(past)) or 1e-9
        ratio = abs(value - mean) / spread / 5
        return ratio**3 / (1 + ratio**3)


def judge(scorer, points, spots, kind, threshold):
    long = {"trend": 60, "noise": 40, "stuck": 60}.get(kind, WINDOW)
    hits, false, last = set(), 0, -1e18
    for at, value in points:
        if scorer.score(at, value) < threshold:
            continue
        near = [spot for spot in spots if spot <= at <= spot + long * STEP]
        if near:
            hits.add(near[0])
        elif not any(spot <= at <= spot + 200 * STEP for spot in spots):
            false += at - last > 12 * STEP
            last = at
    return len(hits), false


KINDS = ("flat", "daily", "week", "odd-season", "smooth", "missing", "wild", "shift", "trend", "noise", "stuck")


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    threshold = 0.5
    print(f"{'kind':12} {'found':>7} {'false/1000':>11}   rolling z: {'found':>7} {'false/1000':>11}")
    whole = [0, 0, 0, 0, 0]
    began, count = 0.0, 0
    for kind in KINDS:
        row = [0, 0, 0, 0]
        spots_total = points_total = 0
        for seed in range(seeds):
            points, spots = series(kind, seed)
            began -= time.perf_counter()
            hits, false = judge(Scorer(), points, spots, kind, threshold)
            began += time.perf_counter()
            count += len(points)
            other = judge(Rolling(), points, spots, kind, threshold)
            row = [row[0] + hits, row[1] + false, row[2] + other[0], row[3] + other[1]]
            spots_total += len(spots)
            points_total += len(points)
        per = 1000 / points_total
        print(
            f"{kind:12} {row[0]:>3}/{spots_total:<3} {row[1] * per:>11.2f}   "
            f"           {row[2]:>3}/{spots_total:<3} {row[3] * per:>11.2f}"
        )
        whole = [a + b for a, b in zip(whole, [*row, spots_total])]
    print(f"all: {whole[0]}/{whole[4]} found, rolling {whole[2]}/{whole[4]}; {began / count * 1e6:.0f} us a point")


if __name__ == "__main__":
    main()
