from __future__ import annotations

import csv
import io
import math
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akto_proxy.cli.watch import app, moment, rows
from akto_proxy.errors import ConfigError

RUNNER = CliRunner()


def _series(tmp_path: Path, stamps: str = "unix") -> Path:
    rnd = random.Random(1)
    lines = ["timestamp,value"]
    for number in range(900):
        value = 100 + 20 * math.sin(2 * math.pi * number / 96) + rnd.gauss(0, 1) + (60 if number == 700 else 0)
        stamp = str(1_700_000_000 + number * 900)
        if stamps == "iso":
            stamp = f"2024-01-{1 + number // 96:02d} {number % 96 // 4:02d}:{number % 4 * 15:02d}:00"
        lines.append(f"{stamp},{value:.3f}")
    path = tmp_path / "series.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("stamps", ["unix", "iso"])
def test_a_spike_gets_the_highest_score(tmp_path: Path, stamps: str) -> None:
    result = RUNNER.invoke(app, ["score", str(_series(tmp_path, stamps))])
    assert result.exit_code == 0
    table = list(csv.DictReader(io.StringIO(result.stdout)))
    scores = [float(row["score"]) for row in table]
    assert len(table) == 900
    assert scores.index(max(scores)) == 700
    assert all(0 <= score <= 1 for score in scores)
    assert scores[700] > 0.5
    assert sum(score > 0.5 for score in scores) <= 4


def test_a_score_depends_on_nothing_that_comes_later(tmp_path: Path) -> None:
    lines = _series(tmp_path).read_text().splitlines()
    whole = [score for score, _, _ in rows(io.StringIO("\n".join(lines)))]
    half = [score for score, _, _ in rows(io.StringIO("\n".join(lines[:451])))]
    assert whole[:450] == half


def test_odd_values_score_zero_and_teach_nothing() -> None:
    text = "\n".join(f"{number * 60},{1 + number % 3 if number % 50 else 'nan'}" for number in range(300))
    found = [score for score, _, value in rows(io.StringIO(text)) if value == "nan"]
    assert set(found) == {0.0}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1700000000", 1_700_000_000),
        ("1700000000000", 1_700_000_000),
        ("1700000000000000000", 1_700_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14 23:13:20+01:00", 1_700_000_000),
        ("11/14/2023 22:13", 1_699_999_980),
        ("14/11/2023 22:13:20", 1_700_000_000),
        ("monday", None),
        ("inf", None),
    ],
)
def test_moments(text: str, seconds: float | None) -> None:
    assert moment(text) == seconds


@pytest.mark.parametrize(
    "stamp", [lambda n: "", lambda n: f"day {n}", lambda n: str(n), lambda n: "5", lambda n: str(-n)]
)
def test_any_timestamps_will_do(stamp: Callable[[int], str]) -> None:
    rnd = random.Random(2)
    lines = ["when,how much", *(f"{stamp(n)},{10 + rnd.gauss(0, 1) + 20 * (n == 600)}" for n in range(700))]
    scores = [score for score, _, _ in rows(io.StringIO("\n".join(lines)))]
    assert len(scores) == 700
    assert scores.index(max(scores)) == 600
    assert scores[600] > 0.5


@pytest.mark.parametrize("text", ["", "a,b\n", "\n\n", "1\n2\n", "1,\n2,x\n", "1,1e308\n2,-1e308\n3,1e308\n" * 50])
def test_nothing_breaks_it(text: str) -> None:
    assert all(0 <= score <= 1 for score, _, _ in rows(io.StringIO(text)))


def test_a_file_that_is_not_there_is_named() -> None:
    result = RUNNER.invoke(app, ["score", "/no/such.csv"])
    assert isinstance(result.exception, ConfigError)


def test_no_channel_is_told() -> None:
    result = RUNNER.invoke(app, ["notify-test"])
    assert isinstance(result.exception, ConfigError)
