"""The store's figures: cost of a spool append, ingest end to end, the dashboard's questions at N traces.

    python bench/store.py append
    python bench/store.py ingest --count 20000
    python bench/store.py server --count 100000
    python bench/store.py queries --count 1000000 [--url chdb:////tmp/x]
    python bench/store.py queries --count 10000000 --copies 10 --size 800 --keep /tmp/ten

`--copies` (SQLite) inserts a share of the traces as the product does and copies the rows and rollups of that share
inside the database, each copy some whole days later: the same tables in a tenth of the time. Bodies are copied too.

Load stays on this machine; nothing leaves the process. `ingest` is what one collector core does for each trace: unpack,
check the frame, parse, insert with rollups, commit (synchronous=FULL). `server` is all that `akto-proxy server` does for
a trace that comes over HTTP: the same, its own reading by the watch, and the pages' process around it.
"""

# ruff: noqa: E501 - the tables of made-up values read better wide
from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import resource
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import httpx
import orjson
import zstandard

from akto_proxy.collector.body import unpack
from akto_proxy.collector.intake import SPOOL_TYPE, parse
from akto_proxy.errors import StorageError
from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Timing, Trace, Usage
from akto_proxy.spool.audit import Signer
from akto_proxy.spool.frame import GENESIS, Kind, encode
from akto_proxy.spool.writer import Spool, SpoolOptions
from akto_proxy.store.face import ALL, By, Filter, TraceStore
from akto_proxy.store.open import open_traces
from akto_proxy.store.rollup import BY_DAY, COUNTERS

WORDS = [
    "the",
    "model",
    "answers",
    "a",
    "question",
    "about",
    "invoices",
    "policy",
    "customer",
    "order",
    "refund",
    "shipping",
    "privacy",
    "secure",
    "token",
    "region",
    "network",
    "latency",
    "weather",
    "recipe",
    "travel",
    "contract",
    "clause",
    "summary",
    "translate",
    "list",
    "explain",
    "compare",
    "draft",
    "message",
]
NOW = 1_780_000_000.0
DAYS = 30
RATE = 2000
"""Traces a second, as their times have it, where a server is fed: in 30 days' time all baselines would turn at each."""


