"""A process asked to end with its parent does, and one whose parent is gone already ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

CHILD = (
    "import os, time; from akto_proxy.cli.parent import die_with; die_with({parent}); "
    "print('ready', flush=True); time.sleep(60)"
)
PARENT = """
import subprocess, sys, os
child = subprocess.Popen([sys.executable, "-c", sys.argv[1].format(parent=os.getpid())], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""


def test_a_process_ends_when_its_parent_was_killed():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait(10)
    until = time.monotonic() + 10
    while time.monotonic() < until and alive(pid):
        time.sleep(0.02)
    assert not alive(pid)


def test_a_process_whose_parent_is_gone_ends_at_once():
    nobody = CHILD.format(parent=1 << 30)
    done = subprocess.run([sys.executable, "-c", nobody], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGTERM, b"")


def alive(pid: int) -> bool:
    """Whether it runs; one that ended and nobody waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return os.path.exists(f"/proc/{pid}")
