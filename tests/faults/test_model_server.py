"""A model server that breaks in every way, behind the real guard: nothing unscanned passes, and the proxy recovers.

The policy here is closed (`on_unreadable: block`). Times are small so that the suite is quick; the settings that stand
for them are named in docs/faults.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from akto_proxy.exchange.handler import Guardrails
from attacks.cases import KEY, MAIL, TEXT, answer, event, said
from attacks.ring import FAST, OK, Ring, guardrails, ring, status

ASK = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNKED = STREAM[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSED = """
version: 1
name: closed
policies:
  - {name: closed, severity: high, action: redact, on_error: block, on_unreadable: block,
     rules: [{id: all, detect: [secrets, pii]}]}
"""
OPEN = CLOSED.replace("action: redact", "action: alert").replace("closed", "open")
Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def handler(folder: Path) -> Guardrails:
    (folder / "closed.yaml").write_text(CLOSED)
    return guardrails(folder, POLICY_FILE=str(folder / "closed.yaml"))


def broken(*steps: bytes | float | str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A script: bytes are sent, a number is waited for, `reset` drops the connection at once."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for step in steps:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, str):
                writer.transport.abort()
            else:
                await asyncio.sleep(step)

    return script


async def then_well(house: Ring) -> None:
    """The next call is answered or fails by itself: nothing of the broken one is left."""
    out = await house.say(ASK)
    assert out.count(b"HTTP/1.1 ") == 1


async def test_a_reset_in_the_middle_of_a_secret_releases_no_half_of_it(handler: Guardrails) -> None:
    part = event("so: ", "key is ", KEY[:16])
    script = broken(CHUNKED + b"%x\r\n%b\r\n" % (len(part), part), 0.1, "reset")
    async with ring(handler, script) as house:
        out = await house.say(ASK)
        assert b"so: " in out
        assert KEY[:12].encode() not in out
        assert b'"error"' in out
        assert house.traces[-1].outcome == "upstream_error"
        await then_well(house)


async def test_silence_in_the_middle_of_a_secret_ends_in_time_and_releases_nothing(handler: Guardrails) -> None:
    script = broken(STREAM + event("mail ", MAIL[:15]), 5.0)
    async with ring(handler, script, timeouts=replace(FAST, idle=0.5)) as house:
        began = time.monotonic()
        out = await house.say(ASK)
        assert time.monotonic() - began < 4
        assert MAIL[:15].encode() not in out
        assert b'"error"' in out


async def test_no_answer_at_all_is_a_504_in_time(handler: Guardrails) -> None:
    async with ring(handler, broken(5.0), timeouts=replace(FAST, first_byte=0.5)) as house:
        began = time.monotonic()
        assert status(await house.say(ASK)) == 504
        assert time.monotonic() - began < 4


@pytest.mark.parametrize("raw", [answer(said(TEXT)), STREAM + event(*TEXT)], ids=["whole", "stream"])
async def test_a_byte_at_a_time_is_guarded_like_a_whole(raw: bytes, handler: Guardrails) -> None:
    steps = [step for at in range(len(raw)) for step in (raw[at : at + 1], 0.0)]
    async with ring(handler, broken(*steps)) as house:
        out = await house.say(ASK, seconds=20)
        assert KEY.encode() not in out
        assert MAIL.encode() not in out
        assert house.traces[-1].verdict.name == "REDACT"


async def test_a_byte_a_second_for_ever_has_an_end(handler: Guardrails) -> None:
    steps = [step for _ in range(100) for step in (b":\n", 0.1)]
    async with ring(handler, broken(STREAM, *steps), timeouts=replace(FAST, total=0.8)) as house:
        began = time.monotonic()
        await house.say(ASK, seconds=8)
        assert time.monotonic() - began < 5
        assert house.traces[-1].outcome != "ok"


async def test_a_stream_that_never_ends_stops_when_its_caller_leaves(handler: Guardrails) -> None:
    gone = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(STREAM)
        try:
            while True:
                writer.write(event("word "))
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()

    async with ring(handler, script) as house:
        await house.say(ASK, seconds=0.5)
        await asyncio.wait_for(gone.wait(), 3)


@pytest.mark.parametrize("promised", [len(said(TEXT)) + 50, 10_000_000])
async def test_a_body_shorter_than_promised_never_passes_half(promised: int, handler: Guardrails) -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (promised, said(TEXT))
    async with ring(handler, broken(raw)) as house:
        out = await house.say(ASK)
        assert status(out) == 502
        assert KEY.encode() not in out


async def test_a_body_longer_than_promised_costs_the_connection_only(handler: Guardrails) -> None:
    async with ring(handler, broken(OK + said(TEXT))) as house:
        out = await house.say(ASK)
        assert out.endswith(b'{"ok":true}')
        assert KEY.encode() not in out
        await then_well(house)
        assert len(house.received) == 2


@pytest.mark.parametrize(
    "raw", [b"\x00" * 5000, b"<html>", b"HTTP/1.1 999 X\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000]
)
async def test_garbage_is_a_502(raw: bytes, handler: Guardrails) -> None:
    async with ring(handler, broken(raw)) as house:
        assert status(await house.say(ASK)) == 502
        assert house.faults == []


@pytest.mark.parametrize(
    "raw",
    [
        answer(said(TEXT), more=b"Content-Encoding: gzip\r\n"),
        answer(said(TEXT), more=b"Content-Encoding: foo\r\n"),
        answer(said(TEXT)[:-1]),
        answer(b"\x80\x00\xff\x13" * 250 + TEXT.encode(), b"application/octet-stream"),
        answer(said(TEXT), b"application/json; charset=utf-7"),
    ],
)
async def test_what_cannot_be_read_does_not_pass_a_closed_policy(raw: bytes, handler: Guardrails) -> None:
    async with ring(handler, broken(raw)) as house:
        out = await house.say(ASK)
        assert status(out) == 400
        assert KEY.encode() not in out


async def test_a_storm_of_reloads_leaves_every_exchange_under_one_policy(folder: Path, handler: Guardrails) -> None:
    (folder / "open.yaml").write_text(OPEN)
    other = guardrails(folder, POLICY_FILE=str(folder / "open.yaml"))
    guards = [handler._shared.guard, other._shared.guard]
    redacting = guards[0].policies.version
    steps = [step for piece in TEXT.split(" ") for step in (event(piece + " "), 0.002)]
    async with ring(handler, broken(STREAM, *steps)) as house:

        async def one(number: int) -> bytes:
            await asyncio.sleep(number * 0.007)
            return await house.say(ASK, seconds=20)

        async def storm() -> None:
            for turn in range(10_000):
                handler.swap(guards[turn % 2])
                await asyncio.sleep(0.001)

        task = asyncio.create_task(storm())
        try:
            answers = await asyncio.gather(*(one(number) for number in range(60)))
        finally:
            task.cancel()
            handler.swap(guards[0])
        closed = [trace for trace in house.traces if trace.policy_version == redacting]
        assert len(house.traces) == len(answers) == 60
        assert 0 < len(closed) < 60
        assert all((trace.verdict.name == "REDACT") == (trace.policy_version == redacting) for trace in house.traces)
        assert sum(KEY.encode() in out for out in answers) == 60 - len(closed)


async def test_a_name_that_moves_is_followed(handler: Guardrails) -> None:
    served: list[str] = []

    def at(address: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            served.append(address)
            writer.write(OK)
            await writer.drain()
            writer.close()

        return serve

    first = await asyncio.start_server(at("127.0.0.1"), "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    second = await asyncio.start_server(at("127.0.0.2"), "127.0.0.2", port)
    now = ["127.0.0.1"]
    loop = asyncio.get_running_loop()
    ask = loop.getaddrinfo

    async def getaddrinfo(host: str, port: int, **more: int) -> list[tuple[object, ...]]:
        return list(await ask(now[0] if host == "model.internal" else host, port, **more))

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign, assignment]
    try:
        async with ring(handler, url=f"http://model.internal:{port}") as house:
            assert status(await house.say(ASK)) == 200
            first.close()
            now[0] = "127.0.0.2"
            until = time.monotonic() + 5
            while status(await house.say(ASK)) != 200:
                assert time.monotonic() < until
                await asyncio.sleep(0.1)
    finally:
        loop.getaddrinfo = ask  # type: ignore[method-assign]
        first.close()
        second.close()
    assert served[0] == "127.0.0.1"
    assert served[-1] == "127.0.0.2"
