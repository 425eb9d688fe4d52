"""Each part killed with SIGKILL at some moment under load: every acknowledged record is in the store, exactly once."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from akto_proxy.spool.audit import Entry, Signer, Verifier
from akto_proxy.spool.layout import writers
from akto_proxy.spool.read import undelivered
from akto_proxy.store.sqlite import SqliteStore

WRITER = """
import os, sys, time, orjson
from pathlib import Path
from akto_proxy.model import Message, Trace
from akto_proxy.spool.audit import Signer
from akto_proxy.spool.writer import Spool, SpoolOptions
root, name = Path(sys.argv[1]), sys.argv[2]
spool = Spool(root, SpoolOptions(segment_bytes=200_000, checkpoint_every=40), clock=time.time, name=name,
              signer=Signer(b"s" * 32))
body = Message((), "x" * 1000, "text", 1000)
out = open(sys.argv[3], "ab", buffering=0)
number = 0
while True:
    ident = f"{int(time.time() * 1000):012x}7{os.urandom(9).hex()}8"
    ident = ident[:32].ljust(32, "0")
    trace = Trace(ident, time.time(), "e", "POST", "/p", "r", "v", 200, "ok", request=body)
    spool.append(orjson.dumps(trace))
    out.write(ident.encode() + b"\\n")
    number += 1
    if number % 20 == 0: time.sleep(0.01)
"""
SHIPPER = """
import asyncio, random, sys, time, httpx
from pathlib import Path
from akto_proxy.proxy.ship_targets import CollectorTarget
from akto_proxy.proxy.shipper import Shipper, ShipperOptions
async def main():
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        target = CollectorTarget(client, sys.argv[2], "secret")
        options = ShipperOptions(batch_bytes=60_000, first_wait=0.05, longest_wait=0.2, slow_wait=0.2, poll=0.02)
        await Shipper(Path(sys.argv[1]), target, options, clock=time.time, random=random.random).run()
asyncio.run(main())
"""
COLLECTOR = """
import os, sys, time, uvicorn
from pathlib import Path
from akto_proxy.collector.app import create_app
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore
folder = Path(sys.argv[1])
store = SqliteStore(folder / "traces.db")
control = SqlControlStore(f"sqlite:///{folder}/control.db", random=os.urandom)
app = create_app(store, control, now=time.time, random=os.urandom, local_token="secret")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


class Parts:
    """The three processes, each started again after its death."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder, self.root = folder, folder / "spool"
        self.acknowledged = folder / "acknowledged"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.started = 0

    def start(self, name: str) -> None:
        self.started += 1
        arguments = {
            "writer": [WRITER, str(self.root), f"w{self.started}", str(self.acknowledged)],
            "shipper": [SHIPPER, str(self.root), f"http://127.0.0.1:{self.port}"],
            "collector": [COLLECTOR, str(self.folder), str(self.port)],
        }[name]
        log = (self.folder / f"{name}.log").open("ab")
        self.running[name] = subprocess.Popen([sys.executable, "-c", *arguments], stdout=log, stderr=log)
        log.close()

    def kill(self, name: str) -> None:
        self.running[name].kill()
        self.running.pop(name).wait()

    def wait_for_collector(self) -> None:
        for _ in range(200):
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=1, trust_env=False).is_success:
                    return
            except httpx.HTTPError:
                time.sleep(0.05)
        pytest.fail("the collector does not answer")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    made = Parts(tmp_path)
    yield made
    for name in list(made.running):
        made.kill(name)


def run_kills(parts: Parts, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    names = ("collector", "shipper", "writer")
    for name in names:
        parts.start(name)
    parts.wait_for_collector()
    for number in range(rounds):
        time.sleep(chance.uniform(0.3, 0.9))
        victim = names[number % 3]
        parts.kill(victim)
        parts.start(victim)
    time.sleep(0.5)
    parts.kill("writer")
    parts.wait_for_collector()
    deadline = time.monotonic() + 60
    while any(undelivered(path) for path in writers(parts.root)) and time.monotonic() < deadline:
        time.sleep(0.1)
    parts.kill("shipper")
    parts.kill("collector")
    check(parts)


def check(parts: Parts) -> None:
    acknowledged = set(parts.acknowledged.read_text().split())
    store = SqliteStore(parts.folder / "traces.db")
    kept = [orjson.loads(record)["id"] for record in store.export()]
    assert len(kept) == len(set(kept)), "a trace is kept twice"
    assert acknowledged <= set(kept), f"{len(acknowledged - set(kept))} acknowledged traces are gone"
    assert store.totals().traces == len(kept), "the rollups disagree with the traces"
    assert len(acknowledged) > 100
    verifiers: dict[str, Verifier] = {}
    for link, body, kind in store.links():
        verifier = verifiers.setdefault(link.writer, Verifier(link.writer, [Signer(b"s" * 32).public]))
        verifier.add(Entry(kind, link.number, bytes.fromhex(link.digest), bytes.fromhex(link.chain), body))
    for verifier in verifiers.values():
        report = verifier.finish()
        assert report.ok, report.problems
    store.close()


def test_each_part_killed_once_or_twice_loses_nothing(parts: Parts) -> None:
    run_kills(parts, 4, seed=1)


@pytest.mark.slow
def test_fifty_kills_lose_nothing(parts: Parts) -> None:
    run_kills(parts, 50, seed=int(os.environ.get("SEED", "2")))
