from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.model import Action, Caller, Decision, Direction, Severity, Trace
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.watch.observation import Observation

START = 1_699_833_600.0
"""A Monday, midnight UTC."""


@pytest.fixture
def control(tmp_path: Path) -> Iterator[SqlControlStore]:
    numbers = itertools.count(1)
    store = SqlControlStore(f"sqlite:///{tmp_path / 'control.db'}", random=lambda n: next(numbers).to_bytes(n, "big"))
    yield store
    store.close()


@pytest.fixture
def observe() -> Callable[..., Observation]:
    numbers = itertools.count(1)

    def make(at: float = START, **changes: Any) -> Observation:
        base = Observation(
            id=f"{next(numbers):032x}", at=at, endpoint="e", who="key:k1", key="k1", ip="10.0.0.1", tokens=100
        )
        return replace(base, **changes)

    return make


@pytest.fixture
def decide() -> Callable[..., Decision]:
    def make(**changes: Any) -> Decision:
        base = Decision("p", "aws-key", "secrets", "SECRET", Severity.HIGH, Action.BLOCK, Direction.REQUEST)
        return replace(base, **changes)

    return make


@pytest.fixture
def trace() -> Callable[..., Trace]:
    numbers = itertools.count(1)

    def make(*decisions: Decision, **changes: Any) -> Trace:
        base = Trace(
            id=f"{next(numbers):032x}",
            started=START,
            endpoint="e",
            method="POST",
            path="/v1/chat/completions",
            route="openai-chat",
            engine="vllm",
            status=200,
            outcome="ok",
            caller=Caller(ip="10.0.0.1", key="k1", user="eve"),
            decisions=decisions,
            verdict=max((item.action for item in decisions), default=Action.ALLOW),
        )
        return replace(base, **changes)

    return make
