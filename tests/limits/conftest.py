from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from akto_proxy.model import Caller, Message, Trace, Usage

SECOND = 1_000_000_000


class Clock:
    def __init__(self, at: int = 1_700_000_000 * SECOND) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at

    def seconds(self) -> float:
        return self.at / SECOND

    def tick(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trace() -> Callable[..., Trace]:
    """A finished call: `prompt`, `completion`, `size` and any field of Trace."""

    def make(prompt: int = 0, completion: int = 0, size: int = 0, **changes: Any) -> Trace:
        base = Trace(
            id="0" * 32,
            started=0.0,
            endpoint="e",
            method="POST",
            path="/v1/chat/completions",
            route="chat",
            engine="",
            status=200,
            outcome="ok",
            upstream_status=200,
            model="m",
            caller=Caller(ip="10.0.0.1", key="k"),
            usage=Usage(prompt, completion),
            request=Message(size=size),
        )
        return replace(base, **changes)

    return make
