"""One exchange between real sockets: passing, streaming, failing, leaving."""

import asyncio

import pytest

from akto_proxy.exchange.face import AnswerMode, Refusal
from akto_proxy.proxy.options import Timeouts

GET = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /generate HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-One: 1\r\n\r\nhello"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


async def test_client_leaves_and_upstream_is_closed_at_once(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE + chunk(b"data: 1\n\n"))
        assert await reader.read() == b""

    one = await house(script)
    caller = await one.call()
    caller.send(POST)
    await asyncio.wait_for(caller.reader.readuntil(b"data: 1"), 1)
    caller.close()
    await asyncio.wait_for(one.upstream.closed.wait(), 0.5)
    assert one.server.counters.client_gone == 1
    assert [t.outcome for t in one.traces] == ["client_gone"]


async def test_client_leaves_before_any_answer(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        assert await reader.read() == b""

    one = await house(script)
    caller = await one.call()
    caller.send(POST)
    await asyncio.sleep(0.1)
    caller.writer.write_eof()  # half a close is a leave too
    await asyncio.wait_for(one.upstream.closed.wait(), 0.5)
    assert one.traces[0].status == 499


async def test_time_runs_out_before_the_head_and_in_the_stream(house, read_one):
    async def script(reader, writer):
        request = await read_one(reader)
        if b"/stream" in request:
            writer.write(SSE + chunk(b"data: 1\n\n"))
        await asyncio.sleep(3)

    patience = Timeouts(first_byte=0.2, idle=0.2)
    one = await house(script, patience=patience)
    caller = await one.call()
    caller.send(POST)
    status, _, body = await caller.answer()
    assert (status, body) == (504, b'{"error":"first_byte_timeout"}')
    caller.send(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await caller.answer())[2] == b'data: 1\n\ndata: {"error":"idle_timeout"}\n\n'
    assert one.server.counters.upstream_errors == {"first_byte_timeout": 1, "idle_timeout": 1}


async def test_a_scale_up_timeout_is_waited_for(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        await asyncio.sleep(0.5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    caller = await (await house(script, patience=Timeouts(first_byte=0.1))).call()
    caller.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Scale-Up-Timeout: 600\r\n\r\n")
    assert (await caller.answer())[0] == 200


async def test_total_time(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE)
        while True:
            writer.write(chunk(b"data: 1\n\n"))
            await writer.drain()
            await asyncio.sleep(0.02)

    caller = await (await house(script, patience=Timeouts(total=0.3, linger=0.2))).call()
    caller.send(POST)
    assert (await caller.answer())[2].endswith(b'data: {"error":"total_timeout"}\n\n')


async def test_nobody_listens_upstream(house):
    one = await house()
    await one.upstream.stop()
    caller = await one.call()
    caller.send(POST)
    assert (await caller.answer())[2] == b'{"error":"unreachable"}'
    assert one.server.counters.upstream_errors == {"unreachable": 1}


async def test_a_stream_that_breaks_ends_with_last_words_or_with_a_broken_connection(house, read_one, make_handler):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE + chunk(b"data: 1\n\n"))

    caller = await (await house(script)).call()
    caller.send(POST)
    assert (await caller.answer())[2] == b'data: 1\n\ndata: {"error":"truncated"}\n\n'
    caller = await (await house(script, make_handler(last_words=False))).call()
    caller.send(POST)
    assert not (await caller.rest()).endswith(b"0\r\n\r\n")


async def test_cut_ends_the_answer_and_upstream_but_not_the_caller(house, read_one, make_handler):
    def on_chunk(exchange, data):
        exchange.cut = True
        return b"data: blocked\n\n"

    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE + chunk(b"data: 1\n\n"))
        assert await reader.read() == b""

    one = await house(script, make_handler(on_chunk=on_chunk))
    caller = await one.call()
    for _ in range(2):
        caller.send(POST)
        assert (await caller.answer())[2] == b"data: blocked\n\n"
        await asyncio.wait_for(one.upstream.closed.wait(), 0.5)
    assert one.server.counters.cut == 2


async def test_a_refused_request_is_not_sent(house, make_handler):
    handler = make_handler(on_request=lambda head, body: Refusal(400, [], b"blocked", "policy"))
    one = await house(handler=handler)
    caller = await one.call()
    for _ in range(2):
        caller.send(POST)
        assert (await caller.answer())[2] == b"blocked"
    assert one.upstream.connections == 0
    assert one.server.counters.refusals == {"policy": 2}
    assert len(one.traces) == 2


@pytest.mark.parametrize("where", ["on_request", "on_chunk", "on_body"])
async def test_a_bug_in_the_guard_lets_nothing_pass(house, make_handler, where):
    def broken(*_):
        raise KeyError("the secret text")

    mode = AnswerMode.WHOLE if where == "on_body" else AnswerMode.STREAM
    one = await house(handler=make_handler(mode=mode, **{where: broken}))
    caller = await one.call()
    caller.send(POST)
    got = await caller.rest()
    assert b"hello" not in got
    assert one.server.counters.faults == 1
    assert "KeyError" in one.faults[0]
    assert "secret" not in one.faults[0]
    assert len(one.traces) == 1


async def test_a_broken_sink_is_counted_and_the_answer_goes_on(house):
    def sink(trace):
        raise OSError("disk full of secrets")

    one = await house(server_args={"on_trace": sink})
    caller = await one.call()
    caller.send(GET)
    assert (await caller.answer())[0] == 200
    assert one.server.counters.trace_faults == 1


class Medium:
    """A disk whose syncs end when the test says so."""

    def __init__(self):
        self.asked, self.done, self.error = asyncio.Event(), asyncio.Event(), None

    async def commit(self):
        self.asked.set()
        await self.done.wait()
        if self.error:
            raise self.error


async def nothing_more(caller):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(caller.reader.readexactly(1), 0.05)


@pytest.mark.parametrize("streamed", [False, True])
async def test_strict_holds_the_last_byte_until_the_trace_is_on_the_medium(house, read_one, streamed):
    async def script(reader, writer):
        await read_one(reader)
        if streamed:
            writer.write(SSE + chunk(b"data: 1\n\n"))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(chunk(b"data: [DONE]\n\n"))
            await writer.drain()
            await finish.wait()
            writer.write(b"0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await asyncio.sleep(1)

    medium, finish = Medium(), asyncio.Event()
    one = await house(script, strict=True, server_args={"commit": medium.commit})
    caller = await one.call()
    caller.send(POST)
    if streamed:
        await caller.reader.readuntil(b"\r\n\r\n")
        assert await caller.chunk() == b"data: 1\n\n", "what is not the end is not held"
        await nothing_more(caller)
        assert not one.traces, "the end of a stream is held although the model server has not closed it yet"
        finish.set()
    await asyncio.wait_for(medium.asked.wait(), 2)
    assert len(one.traces) == 1
    await nothing_more(caller)
    medium.done.set()
    if streamed:
        assert [await caller.chunk(), await caller.chunk()] == [b"data: [DONE]\n\n", b""]
    else:
        assert (await caller.answer())[2] == b"ok"
    assert one.server.counters.active == 0


@pytest.mark.parametrize("broken", ["append", "sync"])
async def test_strict_passes_no_answer_whose_trace_could_not_be_kept(house, broken):
    def sink(trace):
        if broken == "append":
            raise OSError("no")

    medium = Medium()
    medium.done.set()
    medium.error = OSError("no") if broken == "sync" else None
    one = await house(strict=True, server_args={"on_trace": sink, "commit": medium.commit})
    caller = await one.call()
    caller.send(POST)
    status, _, body = await caller.answer()
    assert (status, body) == (503, b'{"error":"unrecorded"}')
    assert await caller.rest() == b""
    assert one.server.counters.refusals == {"unrecorded": 1}


async def test_strict_breaks_a_stream_whose_trace_could_not_be_kept(house, read_one):
    async def script(reader, writer):
        await read_one(reader)
        writer.write(SSE + chunk(b"data: 1\n\n"))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(chunk(b"data: 2\n\n") + b"0\r\n\r\n")

    def sink(trace):
        raise OSError("no")

    one = await house(script, strict=True, server_args={"on_trace": sink})
    caller = await one.call()
    caller.send(POST)
    got = await caller.rest()
    assert b"data: 1" in got
    assert b"data: 2" not in got
    assert not got.endswith(b"0\r\n\r\n")


async def test_a_caller_that_leaves_while_its_last_byte_is_held_harms_nobody(house):
    medium = Medium()
    one = await house(strict=True, server_args={"commit": medium.commit})
    caller = await one.call()
    caller.send(POST)
    await asyncio.wait_for(medium.asked.wait(), 2)
    caller.close()
    await asyncio.sleep(0.05)
    medium.done.set()
    await asyncio.sleep(0.05)
    assert (one.server.counters.active, one.server.counters.connections, one.faults) == (0, 0, [])
    assert len(one.traces) == 1
