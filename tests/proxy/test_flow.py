"""One exchange between real sockets: passing, streaming, failing, leaving."""

import asyncio

import pytest

from akto_proxy.exchange.face import AnswerMode, Forward, Refusal
from akto_proxy.proxy.options import Limits, Timeouts, Upstream

GET = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /generate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-One: 1\r\n\r\nhello"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_a_request_passes_and_the_connection_is_kept(house):
    one = await house(upstream=Upstream("http", "model.example", 8000, "/prefix", "127.0.0.1"))
    caller = await one.call()
    for _ in range(3):
        caller.send(POST)
        status, headers, body = await caller.answer()
        assert status == 200
        assert body.startswith(b"POST /prefix/generate HTTP/1.1\r\nHost: model.example:8000\r\n")
        assert b"X-One: 1\r\n" in body
        assert body.endswith(b"\r\n\r\nhello")
        assert "connection" not in headers
    assert one.upstream.connections == 1
    assert [t.status for t in one.traces] == [200, 200, 200]
    assert one.server.counters.reused == 2
    assert one.server.counters.active == 0


async def test_hop_by_hop_headers_go_neither_way(house, read_one):
    async def script(reader, writer):
        seen.append(await read_one(reader))
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Drop\r\nKeep-Alive: timeout=5\r\nX-Drop: 1\r\nX-Stay: 2\r\n"
            b"Content-Length: 2\r\n\r\nok"
        )

    seen: list[bytes] = []
    caller = await (await house(script)).call()
    caller.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine\r\nX-Mine: 1\r\nTE: trailers\r\n"
        b"Proxy-Authorization: Basic eDp5\r\nKeep-Alive: 1\r\nAuthorization: Bearer hf_x\r\n\r\n"
    )
    status, headers, body = await caller.answer()
    assert (status, body) == (200, b"ok")
    assert "x-stay" in headers
    assert not {"connection", "keep-alive", "x-drop"} & set(headers)
    lower = seen[0].lower()
    assert b"authorization: bearer" in lower
    for word in (b"x-mine", b"te:", b"proxy-", b"keep-alive", b"connection"):
        assert word not in lower


async def test_the_first_event_is_not_delayed(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE)
        await go.wait()
        for i in range(3):
            writer.write(chunk(b"data: %d\n\n" % i))
            await writer.drain()
            await asyncio.sleep(0.05)
        writer.write(b"0\r\n\r\n")
        await asyncio.sleep(1)

    go = asyncio.Event()
    one = await house(script)
    caller = await one.call()
    caller.send(POST)
    raw = await asyncio.wait_for(caller.reader.readuntil(b"\r\n\r\n"), 1)  # the head is there before any event
    assert b"Transfer-Encoding: chunked" in raw
    assert one.server.counters.streams == 1
    go.set()
    assert [await caller.chunk() for _ in range(4)] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n", b""]
    assert one.server.counters.streams == 0


