"""Whether one commit of this project costs more than another: CPU a request and a streamed event, interleaved.

    python bench/gate.py OLD NEW [--rounds 5] [--allow 0.10]

Both are checked out beside each other and guard the same traffic in the same run (bench/run.py says how it is done).
Exit code 1 when NEW costs more than OLD by more than `--allow` in either figure; medians of interleaved rounds, so that
a busy machine hits both alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import run  # noqa: E402


def start(tree: Path, name: str, port: int) -> run.Proxy:
    """The guard of one commit, serving."""
    environ = {**os.environ, "PYTHONPATH": str(tree / "src")}
    command = ["taskset", "-c", "0", sys.executable, str(tree / "bench" / "guarding.py"), str(port), str(run.MODEL)]
    process = subprocess.Popen(command, env=environ, cwd=tree, stderr=subprocess.DEVNULL)
    return run.Proxy(name, port, process, process.pid)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--allow", type=float, default=0.10)
    options = parser.parse_args()
    options.bytes, options.interval_us = 900, 25_000
    git = ["git", "-C", str(HERE)]
    with tempfile.TemporaryDirectory(prefix="akto-gate-") as name:
        folder = Path(name)
        tool, server = run.build(folder, "load"), run.build(folder, "model")
        model = run.pinned(1, server, str(run.MODEL), "900", str(run.EVENTS), "25000")
        pair: list[run.Proxy] = []
        try:
            for at, commit in enumerate((options.old, options.new)):
                tree = folder / f"tree{at}"
                subprocess.run([*git, "worktree", "add", "--detach", "-q", str(tree), commit], check=True)
                pair.append(start(tree, commit, run.BASE + 40 + at))
            _wait(pair, tool, folder)
            run.measure(pair, tool, folder, options)
        finally:
            for process in (model, *(proxy.process for proxy in pair)):
                process.terminate()
                process.wait(15)
            for at in range(2):
                subprocess.run([*git, "worktree", "remove", "--force", str(folder / f"tree{at}")], check=False)
    return judge(pair, options.allow)


def _wait(pair: list[run.Proxy], tool: str, folder: Path) -> None:
    body = folder / "wait.json"
    body.write_text('{"messages":[]}')
    until = time.monotonic() + 180
    for proxy in pair:
        while True:
            try:
                if run.load(tool, proxy, 1, 0.5, body)[0]["answers"]:
                    break
            except subprocess.SubprocessError:
                time.sleep(1)
            if time.monotonic() > until:
                raise SystemExit(f"{proxy.name} does not answer")


def judge(pair: list[run.Proxy], allow: float) -> int:
    """Print both figures of both; 1 when one became dearer than allowed."""
    old, new = pair
    worse = 0
    for what, before, after in (("request", old.json_us, new.json_us), ("paced event", old.event_us, new.event_us)):
        one, other = statistics.median(before), statistics.median(after)
        change = other / one - 1
        bad = change > allow
        worse |= bad
        print(f"CPU us a {what}: {one:.1f} -> {other:.1f} ({change:+.1%}){' TOO MUCH' if bad else ''}")
    return int(worse)


if __name__ == "__main__":
    sys.exit(main())
