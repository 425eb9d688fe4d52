"""What compose, chart and systemd units rely on: proxy and server apart, with one deployment key between them."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests_support import free_port

KEY = base64.b64encode(b"one key for all machines of this").decode()
CHAT = b'{"model": "demo", "messages": [{"role": "user", "content": "Hello from another machine"}]}'


class Machine:
    """`akto-proxy <part>` with a folder of its own, as on a machine of its own."""

    def __init__(self, folder: Path, part: str, **variables: str) -> None:
        self.output = folder / f"{part}.txt"
        self.environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "DATA_DIR": str(folder / f"{part}-data"),
            "DEPLOYMENT_KEY": KEY,
            "LOG_FORMAT": "json",
            "WORKERS": "1",
            "ADMIN_PORT": str(free_port()),
            **variables,
        }
        with self.output.open("wb") as sink:
            command = ["akto-proxy", part]
            self.process = subprocess.Popen(command, env=self.environ, cwd=folder, stdout=sink, stderr=sink)

    def wait(self, url: str) -> None:
        for _ in range(900):
            assert self.process.poll() is None, self.output.read_text()[-2000:]
            try:
                urllib.request.urlopen(url, timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(self.output.read_text()[-2000:])

    def run(self, *arguments: str) -> str:
        command = ["akto-proxy", *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    folder, there, here = tmp_path_factory.mktemp("machines"), free_port(), free_port(19)
    server = Machine(folder, "server", SERVER_PORT=str(there))
    proxy = Machine(
        folder,
        "proxy",
        AKTO_PROXY_PORT=str(here),
        AKTO_API_BASE_URL=f"http://127.0.0.1:{there}",
        INGEST_FORM="collector",
        TOUR="false",
    )
    try:
        server.wait(f"http://127.0.0.1:{there}/health")
        proxy.wait(f"http://127.0.0.1:{here}/readyz")
        yield server, proxy
    finally:
        for machine in (proxy, server):
            machine.process.send_signal(signal.SIGTERM)
        for machine in (proxy, server):
            machine.process.wait(60)


def test_the_server_takes_the_proxys_traces_without_a_token_of_its_own(machines: tuple[Machine, Machine]):
    server, proxy = machines
    url = f"http://127.0.0.1:{proxy.environ['AKTO_PROXY_PORT']}/v1/chat/completions"
    request = urllib.request.Request(url, CHAT, {"content-type": "application/json", "authorization": "Bearer hf_x"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        trace_id = answer.headers["x-akto-trace-id"]
    for _ in range(60):  # spool, shipper, collector, store
        kept = [json.loads(line) for line in server.run("traces", "list", "--json").splitlines()]
        if kept:
            break
        time.sleep(1)
    assert [item["id"] for item in kept] == [trace_id]


def test_the_proxys_doctor_finds_the_server_and_reads_a_trace_back(machines: tuple[Machine, Machine]):
    _, proxy = machines
    found = {item["name"]: item for item in json.loads(proxy.run("doctor", "--json"))["checks"]}
    for name in ("ingestion", "ingestion token", "ingestion trace", "trace kept"):
        assert found[name]["state"] == "ok", found[name]


def test_no_key_lies_on_either_disk(machines: tuple[Machine, Machine]):
    for machine in machines:
        names = {path.name for path in Path(machine.environ["DATA_DIR"]).rglob("*")}
        assert not names & {"deployment.key", "ingest.key", "audit.key"}, names
