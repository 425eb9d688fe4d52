"""The server goes away for the length of a run and comes back: what is lost, what it costs, what callers feel.

    python bench/outage.py [--count 100000] [--connections 8] [--bytes 900]

Three runs of the real commands on this machine: `akto-proxy proxy` (one worker) with the server there, the same with
the server away for `--count` calls, then `akto-proxy server` back and the backlog shipped. The model server and the
callers are C (built here). CPU times hold on a busy machine, wall times and latencies are its upper side.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from base64 import b64encode
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path
from typing import Any

from run import TICK, build

PROXY, SERVER, MODEL = 19401, 19402, 19403


class Part:
    """A command of the product, with its process tree."""

    def __init__(self, command: str, environ: dict[str, str], log: Path) -> None:
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [str(Path(sys.executable).parent / "akto-proxy"), command], env=environ, stdout=self._log, stderr=self._log
        )

    def of(self, word: str, log: Path) -> int:
        """The process of a part, as the supervisor named it."""
        lines = [json.loads(line) for line in log.read_text().splitlines() if '"a part starts"' in line]
        return [int(line["pid"]) for line in lines if line["part"] == word][-1]

    def stop(self) -> None:
        """Stop politely."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._log.close()


def cpu(pid: int) -> float:
    """User and system seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory(pid: int) -> float:
    """Resident MB now."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def wait_for(url: str) -> None:
    """Until it answers."""
    for _ in range(1200):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def run(tool: str, count: int, connections: int, body: Path, watched: dict[str, int]) -> dict[str, Any]:
    """Calls until there were `count`; their median latencies, and the memory of what is watched on the way."""
    seen: dict[str, Any] = {"answers": 0, "errors": 0, "p50": [], "p99": [], "memory": {name: [] for name in watched}}
    began = {name: cpu(pid) for name, pid in watched.items()}
    while seen["answers"] < count:
        raw = subprocess.run([tool, str(PROXY), str(connections), "3", str(body)], check=True, capture_output=True)
        got = json.loads(raw.stdout)
        seen["answers"] += int(got["answers"])
        seen["errors"] += int(got["errors"] + got["bad"])
        seen["p50"].append(got["p50_us"])
        seen["p99"].append(got["p99_us"])
        for name, pid in watched.items():
            seen["memory"][name].append(memory(pid))
    seen["cpu"] = {name: (cpu(pid) - began[name]) * 1e6 / seen["answers"] for name, pid in watched.items()}
    return seen


def told(name: str, seen: dict[str, Any]) -> None:
    """One line."""
    half = len(seen["p50"]) // 2
    p50, p99 = sorted(seen["p50"])[half], sorted(seen["p99"])[half]
    rooms = "; ".join(
        f"{part} {values[0]:.0f} -> {values[-1]:.0f} MB (most {max(values):.0f}), {seen['cpu'][part]:.0f} us CPU a call"
        for part, values in seen["memory"].items()
    )
    calls = f"{seen['answers']} calls, {seen['errors']} errors"
    print(f"{name}: {calls}, p50 {p50:.0f} us, p99 {p99:.0f} us; {rooms}", flush=True)


def kept(folder: Path) -> int:
    """Traces in the store."""
    try:
        with sqlite3.connect(f"file:{folder / 'traces.db'}?mode=ro", uri=True, timeout=30) as db:
            return int(db.execute("SELECT count(*) FROM trace").fetchone()[0])
    except sqlite3.Error:
        return 0


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--bytes", type=int, default=900)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akto-outage-") as name:
        folder = Path(name)
        tool, server = build(folder, "load"), build(folder, "model")
        body = folder / "body.json"
        text = ("Summarise the quarterly report about growth in the northern region. " * 90)[: given.bytes]
        body.write_text(json.dumps({"model": "bench", "messages": [{"role": "user", "content": text}]}))
        key = secrets.token_bytes(32)
        common = {
            "PATH": os.environ["PATH"], "HOME": name, "LOG_FORMAT": "json", "DEPLOYMENT_KEY": b64encode(key).decode(),
            "SERVER_PORT": str(SERVER), "ADMIN_PORT": "0",
        }  # fmt: skip
        at_proxy = {
            **common, "DATA_DIR": f"{name}/proxy", "AKTO_PROXY_PORT": str(PROXY), "AKTO_PROXY_HOST": "127.0.0.1",
            "WORKERS": "1", "APP_URL": f"http://127.0.0.1:{MODEL}", "INGEST_FORM": "collector",
            "AKTO_API_BASE_URL": f"http://127.0.0.1:{SERVER}",
            "AKTO_API_TOKEN": hmac(key, b"ingest.key", sha256).digest().hex(),
        }  # fmt: skip
        at_server = {**common, "DATA_DIR": f"{name}/server"}
        model = subprocess.Popen([server, str(MODEL), str(given.bytes), "200", "25000"], stderr=subprocess.DEVNULL)
        logs = {part: folder / f"{part}.log" for part in ("proxy", "server", "server again")}
        parts: list[Part] = []
        try:
            parts.append(Part("server", at_server, logs["server"]))
            wait_for(f"http://127.0.0.1:{SERVER}/health")
            parts.append(Part("proxy", at_proxy, logs["proxy"]))
            wait_for(f"http://127.0.0.1:{PROXY}/readyz")
            watched = {part: parts[1].of(part, logs["proxy"]) for part in ("worker-0", "shipper")}
            warm = run(tool, given.count // 20, given.connections, body, watched)
            there = run(tool, given.count // 10, given.connections, body, watched)
            told("server there", there)
            parts[0].stop()
            away = run(tool, given.count, given.connections, body, watched)
            told("server away", away)
            total = warm["answers"] + there["answers"] + away["answers"]
            before = cpu(watched["shipper"])
            parts[0] = Part("server", at_server, logs["server again"])
            wait_for(f"http://127.0.0.1:{SERVER}/health")
            pid = parts[0].of("server", logs["server again"])
            start, had, spent = time.monotonic(), kept(folder / "server"), cpu(pid)
            while kept(folder / "server") < total and time.monotonic() - start < 600:
                time.sleep(1)
            wall, have = time.monotonic() - start, kept(folder / "server")
            took, shipper = (cpu(pid) - spent) * 1e6 / max(1, have - had), cpu(watched["shipper"]) - before
            size = sum(path.stat().st_size for path in (folder / "server").glob("traces.db*"))
            print(
                f"back: {have} traces kept ({total} answers were seen), {have - had} of them in {wall:.0f} s; "
                f"server {took:.0f} us CPU a trace ({1e6 / took:,.0f} a CPU second), {memory(pid):.0f} MB, "
                f"shipper {shipper * 1e6 / max(1, have - had):.0f} us, {size / max(1, have):.0f} bytes a trace on disk"
            )
        finally:
            for part in parts:
                part.stop()
            model.terminate()
            model.wait(10)


if __name__ == "__main__":
    main()
