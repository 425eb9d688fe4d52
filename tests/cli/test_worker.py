"""A worker of the running product, killed with SIGKILL the moment its caller has the last byte."""

import json
import os
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from akto_proxy.spool.frame import Frame, Kind
from akto_proxy.spool.layout import writers
from akto_proxy.spool.read import read_all


def worker_pid(product) -> int:
    """The worker that listens now."""
    found = [json.loads(line) for line in product.printed().splitlines() if '"listening"' in line]
    return int(found[-1]["pid"])


def call(product, number: int, *, stream: bool) -> bytes:
    """The whole answer of one chat call, read until its last byte and no further."""
    body = json.dumps(
        {"model": "demo", "stream": stream, "messages": [{"role": "user", "content": f"call-{number} please"}]}
    ).encode()
    where = urlsplit(product.proxy)
    with socket.create_connection((where.hostname, where.port), timeout=20) as caller:
        caller.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        got = b""
        while not whole(got):
            data = caller.recv(65536)
            assert data, got
            got += data
    return got


def whole(got: bytes) -> bool:
    """A caller's view: a stream is over at its last event, a body at its length."""
    head, _, body = got.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line[15:])
    return b"[DONE]" in body


def kept(product) -> list[str]:
    """The requests that the spool's files hold now."""
    return [
        json.loads(item.payload)["request"]["body"]
        for directory in writers(product.folder / "data" / "spool")
        for _, item in read_all(directory)
        if isinstance(item, Frame) and item.kind is Kind.TRACE
    ]


@pytest.mark.parametrize("fsync", ["interval", "each"])
def test_strict_audit_has_the_trace_of_every_answer_a_caller_saw(start_product, fsync):
    product = start_product("proxy", AUDIT="strict", SPOOL_FSYNC=fsync, TOUR="false")
    for number in range(2):
        answer = call(product, number, stream=number % 2 == 1)
        pid = worker_pid(product)
        os.kill(pid, signal.SIGKILL)
        assert b" 200 OK" in answer
        assert sum(f"call-{number} please" in text for text in kept(product)) == 1
        until = time.monotonic() + 30
        while worker_pid(product) == pid and time.monotonic() < until:
            time.sleep(0.05)
    product.stop()
    assert len(kept(product)) == 2
