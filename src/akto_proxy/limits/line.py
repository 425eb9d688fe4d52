"""Decisions on their way to Redis: those that meet in one turn of the loop travel in one pipeline.

A decision alone leaves at once; under load the pipelines fill by themselves, which halves the CPU of a decision.
Each caller is told once what became of its decision, also when it stopped waiting: what Redis granted must be known
to be given back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError

from akto_proxy.limits.script import SCRIPT

SHA = sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
MOST = 64
"""Decisions in one pipeline."""

FLIGHTS = 4
"""Pipelines under way at once."""

Done = Callable[[Sequence[int] | Exception], None]
Ask = tuple[int, Sequence[str | int], asyncio.Future[Any], Done]


class Pipeline:
    """Sends decisions.

    Args:
        client: a redis.asyncio.Redis; its time-outs bound how long a decision's fate stays unknown.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._waiting: list[Ask] = []
        self._flights: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.trips = 0

    def ask(self, keys: int, words: Sequence[str | int], waiter: asyncio.Future[Any], done: Done) -> None:
        """Send a decision soon; `done` is called once, with the script's answer or with what went wrong.

        It is not sent any more when `waiter` was cancelled before its pipeline left.
        """
        self._waiting.append((keys, words, waiter, done))
        if len(self._flights) < FLIGHTS:
            flight = asyncio.get_running_loop().create_task(self._fly())
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)

    async def _fly(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            for item in batch:
                if item[2].done():
                    item[3](ConnectionError("not sent"))
            batch = [item for item in batch if not item[2].done()]
            answers: Sequence[Any] = [ConnectionError("closed")] * len(batch)
            try:
                answers = await self._trip(batch) if batch else []
            except Exception as error:  # noqa: BLE001  whatever the client raises means the same: Redis is away
                answers = [error] * len(batch)
            finally:
                for item, answer in zip(batch, answers, strict=True):
                    item[3](answer)

    async def _trip(self, batch: Sequence[Ask]) -> list[Any]:
        answers = await self._execute(batch)
        if any(isinstance(answer, NoScriptError) for answer in answers):  # Redis was restarted
            await self._client.script_load(SCRIPT)
            again = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
            for number, answer in zip(again, await self._execute([batch[number] for number in again]), strict=True):
                answers[number] = answer
        return answers

    async def _execute(self, batch: Sequence[Ask]) -> list[Any]:
        self.trips += 1
        self.sent += len(batch)
        pipe = self._client.pipeline(transaction=False)
        for keys, words, _, _ in batch:
            pipe.evalsha(SHA, keys, *words)
        return list(await pipe.execute(raise_on_error=False))

    async def close(self) -> None:
        """End what is under way."""
        for flight in list(self._flights):
            flight.cancel()
        await asyncio.gather(*self._flights, return_exceptions=True)
