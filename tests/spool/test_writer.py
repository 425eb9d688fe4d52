from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from akto_proxy.errors import StorageError
from akto_proxy.spool.audit import Entry, Report, Signer, Verifier
from akto_proxy.spool.frame import Damage, Frame, Kind
from akto_proxy.spool.layout import segments, used_bytes, writers
from akto_proxy.spool.read import read_all
from akto_proxy.spool.writer import Spool, SpoolFull

Open = Callable[..., Spool]


def bodies(root: Path) -> list[bytes]:
    return [
        item.payload
        for directory in writers(root)
        for _, item in read_all(directory)
        if isinstance(item, Frame) and item.kind is Kind.TRACE
    ]


def audit(directory: Path) -> Report:
    verifier = Verifier(directory.name, [Signer(b"s" * 32).public])
    for _, item in read_all(directory):
        assert not isinstance(item, Damage)
        verifier.add(Entry(item.kind.name.lower(), item.number, item.digest, item.chain, item.payload))
    return verifier.finish()


def test_records_are_on_disk_in_order_as_soon_as_append_returns(open_spool: Open, root: Path) -> None:
    spool = open_spool()
    for number in range(100):
        spool.append(b"%d" % number)
        assert bodies(root)[-1] == b"%d" % number
    assert bodies(root) == [b"%d" % number for number in range(100)]


def test_segments_end_at_their_size_and_the_chain_goes_on(open_spool: Open) -> None:
    spool = open_spool(segment_bytes=2_000, checkpoint_every=7)
    for number in range(200):
        spool.append(b"x" * (number % 90))
    spool.close()
    assert len(segments(spool.directory)) > 5
    report = audit(spool.directory)
    assert report.ok, report.problems
    assert report.records == 200
    assert report.signed_to == report.last - 1


def test_a_full_spool_refuses_and_takes_again_when_there_is_room(open_spool: Open, root: Path) -> None:
    spool = open_spool(limit_bytes=20_000, full="block")
    taken = 0
    while spool.used + 500 + 84 <= 20_000:
        spool.append(b"x" * 500)
        taken += 1
    with pytest.raises(SpoolFull, match="SPOOL_MAX_SIZE"):
        spool.append(b"x" * 500)
    assert not spool.has_room
    assert len(bodies(root)) == taken, "nothing that was taken is dropped"
    assert used_bytes(root) <= 20_000
    assert spool.stats.refused == 1
    segments(spool.directory)[0].unlink()  # as the shipper does after delivery
    spool.append(b"again")
    assert bodies(root)[-1] == b"again"


def test_exchanges_under_way_find_room_when_no_new_one_may_begin(open_spool: Open, root: Path) -> None:
    spool = open_spool(limit_bytes=40_000, full="block")
    taken = 0
    while spool.has_room:
        spool.append(b"x" * 500)
        taken += 1
    for _ in range(5):  # these began before
        spool.append(b"x" * 500)
    assert len(bodies(root)) == taken + 5
    assert used_bytes(root) <= 40_000


def test_a_full_spool_drops_the_oldest_counts_it_and_says_so_in_the_chain(open_spool: Open, root: Path) -> None:
    spool = open_spool(limit_bytes=20_000, full="drop_oldest")
    for number in range(1000):
        spool.append(b"%04d" % number + b"x" * 100)
    spool.close()
    assert used_bytes(root) <= 21_000
    left = bodies(root)
    assert left[-1].startswith(b"0999")
    report = audit(spool.directory)
    assert report.ok, report.problems
    # `dropped` counts frames, the spool's own notes among them; what is left and what is gone make up all.
    assert spool.stats.dropped >= 1000 - len(left) > 0


def test_old_segments_are_removed_by_age(open_spool: Open, clock: Callable[[], float], root: Path) -> None:
    spool = open_spool(segment_bytes=1_000, limit_age=100.0)
    for _ in range(50):
        spool.append(b"x" * 100)
    clock.now = segments(spool.directory)[0].stat().st_mtime + 50  # type: ignore[attr-defined]
    spool.tick()
    assert spool.stats.dropped == 0
    clock.now += 100  # type: ignore[attr-defined]
    spool.tick()
    assert spool.stats.dropped > 30
    assert len(segments(spool.directory)) <= 2


def test_a_clock_that_jumps_back_changes_nothing(open_spool: Open, clock: Callable[[], float], root: Path) -> None:
    spool = open_spool(limit_age=1000.0, segment_bytes=500)
    for number in range(30):
        clock.now -= 10_000  # type: ignore[attr-defined]
        spool.append(b"%d" % number)
        spool.tick()
    spool.close()
    assert bodies(root) == [b"%d" % number for number in range(30)]
    assert audit(spool.directory).ok


