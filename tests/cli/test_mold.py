"""Workers forked from the mold: there in a moment, and ended with the mold or with the supervisor."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from pathlib import Path

from akto_proxy.cli.build import COMMON_PATH


def lines(product, event: str) -> list[dict]:
    return [json.loads(line) for line in product.printed().splitlines() if f'"event": "{event}"' in line]


def until(what, seconds: float = 20.0):
    """What `what()` gives, once it gives something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not come to pass")


def cpu(pid: int) -> float:
    """Seconds of processor time that a process took."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def answers(product) -> bool:
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "mail jo@corp.io"}]}).encode()
    call = urllib.request.Request(product.proxy + COMMON_PATH, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(call, timeout=20) as answer:
        return answer.status == 200


def born(product, number: int) -> int:
    """The process of the worker that listened as the `number`th, from 1."""
    return until(lambda: lines(product, "listening")[number - 1 :])[0]["pid"]


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_a_killed_worker_is_forked_again_and_none_outlives_its_mold_or_supervisor(start_product):
    product = start_product("proxy", TOUR="false")
    first = born(product, 1)
    mold = parent(first)
    assert b"forkserver" in Path(f"/proc/{mold}/cmdline").read_bytes()
    os.kill(first, signal.SIGKILL)
    second = born(product, 2)
    assert parent(second) == mold
    assert cpu(second) < 0.6  # a fresh interpreter takes 1.3 s and more
    assert answers(product)

    os.kill(mold, signal.SIGKILL)
    third = born(product, 3)
    until(lambda: gone(second))
    assert parent(third) != mold
    assert answers(product)

    supervisor, mold = parent(parent(third)), parent(third)
    assert supervisor == product.process.pid
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: gone(third) and gone(mold))
