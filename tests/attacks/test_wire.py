"""Planted secrets sent past the guard over real sockets, in both directions, in every odd form we could think of."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
import uvloop

from akto_proxy.exchange.handler import Guardrails
from attacks.cases import ANSWERS, REQUESTS, Attack
from attacks.ring import OK, WORDS, Ring, guardrails, ring, status

ASK = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """The loop that runs in production."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def handler(tmp_path_factory: pytest.TempPathFactory) -> Guardrails:
    return guardrails(tmp_path_factory.mktemp("attacks"))


def unchunked(body: bytes) -> bytes:
    out = b""
    while True:
        line, _, body = body.partition(b"\r\n")
        size = int(line.split(b";")[0] or b"0", 16) if re.fullmatch(rb"[0-9a-f]+(?:;.*)?", line) else 0
        if not size:
            return out
        out += body[:size]
        body = body[size + 2 :]


READERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda data: data,
    gzip.decompress,
    lambda data: gzip.decompress(gzip.decompress(data)),
    zlib.decompress,
    brotli.decompress,
    lambda data: re.sub(rb"[\0\x08\x1b]", b"", data),
    lambda data: data.replace(b'","', b""),
    lambda data: data.decode("utf-7").encode(),
    lambda data: data.decode("utf-16").encode(),
    lambda data: data.decode("cp037").encode(),
    lambda data: json.dumps(json.loads(data), ensure_ascii=False).encode(),
    lambda data: re.sub(rb"\\\\u00(..)", lambda m: bytes.fromhex(m[1].decode()), data),
    lambda data: re.sub(rb"\\\\x(..)", lambda m: bytes.fromhex(m[1].decode()), data),
    lambda data: b"".join(
        str(choice["delta"].get("content")).encode()
        for line in re.split(rb"\r\n|\r|\n", data)
        if line.startswith(b"data: {")
        for choice in json.loads(line[6:]).get("choices", ())
        if choice.get("index", 0) == 0
    ),
)
"""What readers of all kinds would make of a body."""


def leaked(raw: bytes) -> set[str]:
    """The planted words that some reader would find in these bytes."""
    head, _, body = raw.partition(b"\r\n\r\n")
    body = unchunked(body) if b"chunked" in head.lower() else body
    found = set()
    for data in (raw, body):
        for reader in READERS:
            try:
                said = reader(data)
            except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, zlib.error, brotli.error):
                continue
            found |= {word for word in WORDS if word.encode() in said}
    return found


def outcome(house: Ring, out: bytes, leaks: set[str], passed: bytes) -> str:
    """What became of it, in the words of the table."""
    trace = house.traces[-1] if house.traces else None
    if leaks:
        return "passes"
    if status(out) >= 400 and (trace is None or trace.outcome in ("refused", "upstream_error", "")):
        return f"refused {status(out)}"
    assert trace is not None
    if trace.verdict.name == "REDACT":
        return "redacted"
    if any(decision.bypassed for decision in trace.decisions):
        return "cut" if passed else "unread"
    return "clean"


def test_the_readers_find_what_is_there() -> None:
    assert all(leaked(b"x\r\n\r\n" + word.encode()) for word in WORDS)
    assert leaked(REQUESTS[0].raw) == set(WORDS)


@pytest.mark.parametrize("attack", REQUESTS, ids=lambda attack: attack.name)
async def test_a_caller_gets_nothing_past_the_guard(attack: Attack, handler: Guardrails) -> None:
    async with ring(handler) as house:
        out = await house.say(attack.raw)
        assert outcome(house, out, leaked(house.arrived()), b"") == attack.outcome
        assert house.faults == []
        assert house.heads() == (0 if attack.outcome.startswith("refused") else 1)
        shown = repr(house.traces) + out.decode("latin-1")
        assert not [word for word in WORDS if word in shown and attack.outcome != "passes"]


@pytest.mark.parametrize("attack", ANSWERS, ids=lambda attack: attack.name)
async def test_a_hostile_model_server_gets_nothing_past_the_guard(attack: Attack, handler: Guardrails) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(attack.raw)
        await writer.drain()

    async with ring(handler, script) as house:
        out = await house.say(ASK)
        found = outcome(house, out, leaked(out), b"yes")
        assert found == ("clean" if attack.outcome == "dropped" else attack.outcome)
        assert house.faults == []
        assert out.count(b"HTTP/1.1 ") == 1


async def test_what_is_unreadable_passes_nowhere_when_the_policy_says_closed(tmp_path: Path) -> None:
    policy = tmp_path / "closed.yaml"
    policy.write_text(
        "version: 1\nname: closed\npolicies:\n  - name: closed\n    severity: high\n    action: redact\n"
        "    on_error: block\n    on_unreadable: block\n    rules: [{id: secrets, detect: [secrets, pii]}]\n"
    )
    closed = guardrails(tmp_path, POLICY_FILE=str(policy))
    for attack in REQUESTS:
        if attack.outcome == "unread":
            async with ring(closed) as house:
                out = await house.say(attack.raw)
                assert status(out) == 400, attack.name
                assert house.heads() == 0


async def test_a_request_is_answered_once_however_it_is_cut(handler: Guardrails) -> None:
    async with ring(handler, OK) as house:
        for size in (1, 7, 64):
            await house.say(REQUESTS[0].raw, pieces=size)
        assert house.heads() == 3
        assert not leaked(house.arrived())


async def test_a_flood_of_tiny_events_holds_no_memory(handler: Guardrails) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(40):
            writer.write(b":\n\n" * 2000)
            await writer.drain()

    async with ring(handler, script) as house:
        out = await house.say(ASK, seconds=20)
        assert out.count(b":\n\n") == 80_000
        assert len(house.traces[-1].response.body) < 300_000
