"""Real troubles of a real disk: a small file system of the test's own that is full, or turns read-only.

Needs root and mount namespaces (`unshare -m`); where they are not given, this is skipped and said.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
import json, os, subprocess, sys
from pathlib import Path
from akto_proxy.errors import StorageError
from akto_proxy.spool.audit import Entry, Signer, Verifier
from akto_proxy.spool.frame import Damage, Frame, Kind
from akto_proxy.spool.read import read_all
from akto_proxy.spool.writer import Spool, SpoolFull, SpoolOptions

disk, full, trouble = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], check=True)
spool = Spool(disk / "spool", SpoolOptions(full=full), clock=lambda: 1.0, name="w1", signer=Signer(b"s" * 32))
taken, said = [], {}
def append(number):
    try:
        spool.append(b"%04d" % number + b"x" * 1000)
        taken.append(number)
    except StorageError as error:
        said.setdefault(type(error).__name__, str(error))
    spool.tick()
for number in range(100):
    append(number)
if trouble == "full":
    for number in range(100, 600):
        append(number)
else:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=False)
    if trouble == "readonly" and os.access(disk / "spool", os.W_OK):
        # a file that is open for writing keeps its mount writable: close it, as a restart would
        spool.close()
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        try:
            Spool(disk / "spool", SpoolOptions(full=full), clock=lambda: 1.0, name="w2")
        except StorageError as error:
            said["open"] = str(error)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    spool = Spool(disk / "spool", SpoolOptions(full=full), clock=lambda: 1.0, name="w3", signer=Signer(b"s" * 32))
    append(600)
spool.close()
left, verifier = [], Verifier(spool.writer, [Signer(b"s" * 32).public])
for _, item in read_all(spool.directory):
    assert not isinstance(item, Damage), item.reason
    verifier.add(Entry(item.kind.name.lower(), item.number, item.digest, item.chain, item.payload))
    if item.kind is Kind.TRACE:
        left.append(int(item.payload[:4]))
report = verifier.finish()
print(json.dumps({"taken": taken, "left": left, "said": said, "sound": report.ok, "problems": report.problems,
                  "dropped": spool.stats.dropped, "refused": spool.stats.refused}, default=str))
"""


def mountable() -> bool:
    if shutil.which("unshare") is None:
        return False
    probe = ["unshare", "-m", "sh", "-c", "mkdir -p /tmp/.akto-probe && mount -t tmpfs none /tmp/.akto-probe"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not mountable(), reason="a file system of the test's own needs root and unshare -m")


def run(tmp_path: Path, full: str, trouble: str) -> dict[str, Any]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["unshare", "-m", sys.executable, "-c", SCRIPT, str(disk), full, trouble]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_full_disk_blocks_and_keeps_all_it_took(tmp_path: Path) -> None:
    seen = run(tmp_path, "block", "full")
    assert seen["left"] == seen["taken"]
    assert 100 < len(seen["taken"]) < 600
    assert seen["refused"] >= 600 - len(seen["taken"])
    assert "Free disk space, or lower SPOOL_MAX_SIZE" in seen["said"]["SpoolFull"]
    assert seen["sound"], seen["problems"]


def test_a_full_disk_drops_the_oldest_and_takes_every_new_one(tmp_path: Path) -> None:
    seen = run(tmp_path, "drop_oldest", "full")
    assert seen["said"] == {}
    assert len(seen["taken"]) == 600
    assert seen["left"] == seen["taken"][-len(seen["left"]) :], "what is left is the newest, without a hole"
    assert seen["dropped"] >= 600 - len(seen["left"]) > 0
    assert seen["sound"], seen["problems"]


@pytest.mark.parametrize("full", ["block", "drop_oldest"])
def test_a_read_only_disk_is_said_and_what_was_taken_is_there_when_it_is_writable_again(
    tmp_path: Path, full: str
) -> None:
    seen = run(tmp_path, full, "readonly")
    assert "Mount the volume writable" in seen["said"]["open"]
    assert seen["left"] == [*range(100), 600]
    assert seen["sound"], seen["problems"]
