"""Limits over many machines, against a real redis-server."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akto_proxy.cli.limiting import redis_client
from akto_proxy.errors import ConfigError
from akto_proxy.limits.book import Call, Grant, Refused
from akto_proxy.limits.redis import RedisLimiter
from akto_proxy.limits.schema import parse_limits
from akto_proxy.limits.table import in_memory
from akto_proxy.model import Caller, Trace

Start = Callable[..., Any]
Make = Callable[..., Trace]
CALL = Call(Caller(ip="10.0.0.1", key="k"), "e", "/v1/chat/completions", 0)
DAY = {"limit": 10, "per": "1d", "by": ["ip"]}


@asynccontextmanager
async def machine(
    url: str, name: str, *entries: dict[str, Any], timeout: float = 2.0, now: Callable[[], int] = time.time_ns
) -> AsyncIterator[RedisLimiter]:
    """One process of one machine. The waiting time is generous, so that a busy test machine is not a slow Redis."""
    client = redis_client(url)
    limiter = RedisLimiter(
        parse_limits(entries),
        client,
        in_memory(256, len(entries)),
        now=now,
        clock=time.monotonic,
        secret=b"the same",
        name=name,
        timeout=timeout,
    )
    yield limiter
    await limiter.close()
    await client.aclose()


async def passes(limiter: RedisLimiter, times: int, call: Call = CALL) -> int:
    found = await asyncio.gather(*(limiter.enter(call) for _ in range(times)))
    return sum(isinstance(item, Grant) for item in found)


def test_two_machines_share_one_limit(redis_server: Start) -> None:
    async def run(url: str) -> tuple[int, int]:
        async with machine(url, "a", DAY | {"name": "x"}) as a, machine(url, "b", DAY | {"name": "x"}) as b:
            return await passes(a, 7), await passes(b, 7)

    assert asyncio.run(run(redis_server().url)) == (7, 3)


def test_machines_need_not_agree_on_the_time(redis_server: Start) -> None:
    async def run(url: str) -> int:
        entry = DAY | {"name": "x"}
        async with machine(url, "a", entry, now=lambda: 0) as a, machine(url, "b", entry, now=lambda: 1 << 62) as b:
            return await passes(a, 7) + await passes(b, 7)

    assert asyncio.run(run(redis_server().url)) == 10


def _hammer(url: str, number: int, seconds: float, pipe: Connection) -> None:
    async def run() -> list[tuple[float, float]]:
        passed: list[tuple[float, float]] = []
        async with machine(url, f"p{number}", {"name": "w", "limit": 100, "per": "1s", "burst": 20}) as limiter:
            end = time.time() + seconds

            async def caller() -> None:
                while time.time() < end:
                    began = time.time()
                    if isinstance(await limiter.enter(CALL), Grant):
                        passed.append((began, time.time()))
                    await asyncio.sleep(0.001)

            await asyncio.gather(*(caller() for _ in range(4)))
            assert not limiter.counters.away
        return passed

    pipe.send(asyncio.run(run()))


@pytest.mark.slow
def test_ten_processes_never_pass_more_than_the_limit_in_any_window(redis_server: Start) -> None:
    """Whatever surely lies within a window of W seconds is at most burst + limit * W / per."""
    url = redis_server().url
    context = multiprocessing.get_context("fork")
    pipes, children = [], []
    for number in range(10):
        ours, theirs = context.Pipe()
        child = context.Process(target=_hammer, args=(url, number, 3.0, theirs))
        child.start()
        pipes.append(ours)
        children.append(child)
    calls = sorted(item for pipe in pipes for item in pipe.recv())
    for child in children:
        child.join(30)
    ends = sorted(end for _, end in calls)
    assert len(calls) > 100
    for first in range(0, len(calls), 7):
        start = calls[first][0]
        inside = sorted(end for begin, end in calls[first:] if begin >= start)
        for count, end in enumerate(inside, 1):
            assert count <= 20 + 100 * (end - start) + 1e-6
    assert len(ends) <= 20 + 100 * (ends[-1] - calls[0][0]) + 1e-6


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["in", "out", "flush", "beat"])), max_size=40))
def test_holds_balance_for_any_interleaving(redis_server: Start, trace: Make, steps: list[tuple[int, str]]) -> None:
    """Concurrent calls of three processes: never more than the limit at once, and all room is back at the end."""
    entry = {"name": f"c{time.monotonic_ns()}", "count": "concurrent", "limit": 3, "by": ["ip"]}

    async def run(url: str) -> None:
        async with machine(url, "a", entry) as a, machine(url, "b", entry) as b, machine(url, "c", entry) as c:
            machines = (a, b, c)
            open_calls: list[list[Grant]] = [[], [], []]
            for who, what in steps:
                if what == "in":
                    found = await machines[who].enter(CALL)
                    if isinstance(found, Grant):
                        open_calls[who].append(found)
                elif what == "out" and open_calls[who]:
                    machines[who].leave(open_calls[who].pop(), None)
                else:
                    await machines[who].flush(beat=what == "beat")
                assert sum(len(calls) for calls in open_calls) <= 3
            for who, calls in enumerate(open_calls):
                for grant in calls:
                    machines[who].leave(grant, None)
                await machines[who].flush()
            assert await passes(a, 5) == 3

    if not hasattr(redis_server, "shared"):
        redis_server.shared = redis_server()  # type: ignore[attr-defined]  # one server for all examples
    asyncio.run(run(redis_server.shared.url))  # type: ignore[attr-defined]


def test_tokens_are_settled(redis_server: Start, trace: Make) -> None:
    entry = {"name": "t", "count": "tokens", "limit": 1000, "per": "1d", "by": ["ip"], "reserve": 300}

    async def run(url: str) -> None:
        async with machine(url, "a", entry) as a, machine(url, "b", entry) as b:
            grants = [await a.enter(CALL) for _ in range(4)]
            assert [isinstance(item, Grant) for item in grants] == [True, True, True, False]
            for grant in grants[:3]:
                assert isinstance(grant, Grant)
                a.leave(grant, trace(50, 50))
            assert isinstance(await b.enter(CALL), Refused)  # not told yet
            await a.flush()
            assert await passes(b, 5) == 2  # 300 used, 2 x 300 reserved
            assert await a.flush(beat=True)
            assert isinstance(await a.enter(CALL), Refused)

    asyncio.run(run(redis_server().url))


def test_a_stream_that_outgrows_the_budget_of_all_machines_is_told(redis_server: Start, trace: Make) -> None:
    entry = {"name": "t", "count": "tokens", "limit": 1000, "per": "1d", "by": ["ip"], "reserve": 100}

    async def run(url: str) -> None:
        async with machine(url, "a", entry) as a, machine(url, "b", entry) as b:
            one, other = await a.enter(CALL), await b.enter(CALL)
            assert isinstance(one, Grant)
            assert isinstance(other, Grant)
            assert a.progress(one, 100, 400, 0) == ""
            assert b.progress(other, 100, 300, 0) == ""
            await a.flush()
            await b.flush()
            assert b.progress(other, 100, 500, 0) == ""  # Redis has not heard of it yet
            await b.flush()
            assert b.progress(other, 100, 501, 0) == "t"
            b.leave(other, trace(100, 501))
            a.leave(one, trace(100, 400))
            await b.flush()
            await a.flush()
            assert isinstance(await a.enter(CALL), Refused)

    asyncio.run(run(redis_server().url))


def test_a_process_that_died_holds_nothing_after_a_while(redis_server: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("akto_proxy.limits.script.SILENT_MS", 300)
    entry = {"name": "c", "count": "concurrent", "limit": 1, "by": ["ip"]}

    async def run(url: str) -> None:
        async with machine(url, "dead", entry) as dead, machine(url, "b", entry) as b:
            assert await passes(dead, 1) == 1
            assert await passes(b, 1) == 0
            await asyncio.sleep(0.5)
            assert await passes(b, 2) == 1

    asyncio.run(run(redis_server().url))


@pytest.mark.parametrize(("away", "expected"), [("local", 5), ("closed", 0)])
def test_redis_killed_and_back(redis_server: Start, away: str, expected: int) -> None:
    """Away: half the limit on this machine, or nothing. Back: what was used meanwhile counts."""
    entry = DAY | {"name": "x", "away": away, "share": 0.5}

    async def run() -> None:
        server = redis_server()
        async with machine(server.url, "a", entry) as a:
            assert await passes(a, 2) == 2
            server.stop()
            assert await passes(a, 20) == expected
            assert a.trouble
            assert not await a.flush()
            server.start()
            await _until(lambda: a.flush(beat=True))
            assert not a.trouble
            assert await passes(a, 20) == 10 - 2 - expected

    asyncio.run(run())


def test_a_closed_limit_refuses_only_the_calls_it_counts(redis_server: Start, trace: Make) -> None:
    """While Redis is away others go on, and a call refused when its body has come gives back what it had."""
    keyed = DAY | {"name": "k", "away": "closed", "only": {"key": ["vip"]}}
    big = DAY | {"name": "m", "by": ["model"], "away": "closed", "only": {"model": ["big*"]}}
    every = DAY | {"name": "all", "by": [], "limit": 4, "share": 1.0}

    async def run() -> None:
        server = redis_server()
        async with machine(server.url, "a", keyed, big, every) as a:
            server.stop()
            vip, other = (Call(Caller(ip="10.0.0.1", key=key)) for key in ("vip", "other"))
            await a.enter(other)  # finds out that Redis is away
            assert isinstance(await a.enter(vip), Refused)
            for _ in range(6):
                grant = await a.enter(other)
                assert isinstance(grant, Grant)
                assert isinstance(await a.named(grant, "big-one"), Refused)
                a.leave(grant, trace())
            grant = await a.enter(other)
            assert isinstance(grant, Grant)
            assert await a.named(grant, "small") is None

    asyncio.run(run())


def test_redis_that_lost_its_memory_is_told_by_every_process(redis_server: Start) -> None:
    async def run() -> None:
        server = redis_server()
        async with (
            machine(server.url, "a", DAY | {"name": "x"}) as a,
            machine(server.url, "b", DAY | {"name": "x"}) as b,
        ):
            assert await passes(a, 4) == 4
            assert await passes(b, 5) == 5
            server.stop()
            server.start()
            await _until(lambda: b.flush(beat=True))
            await _until(lambda: a.flush(beat=True))
            assert await passes(b, 9) + await passes(a, 9) == 1

    asyncio.run(run())


def test_a_slow_redis_costs_one_wait_and_is_asked_again(redis_server: Start) -> None:
    async def run() -> None:
        server = redis_server()
        async with machine(server.url, "a", DAY | {"name": "x"}, timeout=0.2) as a:
            assert await passes(a, 1) == 1
            server.signal(signal.SIGSTOP)
            began = time.monotonic()
            assert await passes(a, 1) == 1
            first = time.monotonic() - began
            began = time.monotonic()
            assert await passes(a, 1) == 1
            assert time.monotonic() - began < 0.1 < first < 1.0
            server.signal(signal.SIGCONT)
            await _until(lambda: a.flush(beat=True))
            assert await passes(a, 20) in (6, 7)  # a decision that Redis heard and that was also made here counts twice

    asyncio.run(run())


def test_what_was_granted_too_late_is_given_back(redis_server: Start) -> None:
    entry = {"name": "c", "count": "concurrent", "limit": 1, "by": ["ip"]}

    async def run() -> None:
        server = redis_server()
        async with machine(server.url, "a", entry, timeout=0.2) as a, machine(server.url, "b", entry) as b:
            assert await passes(a, 0) == 0
            await a.flush(beat=True)
            server.signal(signal.SIGSTOP)
            assert await passes(a, 1) == 1  # by this machine alone
            server.signal(signal.SIGCONT)
            await _until(lambda: a.flush(beat=True))
            assert await passes(b, 1) == 1

    asyncio.run(run())


def test_a_password_is_needed_and_said_without_it(redis_server: Start) -> None:
    async def run() -> None:
        server = redis_server()
        client = redis_client(server.url)
        await client.config_set("requirepass", "open-sesame")
        await client.aclose()
        async with machine(server.url.replace("//", "//:wrong@"), "a", DAY | {"name": "x"}) as a:
            assert await passes(a, 3) == 3
            assert a.trouble == "AuthenticationError"
        async with machine(server.url.replace("//", "//:open-sesame@"), "b", DAY | {"name": "x"}) as b:
            assert await passes(b, 20) == 10
            assert not b.trouble

    asyncio.run(run())


def test_over_tls(redis_server: Start, tmp_path: Path) -> None:
    certificate(tmp_path)
    port = redis_server(tls=True).port

    async def run(url: str, trouble: str, passed: int) -> None:
        async with machine(url, "a", DAY | {"name": "x", "share": 0.5}) as a:
            assert await passes(a, 20) == passed
            assert a.trouble == trouble

    trusted = f"rediss://localhost:{port}?ssl_ca_certs={tmp_path / 'cert.pem'}"
    asyncio.run(run(trusted, "", 10))
    asyncio.run(run(f"rediss://localhost:{port}", "ConnectionError", 5))  # a certificate that nobody vouches for


@pytest.mark.parametrize(
    "url", ["http://h", "h:6379", "redis://h:port", "redis://h?ssl_ca_certs=/x", "rediss://h?colour=red"]
)
def test_a_url_that_cannot_be_used_is_told_without_it(url: str) -> None:
    with pytest.raises(ConfigError, match=r"LIMITS_URL: redis://") as told:
        redis_client(url)
    assert url not in str(told.value)


def certificate(folder: Path) -> None:
    """A certificate for localhost that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=9))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))


async def _until(work: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not await work():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)