async def test_a_kept_connection_that_died_is_not_used(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    one = await house(script)
    caller = await one.call()
    for _ in range(3):
        caller.send(POST)
        assert (await caller.answer())[2] == b"ok"
        await asyncio.sleep(0.02)
    assert one.upstream.connections == 3


@pytest.mark.parametrize(("method", "again"), [(b"GET", True), (b"POST", False)])
async def test_a_request_that_may_have_been_read_is_repeated_only_when_idempotent(house, read_one, method, again):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await read_one(reader)  # read, then dropped

    one = await house(script)
    caller = await one.call()
    request = method + b" / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
    caller.send(request)
    assert (await caller.answer())[0] == 200
    caller.send(request)
    status, _, body = await caller.answer()
    assert (status == 200) is again, body
    assert one.upstream.connections == (2 if again else 1)
    assert one.server.counters.retries == int(again)


async def test_bad_gateways(house, read_one):
    answers = {
        b"two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"two framings": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"bare lf": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"garbage": b"\x16\x03\x01rubbish",
        b"fold": b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 2\r\n\r\nok",
        b"coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
        b"switch": b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"nothing": b"",
        b"half a head": b"HTTP/1.1 200 OK\r\nContent-",
        b"huge head": b"HTTP/1.1 200 OK\r\n" + b"X: %b\r\n" % (b"y" * 1000) * 300,
        b"status": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    }

    async def script(reader, writer):
        await read_one(reader)
        writer.write(next(waiting))

    waiting = iter(answers.values())
    one = await house(script)
    for name in answers:
        caller = await one.call()
        caller.send(POST)
        status, _, body = await caller.answer()
        assert status == 502, name
        assert body in (b'{"error":"bad_answer"}', b'{"error":"reset"}', b'{"error":"truncated"}'), name
    assert not one.faults


async def test_interim_answers_are_swallowed(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await read_one(reader)

    caller = await (await house(script)).call()
    caller.send(POST)
    status, headers, body = await caller.answer()
    assert (status, body) == (200, b"ok")
    assert "link" not in headers


async def test_lies_about_length(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(next(waiting))

    waiting = iter(
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood",
        )
    )
    one = await house(script)
    caller = await one.call()
    caller.send(POST)
    assert (await caller.rest()).endswith(b"\r\n\r\nok")  # shorter: the connection breaks, it does not pretend
    caller = await one.call()
    for expected in (b"ok", b"good"):
        caller.send(POST)
        assert (await caller.answer())[2] == expected
    assert one.upstream.connections == 3


async def test_an_answer_without_length_ends_with_its_connection(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nsome")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(b"thing")

    caller = await (await house(script)).call()
    for _ in range(2):
        caller.send(POST)
        status, headers, body = await caller.answer()
        assert (status, headers["transfer-encoding"], body) == (200, "chunked", b"something")


async def test_head_and_bodiless_statuses(house, read_one):
    async def script(reader, writer):
        while True:
            request = await read_one(reader)
            if request.startswith(b"HEAD"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
            elif b"/204" in request:
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            else:
                writer.write(b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n")

    caller = await (await house(script)).call()
    caller.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await caller.answer(head=True))[1]["content-length"] == "99"
    caller.send(b"GET /204 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, headers, _ = await caller.answer()
    assert status == 204
    assert not {"content-length", "transfer-encoding"} & set(headers)
    caller.send(b"GET /304 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await caller.answer())[0] == 304


async def test_whole_answers_are_rewritten_refused_or_too_large(house, make_handler):
    handler = make_handler(mode=AnswerMode.WHOLE, on_body=lambda data: ([(b"X-New", b"1")], b"short"))
    one = await house(handler=handler, limits=Limits(answer=4096))
    caller = await one.call()
    caller.send(POST)
    status, headers, body = await caller.answer()
    assert (status, headers, body) == (200, {"x-new": "1", "content-length": "5"}, b"short")
    handler.on_body = lambda data: Refusal(400, [], b"no", "blocked")
    caller.send(POST)
    assert (await caller.answer())[2] == b"no"
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000)
    assert (await caller.answer())[2] == b'{"error":"too_large"}'


async def test_a_header_with_a_line_break_is_never_sent(house, make_handler):
    evil = [(b"X", b"1\r\nX-Evil: 2")]
    one = await house(handler=make_handler(on_request=lambda head, body: Forward(b"GET", b"/", evil, b"")))
    caller = await one.call()
    caller.send(GET)
    assert (await caller.answer())[0] == 500
    assert one.server.counters.faults == 1
    one = await house(handler=make_handler(on_request=lambda head, body: Refusal(400, evil, b"", "x")))
    caller = await one.call()
    caller.send(GET)
    status, headers, _ = await caller.answer()
    assert status == 500
    assert "x-evil" not in headers


async def test_a_slow_reader_slows_the_model_server(house, read_one):
    async def script(reader, writer):
        nonlocal sent
        await read_one(reader)
        writer.write(SSE)
        while True:
            writer.write(chunk(b"data: " + b"x" * 8000 + b"\n\n"))
            await writer.drain()
            sent += 8000

    sent = 0
    one = await house(script, patience=Timeouts(stall=0.6))
    caller = await one.call(limit=1024)
    caller.send(POST)
    await asyncio.sleep(0.4)
    before = sent
    await asyncio.sleep(0.1)
    assert sent == before  # the sockets are full and nothing moves
    assert before < 16_000_000
    await asyncio.wait_for(one.upstream.closed.wait(), 3)  # and a reader that never reads is given up
    assert one.server.counters.client_gone == 1


async def test_a_comment_while_text_is_held_back(house, read_one, make_handler):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE)
        for _ in range(20):
            writer.write(chunk(b"data: 1\n\n"))
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")

    handler = make_handler(on_chunk=lambda exchange, data: b"", keepalive=b":\n\n")
    one = await house(script, handler, patience=Timeouts(comment=0.1))
    caller = await one.call()
    caller.send(POST)
    body = (await caller.answer())[2]
    assert 2 <= body.count(b":\n\n") <= 4
    assert one.server.counters.comments == body.count(b":\n\n")


async def test_gate_refuses_delays_and_is_told(house):
    class Gate:
        has_late = False
        left: list[object] = []  # noqa: RUF012

        def enter(self, head):
            if head.target == b"/later":
                return self.later()
            return Refusal(429, [], b"slow down", "limited") if head.target == b"/no" else "token"

        async def later(self):
            await asyncio.sleep(0.05)
            return "late token"

        def leave(self, token, trace):
            self.left.append((token, trace.status))

    one = await house(server_args={"gate": Gate()})
    caller = await one.call()
    caller.send(b"GET /no HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await caller.answer())[0] == 429
    caller.send(GET)
    assert (await caller.answer())[0] == 200
    caller.send(b"GET /later HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await caller.answer())[0] == 200
    assert Gate.left == [("token", 200), ("late token", 200)]


async def test_an_http_1_0_caller_gets_no_chunks(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE + chunk(b"data: 1\n\n") + b"0\r\n\r\n")

    caller = await (await house(script)).call()
    caller.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
    got = await caller.rest()
    assert got.endswith(b"Connection: close\r\n\r\ndata: 1\n\n")
