"""Connections kept, asked whether they live, and dialled; on raw sockets, so that the order of events is exact."""

import asyncio
import socket

import pytest

from akto_proxy.errors import UpstreamError
from akto_proxy.proxy.counters import Counters
from akto_proxy.proxy.options import Limits, Timeouts, Upstream
from akto_proxy.proxy.pool import Pool

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Heard:
    """A reader that notes what it hears."""

    def __init__(self):
        self.events = []
        self.over = asyncio.Event()

    def up_head(self, status, headers, length):
        self.events.append(("head", status, length))

    def up_data(self, data):
        self.events.append(("data", data))

    def up_end(self):
        self.events.append(("end",))
        self.over.set()

    def up_lost(self, error):
        self.events.append(("lost", error.reason, error.retry))
        self.over.set()

    def up_flush(self):
        pass


@pytest.fixture
async def listener():
    sock = socket.create_server(("127.0.0.1", 0))
    sock.settimeout(2)
    yield sock
    sock.close()


@pytest.fixture
async def pool(listener):
    upstream = Upstream("http", "127.0.0.1", listener.getsockname()[1])
    made = Pool(upstream, Timeouts(connect=0.5, pool_idle=2), Limits(pool=2), Counters(), asyncio.get_running_loop())
    yield made
    made.close()


async def exchange(pool, listener, conn=None, there=None):
    """One whole exchange on a connection, new or given; the connection is back in the pool afterwards."""
    if conn is None:
        conn = await pool.dial()
        there = listener.accept()[0]
    heard = Heard()
    conn.send(b"GET / HTTP/1.1\r\n\r\n", b"", heard, bodiless=False)
    await asyncio.sleep(0.01)
    there.recv(1000)
    there.sendall(ANSWER)
    await asyncio.wait_for(heard.over.wait(), 1)
    assert heard.events == [("head", 200, 2), ("data", b"ok"), ("end",)]
    pool.give(conn)
    return conn, there


async def test_the_last_used_is_used_again_and_no_more_are_kept_than_allowed(pool, listener):
    made = [(await pool.dial(), listener.accept()[0]) for _ in range(3)]
    for conn, there in made:
        await exchange(pool, listener, conn, there)
    assert pool.take() is made[1][0]
    assert pool.take() is made[0][0]
    assert pool.take() is None
    assert made[2][0].lost


async def test_a_connection_closed_behind_our_back_is_never_used(pool, listener):
    _, there = await exchange(pool, listener)
    await asyncio.sleep(0.3)
    there.close()
    assert pool.take() is None  # the loop has not seen the end yet, the kernel has


async def test_old_ones_are_closed(pool, listener):
    conn, _ = await exchange(pool, listener)
    pool.sweep(asyncio.get_running_loop().time() + 3)
    assert conn.lost
    assert pool.take() is None


@pytest.mark.parametrize("arrived", [False, True])
async def test_whether_a_lost_request_arrived_is_known(pool, listener, arrived):
    conn, there = await exchange(pool, listener)
    await asyncio.sleep(0.3)
    assert pool.take() is conn
    heard = Heard()
    if not arrived:
        there.close()  # before the request is written: the kernel there will answer it with a reset
    conn.send(b"POST / HTTP/1.1\r\n\r\n", b"x", heard, bodiless=False)
    if arrived:
        await asyncio.sleep(0.05)
        there.close()  # unread but acknowledged: nobody can tell, so it is not repeated
    await asyncio.wait_for(heard.over.wait(), 1)
    assert heard.events == [("lost", "reset", not arrived)]


async def test_a_busy_connection_is_known_without_asking_the_kernel_first(pool, listener):
    conn, there = await exchange(pool, listener)
    assert pool.take() is conn  # taken at once: the count of what was written stands in
    there.close()
    heard = Heard()
    conn.send(b"POST / HTTP/1.1\r\n\r\n", b"x", heard, bodiless=False)
    await asyncio.wait_for(heard.over.wait(), 1)
    assert heard.events == [("lost", "reset", True)]


async def test_what_nobody_asked_for_costs_the_connection(pool, listener):
    conn, there = await exchange(pool, listener)
    there.sendall(ANSWER)
    await asyncio.sleep(0.02)
    assert conn.lost
    assert pool.take() is None


async def test_dialling_fails_in_words():
    loop = asyncio.get_running_loop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        port = taken.getsockname()[1]
        cases = {
            "unreachable": Upstream("http", "127.0.0.1", port),
            "dns": Upstream("http", "no-such-host.invalid", 80),
        }
        for reason, upstream in cases.items():
            pool = Pool(upstream, Timeouts(connect=3), Limits(), Counters(), loop)
            with pytest.raises(UpstreamError) as caught:
                await pool.dial()
            assert caught.value.retry
            # a resolver that cannot be reached may only time out
            assert caught.value.reason in (reason, "connect_timeout" if reason == "dns" else reason)


async def test_a_listener_that_never_accepts_runs_into_the_time_limit():
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        upstream = Upstream("http", "127.0.0.1", address[1])
        pool = Pool(upstream, Timeouts(connect=0.2), Limits(), Counters(), asyncio.get_running_loop())
        with pytest.raises(UpstreamError) as caught:
            await pool.dial()
        assert caught.value.reason == "connect_timeout"
        for filler in fillers:
            filler.close()


async def test_keep_alive_is_asked_of_the_kernel(pool, listener):
    conn = await pool.dial()
    sock = conn.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    conn.abort()


async def test_a_name_is_looked_up_once_for_a_burst_of_dials(listener):
    loop = asyncio.get_running_loop()
    looked_up = []

    class Names:
        """The loop, but for its resolver."""

        def __getattr__(self, name):
            return getattr(loop, name)

        async def getaddrinfo(self, host, port, **_):
            looked_up.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    upstream = Upstream("http", "model.example", listener.getsockname()[1])
    pool = Pool(upstream, Timeouts(), Limits(), Counters(), Names())
    made = [await pool.dial() for _ in range(5)]
    assert looked_up == ["model.example"]
    for conn in made:
        conn.abort()
