"""What is the SQLite engine's own: durability, migrations, limits, several processes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from akto_proxy.errors import StorageError
from akto_proxy.model import Trace
from akto_proxy.store.face import By, Filter, Retention
from akto_proxy.store.sqlite import SqliteStore
from akto_proxy.store.sqlite_schema import MIGRATIONS, migrate

Make = Callable[..., Trace]

KILLED = """
import sys, os, orjson
from pathlib import Path
from akto_proxy.model import Message, Trace
from akto_proxy.store.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
base = int(sys.argv[2]) << 32
for batch in range(10_000):
    ids = [f"{base + batch * 50 + n:032x}" for n in range(50)]
    store.insert_many([Trace(i, 1000.0 + n, "e", "POST", "/", "r", "v", 200, "ok", request=Message((), "x" * 500))
                       for n, i in enumerate(ids)])
    os.write(1, b"%d\\n" % batch)
"""


def kill_store(path: Path, rounds: int) -> None:
    """Kill the writing process at some moment, again and again; what it acknowledged stays, whole."""
    kept = 0
    for number in range(rounds):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(number)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        lines = 0
        for _ in child.stdout:
            lines += 1
            if lines > 2 + number * 3 % 11:
                break
        child.kill()
        lines += child.stdout.read().count(b"\n")
        child.stdout.close()
        child.wait()
        store = SqliteStore(path)
        count = store.count()
        assert kept + lines * 50 <= count <= kept + (lines + 1) * 50, "all acknowledged, and at most the one in flight"
        assert sum(item.traces for item in store.top(By.OUTCOME)) == count, "rollups and traces are one transaction"
        assert store.get(f"{(number << 32) + lines * 50 - 1:032x}") is not None
        store.close()
        kept = count
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_killed_writer_loses_no_acknowledged_batch(tmp_path: Path) -> None:
    kill_store(tmp_path / "t.db", 3)


@pytest.mark.slow
def test_fifty_killed_writers_lose_no_acknowledged_batch(tmp_path: Path) -> None:
    kill_store(tmp_path / "t.db", 50)


def test_every_earlier_schema_is_brought_up(tmp_path: Path, trace_of: Make) -> None:
    for version in range(len(MIGRATIONS) + 1):
        path = tmp_path / f"v{version}.db"
        db = sqlite3.connect(path, isolation_level=None)
        migrate(db, to=version)
        assert db.execute("PRAGMA user_version").fetchone() == (version,)
        db.close()
        store = SqliteStore(path)
        assert store.insert_many([trace_of(1)]) == 1
        store.close()


def test_what_an_earlier_schema_did_not_count_is_counted_when_it_is_brought_up(tmp_path: Path, trace_of: Make) -> None:
    path = tmp_path / "t.db"
    store = SqliteStore(path)
    store.insert_many([trace_of(number) for number in range(300)])
    asked = (store.top(By.DIRECTION), store.top(By.SEVERITY), store.totals())
    assert asked[0]
    assert asked[1]
    assert asked[2].rest.p95
    store.close()
    db = sqlite3.connect(path)
    db.executescript(
        "ALTER TABLE decision DROP COLUMN direction; DELETE FROM hourly WHERE code > 16; "
        "DELETE FROM latency WHERE kind IN (3, 11); PRAGMA user_version = 5;"
    )
    db.close()
    store = SqliteStore(path)
    assert (store.top(By.DIRECTION), store.top(By.SEVERITY), store.totals()) == asked
    assert store.erase(Filter(until=1e12)) == 300
    assert store.top(By.DIRECTION) == ()
    store.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    SqliteStore(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(StorageError, match="newer version"):
        SqliteStore(path)


def test_records_are_small_once_the_dictionary_is_learned_and_stay_readable(tmp_path: Path, trace_of: Make) -> None:
    store = SqliteStore(tmp_path / "t.db")
    traces = [trace_of(number) for number in range(1200)]
    for start in range(0, 1200, 100):
        store.insert_many(traces[start : start + 100])
    store.close()
    again = SqliteStore(tmp_path / "t.db")
    assert [again.get(traces[n].id) == traces[n] for n in (0, 399, 400, 401, 1199)] == [True] * 5
    db = sqlite3.connect(tmp_path / "t.db")
    early, late = (db.execute(f"SELECT AVG(LENGTH(data)) FROM body WHERE seq {which}").fetchone()[0]
                   for which in ("< 400", "> 600"))  # fmt: skip
    assert late < early / 2
    again.close()


def test_other_threads_read_while_one_writes(tmp_path: Path, trace_of: Make) -> None:
    store = SqliteStore(tmp_path / "t.db")
    stop, failures = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                total = store.totals().traces
                assert total % 25 == 0, "a batch is seen whole or not at all"
                store.search(limit=5)
            except Exception as error:  # noqa: BLE001 - handed to the test
                failures.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for start in range(0, 1000, 25):
        store.insert_many([trace_of(number) for number in range(start, start + 25)])
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    store.close()


def test_a_question_that_takes_too_long_ends_with_a_hint(tmp_path: Path, trace_of: Make) -> None:
    store = SqliteStore(tmp_path / "t.db")
    store.insert_many([trace_of(number) for number in range(2000)])
    store.close()
    hasty = SqliteStore(tmp_path / "t.db", timeout=0.001)
    with pytest.raises(StorageError, match="shorter time range"):
        hasty.totals(Filter(text="nowhere to be found"))
    hasty.close()


def test_the_size_limit_removes_the_oldest_and_gives_the_disk_back(tmp_path: Path, trace_of: Make) -> None:
    store = SqliteStore(tmp_path / "t.db")
    store.insert_many([trace_of(number) for number in range(4000)])
    before = store.storage()
    removed = store.sweep(Retention(limit_bytes=before.bytes // 2), 0.0)
    after = store.storage()
    assert removed > 500
    assert after.bytes <= before.bytes // 2
    assert after.oldest > before.oldest
    assert after.newest == before.newest
    assert (tmp_path / "t.db").stat().st_size < before.bytes * 0.7
    store.close()


def test_an_erased_text_is_gone_from_the_file(tmp_path: Path, trace_of: Make) -> None:
    """From the word index and the bodies; SQLite's free pages are overwritten or given back."""
    from akto_proxy.model import Caller, Message

    store = SqliteStore(tmp_path / "t.db", full_text=True)
    store.insert_many([trace_of(number) for number in range(50)])
    gone = trace_of(60, caller=Caller(user="erika"), request=Message((), "zebrafinch"))
    store.insert_many([gone])
    assert store.search(Filter(text="zebrafinch")).items
    assert store.erase(Filter(user="erika")) == 1
    assert not store.search(Filter(text="zebrafinch")).items
    store.close()
    data = b"".join(path.read_bytes() for path in tmp_path.glob("t.db*"))
    assert b"erika" not in data


def test_files_are_private_and_errors_name_the_path(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "new" / "t.db")
    assert (tmp_path / "new" / "t.db").stat().st_mode & 0o077 == 0
    store.close()
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        SqliteStore(tmp_path / "file" / "t.db")
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StorageError, match=r"broken\.db"):
        SqliteStore(tmp_path / "broken.db")


def test_a_full_disk_is_said_and_the_store_goes_on_after(tmp_path: Path, trace_of: Make) -> None:
    store = SqliteStore(tmp_path / "t.db")
    store.insert_many([trace_of(number) for number in range(10)])
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages + 2}")
    big = [trace_of(number, path="/" + "x" * 5000) for number in range(100, 200)]
    with pytest.raises(StorageError, match="full"):
        store.insert_many(big)
    assert store.count() == 10
    store._db.execute("PRAGMA max_page_count = 1000000")
    assert store.insert_many(big) == 100
    store.close()
