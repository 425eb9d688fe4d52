"""One connection of a caller: bytes to requests, answers to bytes, and the patience a caller is given.

A refused caller is not cut off in mid-sentence: the answer is sent, its side of the connection is closed, and what it
still sends is thrown away for `Timeouts.linger` seconds, so that it can read the refusal instead of a reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from akto_proxy.exchange.face import Refusal, RequestHead
from akto_proxy.proxy import heads
from akto_proxy.proxy.core import Core
from akto_proxy.proxy.flow import Flow
from akto_proxy.proxy.reader import Head, RequestError, RequestReader

Local = Callable[[Head], Refusal | None]
"""Answers what must never go upstream; None for everything else."""


class ClientConnection(asyncio.Protocol):
    """A caller's connection. `everyone` is the set it is in while it lives; `local` answers what never goes up."""

    def __init__(self, core: Core, everyone: set[ClientConnection], local: Local, scheme: str) -> None:
        self.paused = False
        self._core = core
        self._everyone = everyone
        self._local = local
        self._scheme = scheme
        self._reader = RequestReader(core.options.limits, self)
        self._transport: asyncio.Transport | None = None
        self._flow: Flow | None = None
        self._answer: Refusal | None = None
        self._request: RequestHead | None = None
        self._ip = ""
        self._since = 0.0  # when what we wait for began
        self._paused_since = 0.0
        self._state = "head"
        self._lingering = self._feeding = False
        self._served = False

    @property
    def idle(self) -> bool:
        """No exchange is alive on it."""
        return self._flow is None and self._reader.waiting == "head"

    # -- asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        transport = cast(asyncio.Transport, transport)  # uvloop has its own class
        core = self._core
        self._transport = transport
        self._since = core.loop.time()
        peer = transport.get_extra_info("peername")
        self._ip = peer[0] if isinstance(peer, tuple) else ""
        transport.set_write_buffer_limits(high=core.options.limits.buffer)
        core.counters.connections += 1
        core.counters.connections_total += 1
        self._everyone.add(self)
        if len(self._everyone) > core.options.limits.connections:
            self._reject(RequestError("too_many_connections", "the proxy has too many connections", 503))

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        if self._lingering:
            return
        self._core.counters.bytes_in += len(data)
        self._feeding = True
        try:
            self._reader.feed(data)
        except RequestError as error:
            self._reject(error)
            return
        finally:
            self._feeding = False
        waiting = self._reader.waiting
        if waiting != self._state:
            self._state = waiting
            self._since = self._core.loop.time()
        if self._reader.full and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Called by the loop. A caller that will say no more is taken to have left, as nginx and Go take it."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self._core.counters.connections -= 1
        self._everyone.discard(self)
        self._reader.stop()
        self._transport = None
        flow, self._flow = self._flow, None
        if flow is not None:
            self._core.counters.active -= 1
            flow.client_gone()

    def pause_writing(self) -> None:
        """Called by the loop."""
        self.paused = True
        self._paused_since = self._core.loop.time()
        if self._flow is not None:
            self._flow.pause()

    def resume_writing(self) -> None:
        """Called by the loop."""
        self.paused = False
        if self._flow is not None:
            self._flow.resume()

    # -- the reader's sink

    def head_read(self, head: Head) -> None:
        """A whole head came."""
        counters = self._core.counters
        counters.requests += 1
        self._answer = self._local(head)
        if self._answer is not None:
            self._request = None
            return
        request = RequestHead(head.method, head.target, head.headers, self._ip, self._scheme)
        self._request = request
        counters.active += 1
        flow = self._flow = Flow(self._core, self, head, request)
        flow.open()

    def request_read(self, body: bytes) -> None:
        """The whole body came."""
        if self._flow is not None:
            self._flow.body(body)
        elif self._answer is not None:
            answer, self._answer = self._answer, None
            self._send_refusal(answer, keep=not self._core.draining and not answer.close)
        else:  # refused by its head, and now read over
            self._core.loop.call_soon(self._next)

    # -- what an exchange asks for

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None:
            self._core.counters.bytes_out += len(data)
            self._transport.write(data)

    def answered(self, *, keep: bool) -> None:
        """The answer is out: read the next request, or close."""
        if self._flow is not None:
            self._flow = None
            self._request = None
            self._core.counters.active -= 1
        if self._transport is None or self._transport.is_closing():
            return
        self._served = True
        if not keep or self._core.draining:
            self._close_gently()
            return
        self._since = self._core.loop.time()
        if self._reader.waiting != "answer":
            return  # the rest of a refused body is read over first
        self._state = "head"
        if self._feeding or self._reader.ahead:
            self._core.loop.call_soon(self._next)
        else:
            self._reader.resume()

    def kill(self) -> None:
        """Close at once."""
        self._reader.stop()
        if self._transport is not None:
            self._transport.abort()

    # -- time

    def check(self, now: float) -> None:
        """End what has waited too long. Called about once a second."""
        times = self._core.options.timeouts
        waited = now - self._since
        if self.paused:
            if now - self._paused_since > times.stall:
                self._core.count_refusal("client_stalled")
                self.kill()
        elif self._lingering:
            if waited > times.linger:
                self.kill()
        elif self._flow is None or self._reader.waiting == "body":
            self._check_reading(waited)
        if self._flow is not None:
            self._flow.check(now)

    def _check_reading(self, waited: float) -> None:
        times = self._core.options.timeouts
        waiting = self._reader.waiting
        if waiting == "head":
            if waited > times.keep_alive or (waited > times.head and not self._served):
                self.close()
        elif waiting == "rest":
            if waited > times.head:
                self._reject(RequestError("head_timeout", "the request head took too long", 408))
        elif waiting == "body":
            due = (waited - times.body_grace) * self._core.options.limits.body_rate
            if due > 0 and self._reader.received < due:
                self._reject(RequestError("body_timeout", "the request body comes too slowly", 408))

    def close(self) -> None:
        """Close when what was written is sent."""
        self._reader.stop()
        if self._transport is not None:
            self._transport.close()

    def _next(self) -> None:
        if self._transport is None or self._reader.waiting != "answer":
            return
        self._state = "head"
        self._transport.resume_reading()
        self._feeding = True
        try:
            self._reader.resume()
        except RequestError as error:
            self._reject(error)
        finally:
            self._feeding = False

    def _reject(self, error: RequestError) -> None:
        """Answer what is not a request, and close."""
        if self._lingering or self._transport is None:
            return
        self._reader.stop()
        refusal = self._core.refusal(error.reason, error.status, str(error), self._request)
        self._core.count_refusal(error.reason)
        if refusal.trace is not None:
            self._core.keep_trace(refusal.trace)
        flow, self._flow = self._flow, None
        if flow is not None:
            self._core.counters.active -= 1
            flow.refused(error.status)
        self._send_refusal(refusal, keep=False)

    def _send_refusal(self, refusal: Refusal, *, keep: bool) -> None:
        framing = heads.length(len(refusal.body)) + (b"" if keep else heads.CLOSE)
        try:
            head = heads.answer_head(refusal.status, refusal.headers, framing)
        except heads.HeadError as error:
            self._core.fault(error)
            self.kill()
            return
        self.write(head + refusal.body)
        self.answered(keep=keep)

    def _close_gently(self) -> None:
        transport = self._transport
        if transport is None:
            return
        unread = self._reader.waiting != "answer"
        self._reader.stop()
        if not unread or not transport.can_write_eof():
            transport.close()
            return
        self._lingering = True
        self._since = self._core.loop.time()
        transport.write_eof()
