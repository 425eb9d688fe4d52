"""Decisions travel together, and each is told what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis

from akto_proxy.limits.line import Pipeline
from akto_proxy.limits.script import Line, arguments

Start = Callable[..., Any]
WORDS = arguments("{x}:", "a", [Line(1, 1 << 40, charge=1)])


class Asked:
    """One decision and what became of it."""

    def __init__(self, pipe: Pipeline, *, cancelled: bool = False) -> None:
        self.fate: Sequence[int] | Exception | None = None
        self.waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if cancelled:
            self.waiter.cancel()
        pipe.ask(*WORDS, self.waiter, self._done)

    def _done(self, fate: Sequence[int] | Exception) -> None:
        assert self.fate is None
        self.fate = fate
        if not self.waiter.done():
            self.waiter.set_result(None)


def test_decisions_of_one_turn_travel_together(redis_server: Start) -> None:
    async def run(port: int) -> None:
        client = Redis(port=port)
        pipe = Pipeline(client)
        await Asked(pipe).waiter  # the first loads the script
        before = pipe.trips
        asked = [Asked(pipe) for _ in range(50)]
        await asyncio.gather(*(item.waiter for item in asked))
        assert pipe.trips == before + 1
        await pipe.close()
        await client.aclose()

    asyncio.run(run(redis_server().port))


def test_a_forgotten_script_is_sent_again(redis_server: Start) -> None:
    async def run(port: int) -> None:
        client = Redis(port=port)
        pipe = Pipeline(client)
        for _ in range(2):
            asked = Asked(pipe)
            await asked.waiter
            assert not isinstance(asked.fate, Exception)
            await client.script_flush()
        await client.aclose()

    asyncio.run(run(redis_server().port))


def test_what_nobody_waits_for_is_not_sent(redis_server: Start) -> None:
    async def run(port: int) -> None:
        client = Redis(port=port)
        pipe = Pipeline(client)
        gone = Asked(pipe, cancelled=True)
        kept = Asked(pipe)
        await kept.waiter
        assert isinstance(gone.fate, ConnectionError)
        assert pipe.sent in (1, 2)  # the second try, with the script, is of the same decision
        await client.aclose()

    asyncio.run(run(redis_server().port))


def test_every_decision_is_told_when_redis_is_not_there() -> None:
    async def run() -> None:
        client: Any = Redis(port=1, retry=None)
        pipe = Pipeline(client)
        asked = [Asked(pipe) for _ in range(3)]
        await asyncio.gather(*(item.waiter for item in asked))
        assert all(isinstance(item.fate, Exception) for item in asked)
        await client.aclose()

    asyncio.run(run())