def test_a_new_writer_adopts_a_dead_ones_directory_and_chain(open_spool: Open, root: Path) -> None:
    first = open_spool("w1")
    first.append(b"one")
    first.close()
    path = segments(first.directory)[-1]
    path.write_bytes(path.read_bytes() + b"\xa7KTT half a record")
    second = open_spool("w2")
    assert second.writer == "w1"
    assert second.stats.adopted
    assert second.stats.torn_bytes == 18
    second.append(b"two")
    third = open_spool("w3")
    assert third.writer == "w3", "a live writer's directory is not taken"
    second.close()
    assert bodies(root) == [b"one", b"two"]
    assert audit(second.directory).ok
    assert len(list((root / "quarantine").iterdir())) == 1


async def test_those_who_wait_for_the_disk_share_one_sync(open_spool: Open) -> None:
    spool = open_spool(fsync="each")

    async def one(number: int) -> None:
        spool.append(b"%d" % number)
        await spool.commit()

    await asyncio.gather(*(one(number) for number in range(200)))
    assert 1 <= spool.stats.syncs <= 10


async def test_commit_costs_nothing_when_syncing_is_off(open_spool: Open) -> None:
    spool = open_spool(fsync="off")
    spool.append(b"x")
    await spool.commit()
    assert spool.stats.syncs == 0


def test_a_read_only_folder_is_named_with_its_fix(open_spool: Open, root: Path) -> None:
    root.mkdir()
    blocked = root / "w1"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot open the spool"):
        open_spool("w1")


@pytest.mark.parametrize(("full", "taken", "left"), [("block", 4, 4), ("drop_oldest", 20, 8)])
def test_a_disk_that_is_full_keeps_what_was_chosen(root: Path, full: str, taken: int, left: int) -> None:
    """The kernel itself says no: a file size limit in a child gives EFBIG, which we treat as a full disk."""
    script = f"""
import sys, resource, signal
from pathlib import Path
from akto_proxy.spool.writer import *
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
spool = Spool(Path({str(root)!r}), SpoolOptions(full={full!r}, segment_bytes=1 << 20), clock=lambda: 1.0, name="w1")
taken = said = 0
for number in range(20):
    try:
        spool.append(b"%02d" % number + b"x" * 998); taken += 1
    except SpoolFull as error:
        said += "Free disk space" in str(error)
print(taken, said)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == [str(taken), str(20 - taken)], done.stderr
    kept = [int(body[:2]) for body in bodies(root)]
    assert kept == (list(range(left)) if full == "block" else list(range(20 - len(kept), 20)))
    assert len(kept) >= left


KILLED = """
import sys, os
from pathlib import Path
from akto_proxy.spool.audit import Signer
from akto_proxy.spool.writer import *
spool = Spool(Path(sys.argv[1]), SpoolOptions(segment_bytes=30_000, checkpoint_every=50), clock=lambda: 1.0,
              name=sys.argv[2], signer=Signer(b"s" * 32))
number = 0
while True:
    spool.append(b"%s-%06d-" % (sys.argv[2].encode(), number) + b"x" * 400)
    os.write(1, b"%06d\\n" % number)
    number += 1
"""


def kill_writers(root: Path, rounds: int) -> None:
    """Start a writer, kill it at some moment, start the next: what each acknowledged must all be there, once."""
    acknowledged: list[bytes] = []
    for index in range(rounds):
        name = f"k{index}"
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(root), name], stdout=subprocess.PIPE)
        assert child.stdout is not None
        # Kill after a different number of records each time: the pipe makes the moment depend on real writes.
        data = b""
        while data.count(b"\n") < 20 + (index * 37) % 200:
            data += os.read(child.stdout.fileno(), 4096)
        child.kill()
        data += child.stdout.read()
        child.stdout.close()
        child.wait()
        lines = data.split(b"\n")[:-1]
        acknowledged += [f"{name}-{line.decode()}-".encode() for line in lines]
    found = [body[: body.rindex(b"-") + 1] for body in bodies(root)]
    assert len(found) == len(set(found)), "a record is there twice"
    assert set(acknowledged) <= set(found), "an acknowledged record is gone"
    assert len(found) - len(acknowledged) <= rounds, "at most the one in flight at each kill is there unacknowledged"
    assert len(writers(root)) == 1, "each writer adopted the directory of the one before"
    spool = Spool(root, clock=lambda: 1.0, name="last", signer=Signer(b"s" * 32))
    spool.close()
    report = audit(writers(root)[0])
    assert report.ok, report.problems


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(root: Path) -> None:
    kill_writers(root, 4)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_in_fifty_kills(root: Path) -> None:
    kill_writers(root, 50)


def test_errors_have_the_fix_in_them() -> None:
    from akto_proxy.spool.writer import _fix

    assert "writable" in _fix(OSError(errno.EROFS, "x"))
    assert "disk" in _fix(OSError(errno.EIO, "x"))
