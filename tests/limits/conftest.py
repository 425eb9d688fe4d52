from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.model import Caller, Message, Trace, Usage
from tests_support import free_port

SECOND = 1_000_000_000


class Clock:
    def __init__(self, at: int = 1_700_000_000 * SECOND) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at

    def seconds(self) -> float:
        return self.at / SECOND

    def tick(self, seconds: float) -> None:
        self.at += int(seconds * SECOND)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trace() -> Callable[..., Trace]:
    """A finished call: `prompt`, `completion`, `size` and any field of Trace."""

    def make(prompt: int = 0, completion: int = 0, size: int = 0, **changes: Any) -> Trace:
        base = Trace(
            id="0" * 32,
            started=0.0,
            endpoint="e",
            method="POST",
            path="/v1/chat/completions",
            route="chat",
            engine="",
            status=200,
            outcome="ok",
            upstream_status=200,
            model="m",
            caller=Caller(ip="10.0.0.1", key="k"),
            usage=Usage(prompt, completion),
            request=Message(size=size),
        )
        return replace(base, **changes)

    return make


class PrivateRedis:
    """A redis-server of its own on a free port, with TLS if `folder` is to have cert.pem and key.pem."""

    def __init__(self, folder: Path, *, tls: bool) -> None:
        self.port = free_port()
        self._command = ["redis-server", "--dir", str(folder), "--save", "", "--loglevel", "warning"]
        self._command += ["--bind", "127.0.0.1", "--port", "0" if tls else str(self.port)]
        if tls:
            self._command += ["--tls-port", str(self.port), "--tls-auth-clients", "no"]
            self._command += ["--tls-cert-file", str(folder / "cert.pem"), "--tls-key-file", str(folder / "key.pem")]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.02)
        raise AssertionError("redis-server did not start")

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Callable[..., PrivateRedis]]:
    """Starts private Redis servers, without persistence; skips where no redis-server is installed."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    made: list[PrivateRedis] = []

    def start(*, tls: bool = False) -> PrivateRedis:
        server = PrivateRedis(tmp_path, tls=tls)
        made.append(server)
        server.start()
        return server

    yield start
    for server in made:
        server.stop()
