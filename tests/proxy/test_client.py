"""A caller's connection: refusals it can read, patience it is given, requests sent ahead."""

import asyncio
from dataclasses import replace

import pytest
from tests.proxy.conftest import PassHandler

from akto_proxy.model import Trace
from akto_proxy.proxy.options import Limits, Timeouts

GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_a_bad_request_is_answered_and_closed(house):
    one = await house()
    caller = await one.call()
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx")
    status, headers, body = await caller.answer()
    assert (status, headers["connection"], body) == (400, "close", b'{"error":"malformed"}')
    assert await caller.rest() == b""
    assert one.server.counters.refusals == {"malformed": 1}
    assert one.upstream.connections == 0


@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n"])
@pytest.mark.parametrize("rest", [b"zz\r\n", b"2\r\n{}\r\n0\r\nX: trailer\r\n\r\n"])
@pytest.mark.parametrize("strict", [False, True])
async def test_a_broken_body_is_answered_once_and_its_trace_tells_the_refusal(house, connection, rest, strict):
    class Tracing(PassHandler):
        def refuse(self, reason, status, message, head):
            assert head is not None
            kept = Trace("f" * 32, 0.0, "e", "POST", "/", "r", "e", status, "refused")
            return replace(super().refuse(reason, status, message, head), trace=kept)

    one = await house(handler=Tracing(), strict=strict)
    caller = await one.call()
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + connection + b"Transfer-Encoding: chunked\r\n\r\n" + rest)
    status, headers, _ = await caller.answer()
    assert (status, headers["connection"]) == (400, "close")
    assert await caller.rest() == b""
    assert [(trace.id, trace.status, trace.outcome) for trace in one.traces] == [("f" * 32, 400, "refused")]
    assert one.faults == []
    counters = one.server.counters
    assert (counters.active, counters.client_gone, counters.statuses) == (0, 0, {400: 1})


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(house):
    one = await house(limits=Limits(body=1000))
    caller = await one.call()
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 3_000_000)
    status, headers, _ = await caller.answer()  # readable although the caller is still sending
    assert (status, headers["connection"]) == (413, "close")


async def test_requests_sent_ahead_are_answered_in_order(house):
    one = await house()
    caller = await one.call()
    caller.send(b"".join(GET % b"%d" % i for i in range(20)))
    for i in range(20):
        assert (await caller.answer())[2].startswith(b"GET /%d " % i)
    assert one.upstream.connections == 1


async def test_refused_requests_sent_ahead_do_not_pile_up_calls(house):
    one = await house()
    caller = await one.call()
    caller.send((GET % b"refused") * 1500)
    for _ in range(1500):
        assert (await caller.answer())[0] == 404


async def test_a_caller_too_far_ahead_is_not_read(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    go = asyncio.Event()
    one = await house(script, limits=Limits(pipeline=1000))
    caller = await one.call()
    caller.send((GET % b"x") * 200_000)
    await asyncio.sleep(0.2)
    assert one.server.counters.bytes_in < 2_000_000
    go.set()
    for _ in range(100):
        assert (await caller.answer())[0] == 200


async def test_a_refusal_by_head_reads_over_a_small_body_and_keeps_the_connection(house):
    one = await house()
    caller = await one.call()
    for cut in (60, 200):
        request = b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 100
        caller.send(request[:cut])
        await asyncio.sleep(0.02)
        caller.send(request[cut:])
        assert (await caller.answer())[0] == 404
    caller.send(GET % b"ok")
    assert (await caller.answer())[0] == 200
    caller.send(b"POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    status, headers, _ = await caller.answer()
    assert (status, headers["connection"]) == (404, "close")


async def test_expect_continue(house):
    one = await house()
    caller = await one.call()
    head = b"POST /%b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    caller.send(head % b"x")
    assert (await caller.answer())[0] == 100
    caller.send(b"hello")
    status, _, body = await caller.answer()
    assert status == 200
    assert b"expect" not in body.lower()
    caller.send(head % b"refused")  # no interim answer: the body must not be sent at all
    status, headers, _ = await caller.answer()
    assert (status, headers["connection"]) == (404, "close")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", None),
        (b"GET / HTTP/1.1\r\nHost:", "head_timeout"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nx", "body_timeout"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "body_timeout"),
    ],
)
async def test_slow_callers_are_given_up(house, sent, reason):
    one = await house()
    caller = await one.call()
    caller.send(sent)
    got = await caller.rest()
    if reason is None:
        assert got == b""
    else:
        assert got.startswith(b"HTTP/1.1 408 ")
        assert one.server.counters.refusals == {reason: 1}
    assert one.server.counters.active == 0


async def test_a_slowloris_that_drips_is_given_up(house):
    one = await house()
    caller = await one.call()

    async def drip():
        while True:
            caller.send(b"X")
            await asyncio.sleep(0.02)

    caller.send(b"GET / HTTP/1.1\r\n")
    task = asyncio.create_task(drip())
    got = await caller.rest()
    task.cancel()
    assert got.startswith(b"HTTP/1.1 408 ")


async def test_an_idle_kept_connection_is_closed_later(house, timeouts):
    from dataclasses import replace

    one = await house(patience=replace(timeouts, head=0.2, keep_alive=0.6))
    caller = await one.call()
    caller.send(GET % b"x")
    assert (await caller.answer())[0] == 200
    await asyncio.sleep(0.35)
    caller.send(GET % b"x")
    assert (await caller.answer())[0] == 200
    assert await caller.rest() == b""


async def test_too_many_connections(house):
    one = await house(limits=Limits(connections=2))
    callers = [await one.call() for _ in range(3)]
    assert (await callers[2].answer())[0] == 503
    for caller in callers[::2]:
        caller.close()
    await asyncio.sleep(0.02)
    caller = await one.call()
    caller.send(GET % b"x")
    assert (await caller.answer())[0] == 200


async def test_probes_are_answered_here(house):
    one = await house()
    caller = await one.call()
    for path in (b"healthz", b"readyz"):
        caller.send(GET % path)
        status, headers, body = await caller.answer()
        assert (status, headers["content-type"], body) == (200, "application/json", b'{"status":"ok"}\n')
    caller.send(b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await caller.answer(head=True))[0] == 200
    assert one.upstream.connections == 0
    caller.send(b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")  # only reading is local
    assert (await caller.answer())[0] == 200
    assert one.upstream.connections == 1


async def test_a_body_in_many_pieces_and_a_large_one(house):
    one = await house()
    caller = await one.call()
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
    for _ in range(30):
        caller.send(b"x" * 100_000)
        await asyncio.sleep(0)
    status, _, body = await caller.answer()
    assert status == 200
    assert body.endswith(b"x" * 3_000_000)
    caller.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    )
    body = (await caller.answer())[2]
    assert body.endswith(b"Content-Length: 11\r\n\r\nhello world")


async def test_nothing_is_left_behind(house, timeouts):
    one = await house(patience=Timeouts(linger=0.1))
    for request in (GET % b"x", GET % b"refused", b"rubbish\r\n\r\n", GET % b"healthz", b"GET /"):
        caller = await one.call()
        caller.send(request)
        await asyncio.sleep(0.03)
        caller.close()
    await asyncio.sleep(0.05)
    counters = one.server.counters
    assert (counters.connections, counters.active, counters.streams) == (0, 0, 0)
