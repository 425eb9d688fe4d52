"""Policies changed twenty times under live streams, two workers, real sockets: nothing dropped, nothing mixed.

Each answer says `amber` and `beryl` many times. One policy hides the first word, the other the second; so an answer
that was judged by both, or by none, would show.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests_support import free_port

RELOADS = 20
CALLERS = 6
TIMES = 60
POLICY = (
    "version: 1\npolicies: [{name: p, direction: response, rules: [{words: [%s], action: redact, redact: remove}]}]\n"
)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A model server: the two words, over and over, a stream of a second and a half."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(TIMES):
                event = {"choices": [{"index": 0, "delta": {"content": "amber beryl; "}}]}
                data = b"data: %b\n\n" % json.dumps(event).encode()
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
                await asyncio.sleep(0.025)
            writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


@pytest.fixture
def model() -> Iterator[str]:
    port, loop = free_port(), asyncio.new_event_loop()

    async def serve() -> None:
        await asyncio.start_server(_answer, "127.0.0.1", port)

    loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)


def ask(proxy: str) -> str:
    """One streamed answer, read to its end, as its text."""
    where = urlsplit(proxy)
    connection = HTTPConnection(where.hostname or "", where.port, timeout=60)
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "go"}]})
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    raw = answer.read()
    connection.close()
    assert answer.status == 200
    assert raw.rstrip().endswith(b"data: [DONE]"), "the stream was dropped"
    events = [json.loads(line[6:]) for line in raw.split(b"\n") if line.startswith(b"data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events)


def reloaded(product: Any) -> int:
    return product.printed().count('"policy reloaded"')


def _change(product: Any, file: Path, fresh: Path) -> None:
    """Swap the policy file twenty times, each once both workers have the one before."""
    for number in range(RELOADS):
        before = reloaded(product)
        fresh.write_text(POLICY % ("beryl" if number % 2 == 0 else "amber"))
        fresh.replace(file)
        until = time.monotonic() + 60
        while reloaded(product) < before + 2:
            assert time.monotonic() < until, product.printed()[-2000:]
            time.sleep(0.05)


@pytest.mark.slow
def test_twenty_reloads_under_live_streams_drop_and_mix_nothing(
    start_product: Callable[..., Any], model: str, tmp_path: Path
):
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY % "amber")
    product = start_product("proxy", APP_URL=model, POLICY_FILE=str(file), WORKERS="2", AKTO_PROXY_HOST="127.0.0.1")
    said: list[str] = []
    failed: list[str] = []
    stop = threading.Event()

    def call() -> None:
        while not stop.is_set():
            try:
                said.append(ask(product.proxy))
            except Exception as error:  # noqa: BLE001  a thread's failure must reach the test
                failed.append(repr(error))
                return

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        _change(product, file, tmp_path / "fresh.yaml")
    finally:
        stop.set()
        for caller in callers:
            caller.join(60)
        product.stop()
    assert failed == []
    amber, beryl = "amber ; " * TIMES, " beryl; " * TIMES
    kinds = {text: said.count(text) for text in set(said)}
    assert set(kinds) <= {amber, beryl}, "an answer was judged by both policies, or by none"
    assert len(kinds) == 2
    assert len(said) >= CALLERS * 3
    assert reloaded(product) >= 2 * RELOADS
    assert "refused" not in product.printed()
