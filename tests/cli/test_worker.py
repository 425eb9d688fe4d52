"""A worker of the running product, killed with SIGKILL the moment its caller has the last byte."""

import json
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from akto_proxy.cli.worker import open_spool
from akto_proxy.config.settings import load
from akto_proxy.spool.frame import Frame, Kind
from akto_proxy.spool.layout import segments, writers
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


def test_the_last_segments_of_many_workers_leave_room_for_what_is_not_delivered(tmp_path):
    limit, workers = 8_000_000, 4
    spool = open_spool(load({"DATA_DIR": str(tmp_path), "WORKERS": str(workers), "SPOOL_MAX_SIZE": str(limit)}), "w")
    while len(segments(spool.directory)) < 2:
        spool.append(b"x" * 4000)
    assert workers * segments(spool.directory)[0].stat().st_size < limit / 7
    spool.close()


def metric(product, name: str) -> float:
    """One number of the admin port, without labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{product.environ['ADMIN_PORT']}/metrics", timeout=10) as page:
        return next(float(line.split()[1]) for line in page.read().decode().splitlines() if line.startswith(name + " "))


def ready(product) -> int:
    try:
        with urllib.request.urlopen(product.proxy + "/readyz", timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_full_spool_goes_on_as_was_chosen_and_is_seen_everywhere(start_product):
    """No server takes anything: the limit is reached after some twenty calls."""
    product = start_product("proxy", SPOOL_FULL="drop_oldest", SPOOL_MAX_SIZE="30000", TOUR="false")
    for number in range(50):
        assert b" 200 OK" in call(product, number, stream=False)
    assert metric(product, "akto_proxy_spool_dropped_total") > 0
    assert metric(product, "akto_proxy_lost_traces_total") == 0
    until = time.monotonic() + 10
    while "traces are lost or not safe" not in product.printed() and time.monotonic() < until:
        time.sleep(0.1)
    assert product.printed().count("traces are lost or not safe") == 1
    assert "call-49 please" in kept(product)[-1], "the newest are there"
    assert ready(product) == 200
    product.stop()

    product = start_product("proxy", SPOOL_FULL="block", SPOOL_MAX_SIZE="30000", TOUR="false")
    answers = [call(product, number, stream=False) for number in range(50)]
    passed = sum(b" 200 OK" in answer for answer in answers)
    assert 5 < passed < 50
    assert b" 503 " in answers[-1]
    assert b"spool is full" in answers[-1]
    assert len(kept(product)) == passed, "what was passed on is kept, and nothing else"
    assert ready(product) == 503
    assert metric(product, "akto_proxy_spool_dropped_total") == 0
    product.stop()
