"""What is written down when an exchange is over."""

import asyncio

from akto_proxy.proxy.books import Books
from akto_proxy.proxy.core import Core


class Exchange:
    def trace(self, **times):
        self.times = times
        return self


class Gate:
    def __init__(self):
        self.left = []

    def leave(self, token, trace):
        self.left.append((token, trace))


async def test_times_are_microseconds_since_the_head_and_the_token_goes_back_once():
    gate, kept = Gate(), []
    loop = asyncio.get_running_loop()
    core = Core(None, None, None, loop, on_trace=kept.append, gate=gate)
    books = Books(core, loop.time() - 2)
    books.token = "t"
    books.up_first = books.started + 0.5
    books.first_out = books.started + 1
    core.counters.streams = 1
    exchange = Exchange()
    assert books.close(exchange, status=200, streamed=True, client_gone=False)
    books.leave_gate(None)
    assert kept == [exchange]
    assert gate.left == [("t", exchange)]
    assert abs(exchange.times["upstream_first"] - 500_000) < 2
    assert abs(exchange.times["first_byte"] - 1_000_000) < 2
    assert exchange.times["total"] >= 2_000_000
    assert (core.counters.streams, core.counters.statuses) == (0, {200: 1})


async def test_a_trace_that_cannot_be_made_is_a_fault():
    gate = Gate()
    core = Core(None, None, None, asyncio.get_running_loop(), gate=gate)
    books = Books(core, 0.0)
    books.token = "t"
    assert not books.close(object(), status=200, streamed=False, client_gone=False)
    assert core.counters.faults == 1
    assert gate.left == [("t", None)]
