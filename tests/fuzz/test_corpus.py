"""Every saved input of every fuzz target is replayed, and each target is mutated blindly for a moment."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest

FUZZ = Path(__file__).parents[2] / "fuzz"
sys.path.insert(0, str(FUZZ))
from targets import TARGETS  # noqa: E402

SECONDS = 0.7


def corpus(target: str) -> list[Path]:
    return sorted(path for path in (FUZZ / "corpus" / target).glob("*") if path.is_file())


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_saved_corpus_breaks_nothing(target: str) -> None:
    inputs = corpus(target)
    assert inputs, "each target has a corpus"
    for path in inputs:
        TARGETS[target](path.read_bytes())


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_moment_of_mutation_breaks_nothing(target: str) -> None:
    seed = random.randrange(1 << 32)
    choose = random.Random(seed)
    inputs = [path.read_bytes() for path in corpus(target)]
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        data = mutated(choose, inputs)
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {data!r}") from error


def mutated(choose: random.Random, inputs: list[bytes]) -> bytes:
    data = bytearray(choose.choice(inputs))
    for _ in range(choose.randint(1, 6)):
        at = choose.randrange(len(data) + 1)
        kind = choose.randrange(4)
        if kind == 0:
            data[at:at] = bytes([choose.randrange(256)])
        elif kind == 1:
            del data[at : at + choose.randint(1, 8)]
        elif kind == 2 and at < len(data):
            data[at] ^= 1 << choose.randrange(8)
        else:
            other = choose.choice(inputs)
            start = choose.randrange(len(other) + 1)
            data[at:at] = other[start : start + choose.randint(1, 40)]
    return bytes(data[:4096])