@cache
def texts(size: int) -> list[str]:
    """Some thousand texts to draw from, half of `size` each: making them anew would cost more than keeping them."""
    chance = random.Random(7)
    return [" ".join(chance.choices(WORDS, k=size // 16)) for _ in range(4000)]


def make_trace(number: int, chance: random.Random, total: int, size: int, days: float = DAYS) -> Trace:
    """A trace like those of a chat service; one in twenty is flagged. All are of the first `days` of DAYS."""
    started = NOW - DAYS * 86400 + days * 86400 * number / total
    text, answer = chance.choices(texts(size), k=2)
    verdict = chance.choices((Action.ALLOW, Action.ALERT, Action.REDACT, Action.BLOCK), (95, 2, 2, 1))[0]
    rule = chance.choice(("email", "phone", "aws-key", "jailbreak", "prompt-injection", "credit-card"))
    decision = Decision("default", rule, "pii", rule.upper(), Severity(chance.randint(1, 4)), verdict, Direction.REQUEST,
                        "/messages/0/content")  # fmt: skip
    user = f"user{int(chance.paretovariate(1.2)) % 5000}"
    return Trace(
        id=f"{int(started * 1000):012x}7{chance.getrandbits(76):019x}",
        started=started, endpoint=f"https://e{number % 4}.example", method="POST", path="/v1/chat/completions",
        route="openai-chat", engine="vllm", status=400 if verdict is Action.BLOCK else 200,
        outcome="blocked" if verdict is Action.BLOCK else chance.choices(("ok", "upstream_timeout"), (99, 1))[0],
        verdict=verdict, model=f"model-{number % 6}", project="p",
        caller=Caller(f"10.0.{number % 200}.{number % 250}", f"k{hash(user) % 50}", user, f"team{number % 8}",
                      f"agent{number % 12}", f"{user}-{number // 40}"),
        usage=Usage(chance.randint(20, 900), chance.randint(5, 600)),
        timing=Timing(int(chance.lognormvariate(13, 0.8)), chance.randint(20, 400), 0, 0, chance.randint(1000, 90000)),
        request=Message((("content-type", "application/json"),), orjson.dumps({"messages": [{"content": text}]}).decode(),
                        "text", len(text)),
        response=Message((("content-type", "application/json"),), orjson.dumps({"choices": [{"text": answer}]}).decode(),
                         "text", len(answer)),
        decisions=(decision,) if verdict else (),
    )  # fmt: skip


def append(size: int) -> None:
    """Microseconds of one append, best and median of rounds."""
    record = os.urandom(size // 2).hex().encode()
    for fsync in ("off", "interval"):
        with tempfile.TemporaryDirectory() as folder:
            options = SpoolOptions(fsync=fsync, limit_bytes=4 << 30)
            spool = Spool(Path(folder), options, clock=time.time, name="w", signer=Signer(b"k" * 32))
            rounds, cpu = [], time.thread_time()
            for _ in range(20):
                began = time.perf_counter()
                for _ in range(2000):
                    spool.append(record)
                rounds.append((time.perf_counter() - began) / 2000 * 1e6)
            cpu = (time.thread_time() - cpu) / 40_000 * 1e6
            spool.close()
        print(
            f"append {size} bytes, fsync={fsync}: best {min(rounds):.1f} us, median {statistics.median(rounds):.1f} us, CPU {cpu:.1f} us"
        )


def ingest(count: int, size: int, url: str) -> None:
    """Traces a CPU second, from the compressed batch to the committed rows."""
    chance = random.Random(1)
    batches, chain = [], GENESIS
    for start in range(0, count, 250):
        parts = []
        for number in range(start, min(start + 250, count)):
            record = orjson.dumps(make_trace(number, chance, count, size))
            data, chain = encode(Kind.TRACE, number, chain, record)
            parts.append(data)
        batches.append(zstandard.compress(b"".join(parts), 3))
    with tempfile.TemporaryDirectory() as folder:
        store = open_traces(url or f"sqlite:///{folder}/t.db")
        cpu, began = time.process_time(), time.perf_counter()
        pending, notes = [], []
        for number, body in enumerate(batches):
            batch = parse(SPOOL_TYPE, "w", unpack(body, "zstd", 1 << 26))
            pending += batch.entries
            notes += batch.notes
            if number % 4 == 3 or number == len(batches) - 1:
                store.insert_many(pending, notes)
                pending, notes = [], []
        cpu, wall = time.process_time() - cpu, time.perf_counter() - began
        kept = store.storage()
        print(f"ingest of {count} traces ({size} bytes of text): {count / cpu:,.0f} a CPU second, {count / wall:,.0f} a second, "
              f"{kept.bytes / max(1, kept.traces):.0f} bytes a trace on disk, {cpu / count * 1e6:.0f} us CPU a trace")  # fmt: skip
        store.close()


def server(count: int, size: int) -> None:
    """Traces a CPU second of the whole server's process, batches of 1 MB as a shipper sends them, four at a time."""
    chance = random.Random(1)
    days = count / RATE / 86400
    batches, chain, step = [], GENESIS, max(1, (1 << 20) // (size + 600))
    for start in range(0, count, step):
        parts = []
        for number in range(start, min(start + step, count)):
            data, chain = encode(Kind.TRACE, number, chain, orjson.dumps(make_trace(number, chance, count, size, days)))
            parts.append(data)
        batches.append(zstandard.compress(b"".join(parts), 3))
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environ = {
            **os.environ,
            "HOME": folder,
            "DATA_DIR": f"{folder}/data",
            "SERVER_PORT": str(port),
            "ADMIN_PORT": "0",
        }
        command = [sys.executable, "-m", "akto_proxy", "server"]
        running = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            asyncio.run(_send(f"http://127.0.0.1:{port}", Path(folder) / "data", running.pid, batches, count))
        finally:
            running.terminate()
            running.wait(30)


async def _send(url: str, data: Path, parent: int, batches: list[bytes], count: int) -> None:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                await client.get(f"{url}/health")
                break
            await asyncio.sleep(0.2)
        headers = {
            "authorization": f"Bearer {(data / 'ingest.key').read_bytes().hex()}",
            "content-type": SPOOL_TYPE,
            "content-encoding": "zstd",
            "x-spool-writer": "bench",
        }
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()

        async def post(body: bytes) -> None:
            answer = await client.post(f"{url}/v1/traces", content=body, headers=headers)
            answer.raise_for_status()

        for body in batches[:4]:  # the dictionary is learned, everything was imported
            await post(body)
        sent = count * (len(batches) - 4) // len(batches)
        cpu, began = _cpu(children), time.perf_counter()
        for start in range(4, len(batches), 4):
            await asyncio.gather(*(post(body) for body in batches[start : start + 4]))
        wall = time.perf_counter() - began
        last = -1.0
        while (now := _cpu(children)) - last > 0.05:  # the watch reads behind
            last = now
            await asyncio.sleep(1)
        print(f"server: {sent} traces: {sent / (now - cpu):,.0f} a CPU second ({(now - cpu) / sent * 1e6:.0f} us each), "
              f"taken at {sent / wall:,.0f} a second")  # fmt: skip


def _cpu(pids: list[str]) -> float:
    """Seconds of user and system time of these processes."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


def queries(count: int, size: int, url: str, keep: str, copies: int) -> None:
    """The dashboard's questions, with their times."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_traces(url or f"sqlite:///{keep or folder}/t.db")
        if store.storage().traces < count // copies:
            fill(store, count // copies, size, DAYS // copies)
        if copies > 1 and store.storage().traces < count:
            multiply(Path(keep or folder) / "t.db", copies, DAYS // copies)
        kept = store.storage()
        print(f"{kept.traces:,} traces, {kept.bytes / 1e6:,.0f} MB")
        for name, ask in questions(store).items():
            times, costs = [], []
            try:
                for _ in range(5):
                    began, cpu = time.perf_counter(), time.thread_time()
                    ask()
                    times.append((time.perf_counter() - began) * 1000)
                    costs.append((time.thread_time() - cpu) * 1000)
            except StorageError:
                print(f"| {name} | - | over the deadline | - |", flush=True)
                continue
            cost = statistics.median(costs)
            print(f"| {name} | {cost:.1f} | {statistics.median(times):.1f} | {max(times):.1f} |", flush=True)
        store.close()


def fill(store: TraceStore, count: int, size: int, days: int) -> None:
    """Insert, in batches of 2,000."""
    chance = random.Random(1)
    cpu = time.process_time()
    spent = 0.0
    for start in range(0, count, 2000):
        traces = [make_trace(number, chance, count, size, days) for number in range(start, min(start + 2000, count))]
        began = time.process_time()
        store.insert_many(traces)
        spent += time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"filled: {count / spent:,.0f} rows a CPU second (insert alone; {time.process_time() - cpu:.0f} s with making them), "
          f"peak memory {peak:.0f} MB")  # fmt: skip


def multiply(path: Path, copies: int, days: int) -> None:
    """Copy all rows and rollups `copies - 1` times, each copy `days` later, under ids of its own."""
    db = sqlite3.connect(path, isolation_level=None)
    for setting in ("synchronous = OFF", "cache_size = -200000", "temp_store = MEMORY"):
        db.execute(f"PRAGMA {setting}")
    (rows,) = db.execute("SELECT MAX(seq) FROM trace").fetchone()
    for name in SUMMED:
        db.execute(f"CREATE TEMP TABLE first_{name} AS SELECT * FROM {name}")
    for copy in range(1, copies):
        began, hours = time.process_time(), days * 24 * copy
        moved = {
            "seq": f"seq + {rows * copy}", "id": "randomblob(16)", "at": f"at + {hours * 3600}",
            "first": f"first + {hours * 3600}", "last": f"last + {hours * 3600}",
            "session": f"session || '-{copy}'", "minute": f"minute + {hours * 60}", "hour": f"hour + {hours}",
        }  # fmt: skip
        own = {
            "session": {"id": f"id || '-{copy}'"},
            "latency": {"hour": f"hour + CASE WHEN kind < {BY_DAY} THEN {hours} ELSE {days * copy} END"},
        }
        db.execute("BEGIN")
        for name in (*COPIED, *SUMMED):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({name})")]
            change = moved | own.get(name, {})
            chosen = ", ".join(change.get(column, column) for column in columns)
            source = f"temp.first_{name} WHERE 1" if name in SUMMED else f"{name} WHERE seq <= {rows}"
            adding = ", ".join(f"{column} = {column} + excluded.{column}" for column in columns if column in COUNTED)
            clash = f" ON CONFLICT DO UPDATE SET {adding}" if name in SUMMED else ""
            db.execute(f"INSERT INTO {name} SELECT {chosen} FROM {source}{clash}")
        db.execute("COMMIT")
        print(f"copy {copy}: {time.process_time() - began:.0f} s of CPU", flush=True)
    db.close()


COPIED = ("trace", "body", "decision")
SUMMED = ("hourly", "minutely", "latency", "session")
COUNTED = (*COUNTERS, "count")


def questions(store: TraceStore) -> dict[str, Callable[[], object]]:
    """What the pages ask."""
    month, day, week = ALL, Filter(since=NOW - 86400), Filter(since=NOW - 7 * 86400 + 1234.5)
    some = store.search(limit=1).items[0]
    busy = store.top(By.USER, limit=1)[0].name
    return {
        "totals, 30 days": lambda: store.totals(month),
        "totals, 7 days, unaligned": lambda: store.totals(week),
        "timeline by hour, 30 days": lambda: store.timeline(month, step=3600),
        "timeline by 5 minutes, 24 h": lambda: store.timeline(day, step=300),
        "top rules, 30 days": lambda: store.top(By.RULE, month),
        "top users, 30 days": lambda: store.top(By.USER, month),
        "top models of one user": lambda: store.top(By.MODEL, Filter(user=busy)),
        "newest 50 traces": lambda: store.search(limit=50),
        "newest 50 blocked": lambda: store.search(Filter(verdicts=(Action.BLOCK,)), limit=50),
        "newest 50 of one user": lambda: store.search(Filter(user=busy), limit=50),
        "newest 50 decisions of one rule": lambda: store.events(Filter(rule="jailbreak"), limit=50),
        "sessions, last 50": lambda: store.sessions(limit=50),
        "one session's thread": lambda: store.thread(some.session),
        "one trace": lambda: store.get(some.id),
        "choices of a filter (users)": lambda: store.distinct(By.USER),
        "totals of one model (a scan)": lambda: store.totals(Filter(model="model-3")),
        "text search, one page": lambda: store.search(Filter(since=NOW - 86400, text="refund privacy"), limit=50),
    }


def main() -> None:
    """Run one of the benches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("append", "ingest", "server", "queries"))
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=2_500)
    parser.add_argument("--url", default="")
    parser.add_argument("--keep", default="", help="keep the SQLite file in this folder for the next run")
    parser.add_argument("--copies", type=int, default=1, help="SQLite: insert count/copies, and copy the rest")
    given = parser.parse_args()
    if given.what == "append":
        append(4096)
    elif given.what == "ingest":
        ingest(given.count, given.size, given.url)
    elif given.what == "server":
        server(given.count, given.size)
    else:
        queries(given.count, given.size, given.url, given.keep, given.copies)


if __name__ == "__main__":
    main()
