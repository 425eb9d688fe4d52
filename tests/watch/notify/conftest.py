"""Receivers of every kind on loopback, and an incident to tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from akto_proxy.model import Alert, Incident, IncidentState, Severity
from akto_proxy.watch.desk import Notice

NOW = 1_700_000_000.0


@dataclass
class Heard:
    """What a receiver got: for HTTP the path, header fields and body."""

    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Receiver:
    """Answers each HTTP request with the next of `answers` (the last for ever), and keeps what came."""

    port: int = 0
    answers: list[int] = field(default_factory=lambda: [200])
    heard: list[Heard] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.heard.append(Heard(first.split()[1], headers, body))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(b"HTTP/1.1 %d X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    async def smtp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As little of RFC 5321 as a client needs."""
        writer.write(b"220 here\r\n")
        data = False
        while line := await reader.readline():
            self.lines.append(line)
            word = line[:4].upper()
            if data:
                data = line != b".\r\n"
                answer = b"" if data else b"250 kept\r\n"
            elif word == b"DATA":
                data, answer = True, b"354 go on\r\n"
            else:
                answer = b"221 bye\r\n" if word == b"QUIT" else b"250 fine\r\n"
            writer.write(answer)
            if word == b"QUIT" and not data:
                break
        writer.close()

    async def syslog(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lines.append(await reader.read())
        writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Any]:
    """`await receiver("http")` starts one."""
    servers = []

    async def start(kind: str) -> Receiver:
        made = Receiver()
        server = await asyncio.start_server(getattr(made, kind), "127.0.0.1", 0)
        servers.append(server)
        made.port = server.sockets[0].getsockname()[1]
        return made

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def notice() -> Notice:
    """A caller that names itself with every trick there is, in an incident of high severity."""
    subject = "caller user:<!channel> [x](http://evil) @everyone |pipe=1\r\nInjected: yes"
    alert = Alert("a" * 32, NOW, "exfiltration", Severity.HIGH, "unusual exfiltration", "f" * 32, subject, "about 1 %",
                  "9 of 10", NOW, 0.9, ("t" * 32,), (("rule", "r"), ("endpoint", "e")))  # fmt: skip
    incident = Incident("i" * 32, "f" * 32, "unusual exfiltration", Severity.HIGH, IncidentState.OPEN, NOW, NOW, 3,
                        subject, "", ("a" * 32,), ("t" * 32,))  # fmt: skip
    return Notice("opened", incident, alert)
