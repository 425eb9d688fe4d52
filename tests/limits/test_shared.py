"""One limit, many processes: exact, and not stopped by one that dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from akto_proxy.errors import StorageError
from akto_proxy.limits.schema import Limit
from akto_proxy.limits.shared import SharedTable
from akto_proxy.limits.table import Ask

RULE = Limit(name="x", limit=500, per=86_400)
START = 1_700_000_000_000_000_000


def _hammer(folder: str, pipe: Connection) -> None:
    shared = SharedTable(Path(folder), overflow=1, columns=16, rows=64, known=64)
    ask = Ask(5, 0, RULE.capacity, RULE.charge(1))
    pipe.send("ready")
    pipe.recv()
    pipe.send(sum(shared.table.decide([ask], START).refused < 0 for _ in range(400)))
    shared.close()


def _hold_and_wait(folder: str, pipe: Connection) -> None:
    shared = SharedTable(Path(folder), overflow=1, columns=4, rows=64, known=64)
    shared.table.decide([Ask(9, 0, 2, 0, 2)], START)
    pipe.send("held")
    time.sleep(60)


def test_ten_processes_pass_exactly_the_limit(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    pipes, children = [], []
    for _ in range(10):
        ours, theirs = context.Pipe()
        child = context.Process(target=_hammer, args=(str(tmp_path), theirs))
        child.start()
        pipes.append(ours)
        children.append(child)
    assert [pipe.recv() for pipe in pipes] == ["ready"] * 10
    for pipe in pipes:
        pipe.send("go")
    passed = [pipe.recv() for pipe in pipes]
    for child in children:
        child.join(10)
    assert sum(passed) == 500


def test_what_a_killed_worker_held_is_given_back(tmp_path: Path) -> None:
    shared = SharedTable(tmp_path, overflow=1, columns=4, rows=64, known=64)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_hold_and_wait, args=(str(tmp_path), theirs))
    child.start()
    assert ours.recv() == "held"
    ask = Ask(9, 0, 2, 0, 1)
    assert shared.table.decide([ask], START).refused == 0
    assert shared.reap(4) == 0
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join(10)
    assert shared.reap(4) == 1
    assert shared.reap(4) == 0
    assert shared.table.decide([ask], START).refused == -1
    shared.close()


def test_a_limit_survives_a_restart(tmp_path: Path) -> None:
    ask = Ask(5, 0, Limit(name="x", limit=1).capacity, Limit(name="x", limit=1).charge(1))
    first = SharedTable(tmp_path, overflow=1)
    assert first.table.decide([ask], START).refused == -1
    first.close()
    second = SharedTable(tmp_path, overflow=1)
    assert second.table.decide([ask], START).refused == 0
    second.close()


def test_too_many_workers_are_told(tmp_path: Path) -> None:
    tables = [SharedTable(tmp_path, overflow=1, columns=2, rows=8, known=8) for _ in range(2)]
    with pytest.raises(StorageError, match="already share"):
        SharedTable(tmp_path, overflow=1, columns=2, rows=8, known=8)
    for table in tables:
        table.close()


def test_a_folder_that_cannot_be_is_told() -> None:
    with pytest.raises(StorageError, match="check DATA_DIR"):
        SharedTable(Path("/proc/nowhere"), overflow=1)
