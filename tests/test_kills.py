"""The running product under load, its parts killed with SIGKILL one after the other at random moments.

What a caller saw the last byte of is in the store exactly once, and the chain verifies. `server` is the collector with
the store inside: one process here. With AUDIT=strict nothing may be missing; by default at most those that a
worker was finishing in the turn of its loop in which it was killed: no more than there are callers.
"""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from akto_proxy.spool.layout import writers
from akto_proxy.spool.read import undelivered
from akto_proxy.store.sqlite import SqliteStore
from tests_support import answers

pytestmark = pytest.mark.slow
CALLERS = 4
VICTIMS = ("worker-0", "shipper", "server", "worker-1")


def ready(product, part: str) -> int:
    """The process that is the part now, once it does its work."""
    end = time.monotonic() + 90
    while time.monotonic() < end:
        lines = [json.loads(line) for line in product.printed().splitlines() if line.startswith("{")]
        pid = int([line["pid"] for line in lines if line["event"] == "a part starts" and line["part"] == part][-1])
        if not Path(f"/proc/{pid}").exists():
            began = False  # killed before, and not started again yet: the supervisor's pauses grow with each death
        elif part == "server":
            began = answers(product.server + "/health")
        else:
            began = any(line["event"] in ("listening", "shipping") and line["pid"] == pid for line in lines)
        if began:
            return pid
        time.sleep(0.1)
    raise AssertionError(f"{part} does not come back\n{product.printed()[-3000:]}")


class Callers:
    """Calls without pause; remembers each call whose last byte came."""

    def __init__(self, product) -> None:
        where = urlsplit(product.proxy)
        self._address = (where.hostname, where.port)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._loop, args=(number,)) for number in range(CALLERS)]
        self.completed: list[str] = []
        self.broken = 0

    def __enter__(self) -> "Callers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _loop(self, number: int) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            name = f"mark-{number}-{count}-end"
            try:
                with socket.create_connection(self._address, timeout=10) as caller:
                    self._call(caller, name, stream=count % 3 == 0)
                self.completed.append(name)
            except OSError:
                self.broken += 1
                time.sleep(0.02)

    def _call(self, caller: socket.socket, name: str, *, stream: bool) -> None:
        body = json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": name}]}).encode()
        caller.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        got = b""
        while not over(got):
            data = caller.recv(65536)
            if not data:
                raise ConnectionError
            got += data


def over(got: bytes) -> bool:
    """Whether a caller has its answer: a stream is over at its last event, a body at its length."""
    head, _, body = got.partition(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        if head and b"\r\n\r\n" in got:
            raise ConnectionError  # refused: nothing was passed on, so nothing is owed
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return b"[DONE]" in body


def settle(product) -> None:
    """Wait until all that is spooled is delivered."""
    root = product.folder / "data" / "spool"
    end = time.monotonic() + 120
    while any(undelivered(path) for path in writers(root)):
        assert time.monotonic() < end, product.printed()[-3000:]
        time.sleep(0.2)


def kept(folder: Path) -> Counter[str]:
    """How often each call is in the store."""
    store = SqliteStore(folder / "data" / "traces.db")
    marks: Counter[str] = Counter()
    traces = 0
    for record in store.export():
        traces += 1
        body = json.loads(record)["request"]["body"]
        if "mark-" in body:
            marks["mark-" + body.split("mark-")[1].split("-end")[0] + "-end"] += 1
    assert store.totals().traces == traces, "the rollups disagree with the traces"
    store.close()
    return marks


@pytest.mark.parametrize(
    ("audit", "rounds"),
    [("strict", int(os.environ.get("KILLS", "50"))), ("default", int(os.environ.get("KILLS", "50")))],
)
def test_every_answer_a_caller_saw_is_kept_once_whatever_is_killed(start_product, audit, rounds):
    chance = random.Random(int(os.environ.get("SEED", "1")))
    product = start_product(WORKERS="2", TOUR="false", AUDIT=audit)
    workers_killed = 0
    with Callers(product) as callers:
        time.sleep(2)
        for number in range(rounds):
            victim = VICTIMS[number % len(VICTIMS)]
            pid = ready(product, victim)
            time.sleep(chance.uniform(0.0, 3.0))
            os.kill(pid, signal.SIGKILL)
            workers_killed += victim.startswith("worker")
    settle(product)
    assert product.stop() == 0
    marks = kept(product.folder)
    missing = [name for name in callers.completed if not marks[name]]
    seen = f"{audit}: {rounds} kills, {len(callers.completed)} answers seen, {callers.broken} calls broken off"
    print(f"{seen}, {len(missing)} without a trace, {sum(marks.values())} traces")  # noqa: T201  the figure for the docs
    assert len(callers.completed) > 5 * rounds
    assert not [name for name, times in marks.items() if times != 1], "a call is kept twice"
    assert len(missing) <= (0 if audit == "strict" else workers_killed * CALLERS)
    proof = subprocess.run(["akto-proxy", "audit", "verify"], env=product.environ, capture_output=True, text=True)
    assert proof.returncode == 0, proof.stdout + proof.stderr
