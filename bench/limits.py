"""What a decision costs: in memory, shared by the workers of a machine, and in Redis.

.venv/bin/python bench/limits.py memory     CPU of a decision, with and without the gate
.venv/bin/python bench/limits.py redis      latency and CPU against a private redis-server
.venv/bin/python bench/limits.py million    memory and exactness with a million callers
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from akto_proxy.cli.limiting import redis_client
from akto_proxy.limits.book import Call, Grant
from akto_proxy.limits.limiter import Limiter
from akto_proxy.limits.redis import RedisLimiter
from akto_proxy.limits.schema import parse_limits
from akto_proxy.limits.shared import SharedTable
from akto_proxy.limits.table import in_memory
from akto_proxy.model import Caller

PORT = 26_399
ONE = [{"name": "a", "limit": 1e9, "per": "1m", "by": ["key"], "unknown": 0}]
THREE = [
    *ONE,
    {"name": "t", "count": "tokens", "limit": 1e9, "per": "1h", "by": ["user"], "unknown": 0},
    {"name": "c", "count": "concurrent", "limit": 1000, "by": ["ip"]},
]
CALLS = [
    Call(Caller(ip=f"10.0.0.{n}", key=f"k{n}", user=f"u{n}"), "e", "/v1/chat/completions", 500) for n in range(100)
]


def memory() -> None:
    for name, entries in (("one limit", ONE), ("three limits", THREE)):
        with tempfile.TemporaryDirectory() as folder:
            shared = SharedTable(Path(folder), overflow=len(entries))
            for where, table in (("of one process", in_memory(16_384, len(entries))), ("mapped file", shared.table)):
                limiter = Limiter(parse_limits(entries), table, now=time.time_ns, secret=b"s")
                best = min(_memory_round(limiter) for _ in range(5))
                print(f"{name:13} {where:15} enter {best[0]:.2f} us, leave {best[1]:.2f} us of CPU")
            shared.close()


def _memory_round(limiter: Limiter) -> tuple[float, float]:
    """CPU microseconds to enter and to leave, with a hundred calls in flight at most, as a worker has them."""
    rounds, enter, leave = 200, 0.0, 0.0
    for _ in range(rounds):
        began = time.process_time()
        grants = [limiter.enter(call) for call in CALLS]
        middle = time.process_time()
        for grant in grants:
            if isinstance(grant, Grant):
                limiter.leave(grant, None)
        enter, leave = enter + middle - began, leave + time.process_time() - middle
    return enter / rounds / len(CALLS) * 1e6, leave / rounds / len(CALLS) * 1e6


async def _redis() -> None:
    for name, entries in (("one limit", ONE), ("three limits", THREE)):
        for callers in (1, 16, 64):
            client = redis_client(f"redis://127.0.0.1:{PORT}")
            limiter = RedisLimiter(
                parse_limits(entries), client, in_memory(4096, 3), now=time.time_ns, clock=time.monotonic,
                secret=b"s", name="bench", timeout=1.0,
            )  # fmt: skip
            before = (await client.info("cpu"))["used_cpu_user"]
            cpu, wall = time.process_time(), time.perf_counter()
            rounds = await asyncio.gather(*(_caller(limiter, number, 6400 // callers) for number in range(callers)))
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            theirs = (await client.info("cpu"))["used_cpu_user"] - before
            times = sorted(took for each in rounds for took in each)
            print(
                f"{name:13} {callers:>3} at once: p50 {times[len(times) // 2] * 1e3:.2f} ms, "
                f"p99 {times[int(len(times) * 0.99)] * 1e3:.2f} ms, {len(times) / wall:,.0f}/s, "
                f"{cpu / len(times) * 1e6:.0f} us of CPU here, {theirs / len(times) * 1e6:.0f} us in Redis, "
                f"{limiter.trips} trips"
            )
            await limiter.close()
            await client.aclose()


async def _caller(limiter: RedisLimiter, number: int, turns: int) -> list[float]:
    times = []
    for turn in range(turns):
        began = time.perf_counter()
        grant = await limiter.enter(CALLS[(number + turn) % 100])
        times.append(time.perf_counter() - began)
        if isinstance(grant, Grant):
            limiter.leave(grant, None)
    return times


def redis() -> None:
    import uvloop

    with tempfile.TemporaryDirectory() as folder:
        command = ["redis-server", "--port", str(PORT), "--save", "", "--dir", folder, "--bind", "127.0.0.1"]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            uvloop.run(_redis())
        finally:
            server.terminate()


def million() -> None:
    entries = [{"name": "k", "limit": 5, "per": "1d", "by": ["key"], "unknown": 0}]
    with tempfile.TemporaryDirectory() as folder:
        shared = SharedTable(Path(folder), overflow=1)
        limiter = Limiter(parse_limits(entries), shared.table, now=time.time_ns, secret=b"s")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        for number in range(1_000_000):
            limiter.enter(Call(Caller(ip="10.0.0.1", key=str(number))))
        took = time.process_time() - began
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(
            f"1,000,000 callers: {(after - before) / 1024:.1f} MiB more, file {size / 2**20:.1f} MiB, "
            f"{took:.1f} us of CPU each, {limiter.counters.allowed:,} passed, "
            f"{shared.table.overflowed:,} shared a bucket"
        )
        shared.close()


if __name__ == "__main__":
    {"memory": memory, "redis": redis, "million": million}[sys.argv[1] if len(sys.argv) > 1 else "memory"]()
