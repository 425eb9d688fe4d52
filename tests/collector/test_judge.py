"""The line before the guard: one at a time, bounded, and whole after a failure."""

import asyncio
import threading

import pytest

from akto_proxy.collector.judge import Busy, JudgeLine, Verdict
from akto_proxy.model import Direction


async def test_one_is_judged_at_a_time_and_who_finds_the_line_full_is_told() -> None:
    go, threads = threading.Event(), set()

    def judge(payload: str, direction: Direction) -> Verdict:
        threads.add(threading.get_ident())
        assert go.wait(10)
        return Verdict(masked=payload)

    line = JudgeLine(judge, 2)
    first, second = (asyncio.create_task(line(name, Direction.REQUEST)) for name in ("a", "b"))
    await asyncio.sleep(0.02)
    with pytest.raises(Busy):
        await line("c", Direction.REQUEST)
    go.set()
    assert [(await task).masked for task in (first, second)] == ["a", "b"]
    assert (await line("d", Direction.RESPONSE)).masked == "d", "there is room again"
    assert len(threads) == 1, "a guard may be bound to its thread"
    line.close()


async def test_a_guard_that_fails_leaves_its_place() -> None:
    def judge(payload: str, direction: Direction) -> Verdict:
        raise RuntimeError

    line = JudgeLine(judge, 1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            await line("x", Direction.REQUEST)
    line.close()
