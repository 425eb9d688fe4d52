"""A flood of made-up callers: bounded memory, and nobody who is known pays for it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.limits.book import Call, Grant, network
from akto_proxy.limits.limiter import Limiter
from akto_proxy.limits.schema import parse_limits
from akto_proxy.limits.shared import SharedTable
from akto_proxy.model import Caller, Trace

LIMITS: list[dict[str, Any]] = [
    {"name": "calls", "limit": 60, "per": "1m", "by": ["key"]},
    {"name": "day", "count": "tokens", "limit": 1_000_000, "per": "1d", "by": ["key"]},
]
KNOWN, FLOODED, CALM = "10.1.0.1", "10.9.0.{}", "10.2.0.7"


@pytest.fixture
def limiter(tmp_path: Path, clock: Any) -> Iterator[Limiter]:
    shared = SharedTable(tmp_path, overflow=len(LIMITS))
    yield Limiter(parse_limits(LIMITS), shared.table, now=clock, secret=b"s")
    shared.close()


def call(key: str, ip: str) -> Call:
    return Call(Caller(ip=ip, key=key), "e", "/v1/chat/completions", 400)


def made(limiter: Limiter, trace: Callable[..., Trace], key: str, ip: str, tokens: int = 200) -> bool:
    """A call from begin to end; whether it passed."""
    grant = limiter.enter(call(key, ip))
    if not isinstance(grant, Grant):
        return False
    limiter.leave(grant, trace(tokens // 2, tokens // 2))
    return True


def flood(limiter: Limiter, clock: Any, count: int, addresses: int, a_second: int = 5_000) -> Iterator[int]:
    """Calls of callers that never come again; at each second that passes, which one it is."""
    for number in range(count):
        limiter.enter(call(f"made-up-{number}", FLOODED.format(number % addresses)))
        if number % a_second == a_second - 1:
            clock.tick(1)
            yield number // a_second


@pytest.mark.parametrize(
    ("count", "addresses"), [(50_000, 1), (50_000, 250), pytest.param(1_000_000, 250, marks=pytest.mark.slow)]
)
def test_a_known_caller_is_not_refused_because_of_the_flood(
    limiter: Limiter, clock: Any, trace: Callable[..., Trace], count: int, addresses: int
) -> None:
    assert made(limiter, trace, "ann", KNOWN)
    assert made(limiter, trace, "bob", FLOODED.format(0)), "one of them calls from where the flood comes from"
    refused = 0
    for second in flood(limiter, clock, count, addresses):
        refused += not made(limiter, trace, "ann", KNOWN)
        if second % 5 == 0:
            refused += not made(limiter, trace, "bob", FLOODED.format(0))
    assert refused == 0


def test_a_polite_stranger_passes_where_the_flood_does_not_come_from(
    limiter: Limiter, clock: Any, trace: Callable[..., Trace]
) -> None:
    for second in flood(limiter, clock, 50_000, 1):
        assert made(limiter, trace, f"new-{second}", CALM)


def test_an_ipv6_host_is_one_address_however_many_it_uses(clock: Any, tmp_path: Path) -> None:
    shared = SharedTable(tmp_path, overflow=1)
    entry = {"name": "i", "limit": 5, "per": "1m", "by": ["ip"]}
    limiter = Limiter(parse_limits([entry]), shared.table, now=clock, secret=b"s")
    passed = [isinstance(limiter.enter(call("", f"2001:db8:0:7::{n:x}")), Grant) for n in range(1, 9)]
    assert passed == [True] * 5 + [False] * 3
    assert isinstance(limiter.enter(call("", "2001:db8:0:8::1")), Grant)
    assert isinstance(limiter.enter(call("", "::ffff:10.0.0.1")), Grant)
    assert network("::ffff:10.0.0.1") == "10.0.0.1"
    shared.close()


def test_a_flood_needs_no_memory(limiter: Limiter, clock: Any) -> None:
    for _ in flood(limiter, clock, 20_000, 250):
        pass
    tracemalloc.start()
    for _ in flood(limiter, clock, 20_000, 250):
        pass
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 24 << 20
    assert grown < 24 << 20
