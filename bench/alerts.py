"""From the end of a call to the webhook that tells of it, in the running product: how long, as a distribution.

    python bench/alerts.py [--calls 200] [--every 0.15]

`akto-proxy up` with one worker and the built-in endpoint on free ports, and a webhook receiver on loopback. Each
refused call is another caller's, so none is grouped away; calls come at random moments, so that no timer is met in
one phase. Then anomalies (callers who vary a refused prompt) and reports of proxies that lost traces. Both clocks are
this process's. Times are wall times: a busy machine makes them longer, so the load is printed too.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

POLICY = """
version: 1
policies:
  - {name: hard, severity: high, action: block, rules: [{detect: pii}]}
"""
SETTINGS = """
notify:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:{port}/", secret: "s3cret", allow_private: true}}
"""
VARIANTS = 7
"""Refused prompts that differ little, of one caller: what makes the anomaly `probing`."""
PATIENCE = 30.0


class Hook(http.server.BaseHTTPRequestHandler):
    """Notes when an incident was told, by its subject and what it is about."""

    heard: dict[tuple[str, str], float] = {}  # noqa: RUF012  one receiver a process

    def do_POST(self) -> None:
        """One notice."""
        at = time.monotonic()
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if told["event"] == "opened":
            self.heard.setdefault((told["incident"]["subject"], told["alert"]["labels"]["source"]), at)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def free(beside: int = 0) -> int:
    """A port that nobody has now, nor the one `beside` it."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + (beside or 1)))
            except OSError:
                continue
            return port


def refused(url: str, user: str, text: str) -> float:
    """Make a call that is blocked; when its answer was over."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    headers = {"content-type": "application/json", "x-user-id": user}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + "/v1/chat/completions", body, headers), timeout=20):
            raise SystemExit("a call that should have been blocked passed")
    except urllib.error.HTTPError as error:
        error.read()
        return time.monotonic()


def calls(proxy: str, count: int, every: float) -> dict[tuple[str, str], float]:
    """Blocked calls of as many callers."""
    ended = {}
    for number in range(count):
        name = f"u{number:04d}"
        ended[f"caller user:{name}", "decision"] = refused(proxy, name, f"write to jo.{name}@corp-example.com")
        time.sleep(random.uniform(0, 2 * every))
    return ended


def anomalies(proxy: str, count: int) -> dict[tuple[str, str], float]:
    """Callers who try variants of a refused prompt; the last variant is the event."""
    ended = {}
    for number in range(count):
        name = f"p{number:04d}"
        words = " ".join(
            random.choice(("red", "blue", "green", "old", "new", "slow", "warm", "cold")) for _ in range(60)
        )
        for turn in range(VARIANTS):
            at = refused(proxy, name, f"{words} word{turn} write to jo@corp-example.com")
        ended[f"caller user:{name}", "anomaly"] = at
        time.sleep(random.uniform(0, 1))
    return ended


def reports(server: str, token: str, count: int) -> dict[tuple[str, str], float]:
    """Proxies that report lost traces."""
    ended = {}
    for number in range(count):
        body = json.dumps({"name": f"far{number:03d}", "dropped": 5}).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        with urllib.request.urlopen(urllib.request.Request(server + "/v1/proxies", body, headers), timeout=20):
            ended[f"proxy far{number:03d}", "health"] = time.monotonic()
        time.sleep(random.uniform(0, 1))
    return ended


def told(what: str, ended: dict[tuple[str, str], float]) -> None:
    """Wait for all of it to arrive, and say how long it took."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not ended.keys() <= Hook.heard.keys():
        time.sleep(0.05)
    took = sorted(max(0.0, Hook.heard[name] - at) for name, at in ended.items() if name in Hook.heard)
    if not took:
        print(f"{what}: none of {len(ended)} was told")
        return
    p50, p95 = took[len(took) // 2], took[min(len(took) - 1, int(len(took) * 0.95))]
    print(
        f"{what}: {len(took)} of {len(ended)} told; p50 {p50:.2f} s, p95 {p95:.2f} s, max {took[-1]:.2f} s", flush=True
    )


def wait_for(url: str) -> None:
    """Until it answers."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--every", type=float, default=0.15, help="mean seconds between two blocked calls")
    chosen = parser.parse_args()
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "policy.yaml").write_text(POLICY)
        (folder / "settings.yaml").write_text(SETTINGS.format(port=hook.server_address[1]))
        proxy, server = free(beside=19), free()
        environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": place,
            "DATA_DIR": str(folder / "data"), "LOG_FORMAT": "json", "WORKERS": "1", "TOUR": "false", "ADMIN_PORT": "0",
            "AKTO_PROXY_PORT": str(proxy), "SERVER_PORT": str(server), "POLICY_FILE": str(folder / "policy.yaml"),
            "AKTO_PROXY_CONFIG": str(folder / "settings.yaml"), "DEPLOYMENT_KEY": secrets.token_hex(32),
        }  # fmt: skip
        with (folder / "log").open("wb") as log:
            product = subprocess.Popen(["akto-proxy", "up"], env=environ, cwd=folder, stdout=log, stderr=log)
            try:
                wait_for(f"http://127.0.0.1:{proxy}/readyz")
                wait_for(f"http://127.0.0.1:{server}/health")
                time.sleep(2)
                measure(f"http://127.0.0.1:{proxy}", f"http://127.0.0.1:{server}", environ, chosen)
            finally:
                product.send_signal(signal.SIGTERM)
                product.wait(60)


def measure(proxy: str, server: str, environ: dict[str, str], chosen: argparse.Namespace) -> None:
    """All three kinds of events, one after the other."""
    from akto_proxy.cli.targets import local_token
    from akto_proxy.config.settings import load

    print("load:", Path("/proc/loadavg").read_text().strip(), flush=True)
    told("blocked calls", calls(proxy, chosen.calls, chosen.every))
    told("anomalies", anomalies(proxy, max(10, chosen.calls // 10)))
    told("health", reports(server, local_token(load(environ)), max(10, chosen.calls // 10)))
    print("load:", Path("/proc/loadavg").read_text().strip())


if __name__ == "__main__":
    main()
