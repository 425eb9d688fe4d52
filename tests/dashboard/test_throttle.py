"""Guessing gets slower, by account and by address, in bounded memory."""

from __future__ import annotations

from typing import Any

from akto_proxy.dashboard import throttle
from akto_proxy.dashboard.throttle import Throttle


def test_each_failure_beyond_a_few_doubles_the_wait() -> None:
    now = [0.0]
    made = Throttle(lambda: now[0], free=3, longest=60)
    waits = []
    for _ in range(12):
        made.failed("name:ada", "ip:1")
        waits.append(made.wait("name:ada", "ip:9"))
    assert waits == [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert made.wait("name:eve", "ip:1") == 60
    assert made.wait("name:eve", "ip:2") == 0
    made.passed("name:ada")
    assert made.wait("name:ada") == 0
    now[0] = 200
    made.failed("ip:1")
    assert made.wait("ip:1") == 0


def test_strangers_cannot_fill_the_memory(monkeypatch: Any) -> None:
    monkeypatch.setattr(throttle, "KEPT", 10)
    made = Throttle(lambda: 0.0, free=1)
    for number in range(100):
        made.failed(f"name:{number}")
    assert len(made._failures) == 10
    assert made.wait("name:99") > 0
