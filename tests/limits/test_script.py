"""The script by itself, in a real Redis: what is sent twice counts once, what is refused changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from akto_proxy.limits.script import SCRIPT, Line, Reply, arguments, parse

DAY = 86_400_000_000


def _run(start: Callable[..., Any], *asks: tuple[str, list[Line]]) -> list[Reply]:
    async def run() -> list[Reply]:
        client = Redis(port=start().port)
        try:
            replies = []
            for name, lines in asks:
                keys, words = arguments("{x}:", name, lines)
                replies.append(parse(await client.eval(SCRIPT, keys, *words)))
            return replies
        finally:
            await client.aclose()

    return asyncio.run(run())


def test_a_settlement_that_is_sent_again_counts_once(redis_server: Callable[..., Any]) -> None:
    settle = Line(1, DAY, serial=7, debt=1_000_000)
    _, first, again, later = _run(
        redis_server,
        ("a", [Line(1, DAY, hold=500)]),
        ("a", [settle]),
        ("a", [settle]),
        ("a", [Line(1, DAY, serial=8, debt=1_000_000)]),
    )
    assert 900_000 < again.left[0] <= first.left[0] <= 1_000_000
    assert later.left[0] > 1_500_000


def test_all_buckets_are_charged_or_none(redis_server: Callable[..., Any]) -> None:
    both, one = [Line(1, 10, hold=4), Line(2, 5, hold=4)], [Line(1, 10, hold=6)]
    first, second, third = _run(redis_server, ("a", both), ("a", both), ("b", one))
    assert first.refused == -1
    assert (second.refused, second.wait, second.fits) == (1, 3, [1, 0])
    assert third.refused == -1  # 4 of 10 are held, not 8


def test_a_shadow_bucket_takes_nothing_when_it_is_full(redis_server: Callable[..., Any]) -> None:
    shadow = [Line(1, 10, hold=4), Line(2, 5, hold=4, enforce=False)]
    first, second, third = _run(redis_server, ("a", shadow), ("a", shadow), ("a", [Line(2, 5, hold=1)]))
    assert (first.refused, second.refused, third.refused) == (-1, -1, -1)
    assert second.fits == [1, 0]


def test_what_a_process_says_exactly_replaces_what_was_believed(redis_server: Callable[..., Any]) -> None:
    replies = _run(
        redis_server,
        ("a", [Line(1, 10, hold=9)]),
        ("b", [Line(1, 10, hold=2)]),
        ("a", [Line(1, 10, exact=0)]),
        ("b", [Line(1, 10, hold=10)]),
    )
    assert [reply.refused for reply in replies] == [-1, 0, -1, -1]
