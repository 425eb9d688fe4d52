"""One exchange, from a head that was read to its last byte out: the only file that knows both sockets.

Everything happens in callbacks, in this order: `open` -> `body` -> (a connection) -> `up_head` -> `up_data`* ->
`up_end`. Only dialling and a slow gate need a task. At any point `client_gone`, `check` (a time-out) or `up_lost` may
end it (see `ends`). Nothing is sent that the exchange did not return.

A request is sent a second time only when the first cannot have been acted on: no connection was made, or the
connection (kept or new) died while the kernel knows that not one byte of the request was acknowledged, or a kept
connection died without one byte of an answer and the method is idempotent. Once, and never after an answer began.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from time import monotonic

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange.face import AnswerMode, Ask, Exchange, Forward, Headers, Refusal
from akto_proxy.proxy import heads
from akto_proxy.proxy.core import Late
from akto_proxy.proxy.ends import Ends
from akto_proxy.proxy.upstream import UpstreamConnection

_DONE = b"[DONE]"
"""The event after which callers stop reading: with AUDIT=strict it counts as part of the last byte."""
_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS"))


class Flow(Ends):
    """One exchange alive."""

    __slots__ = ()

    # -- the client side

    def open(self) -> None:
        """Ask the gate, then the handler, before any body byte is read."""
        gate = self._core.gate
        if gate is None:
            self._opened()
            return
        try:
            entered = gate.enter(self._request)
        except Exception as error:  # noqa: BLE001  a gate that breaks must not open the door
            self._fault(error)
            return
        if hasattr(entered, "__await__"):
            self._task = self._core.loop.create_task(self._wait_gate(entered))
        else:
            self._entered(entered)

    def body(self, body: bytes) -> None:
        """The whole request body came."""
        self._read = True
        if self._over:
            return
        self._body = body
        if self._exchange is not None:
            self._core.requests.add(self._ask)

    def _ask(self) -> None:
        """What the exchange says of the request."""
        exchange, body = self._exchange, self._body
        self._body = None
        if self._over or exchange is None or body is None:
            return
        try:
            result = exchange.request(body)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)
            return
        self._go_on(result)

    def _go_on(self, result: Forward | Refusal | tuple[Headers, bytes] | bytes | Ask) -> None:
        """Do what the exchange decided, now or once checkers outside have answered."""
        if isinstance(result, Forward):
            self._forward = result
            self._ready()
        elif isinstance(result, Refusal):
            self._refuse(result)
        elif isinstance(result, Ask):
            self._task = self._core.loop.create_task(self._wait_checkers(result))
        elif isinstance(result, bytes):
            self._last_bytes(result)
        else:
            self._answer.keep = self._answer.keep and not self._core.draining
            self._answer.whole(self._answer.status, *result)
            self._finish()

    async def _wait_checkers(self, ask: Ask) -> None:
        exchange = self._exchange
        assert exchange is not None
        try:
            answers = await self._core.ask(ask) if self._core.ask is not None else ask.unanswered()
        except Exception as error:  # noqa: BLE001  a check that breaks is a check that failed: fail modes decide
            self._core.fault(error)
            answers = ask.unanswered()
        self._task = None
        if self._over:
            return
        try:
            self._go_on(exchange.told(answers))
            self.up_flush()
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def _ready(self) -> None:
        """The request may go, unless a limit that looks at bodies says no."""
        gate, exchange = self._core.gate, self._exchange
        if gate is None or not gate.has_late or exchange is None or self._books.token is None:
            self._send()
        else:
            self._ask_again(gate.named(self._books.token, exchange.model, exchange.offered))

    def _ask_again(self, said: Late | Awaitable[Late | None] | None) -> None:
        """Model and tools are known now: some limits count by them."""
        if inspect.isawaitable(said):
            self._task = self._core.loop.create_task(self._wait_again(said))
        elif said is None:
            self._send()
        elif self._exchange is not None:
            self._refuse(self._exchange.limited(*said))

    async def _wait_again(self, waiting: Awaitable[Late | None]) -> None:
        try:
            said = await waiting
        except Exception as error:  # noqa: BLE001  a gate that breaks must not open the door
            self._fault(error)
            return
        self._task = None
        if not self._over:
            self._ask_again(said)

    def client_gone(self) -> None:
        """The client left: so does its request."""
        if not self._over:
            self._core.counters.client_gone += 1
            self._abandon(self._exchange, self._answer.status or 499)

    def refused(self, status: int) -> None:
        """The client broke its own request off: who refuses it answers, and keeps a trace."""
        if not self._over:
            self._abandon(None, status)

    def pause(self) -> None:
        """The client's socket is full."""
        if self._conn is not None and self._mode is not AnswerMode.WHOLE:
            self._conn.pause()

    def resume(self) -> None:
        """The client reads again."""
        self._last_in = self._core.loop.time()
        if self._conn is not None:
            self._conn.resume()

    def check(self, now: float) -> None:
        """End what has waited too long. Called about once a second."""
        times = self._core.options.timeouts
        if times.total and now - self._books.started > times.total:
            self._failed(UpstreamError("the exchange took too long", reason="total_timeout"))
        elif self._conn is None or self._client.paused:
            return  # dialling has its own limit, and so has a client that does not read
        elif not self._books.up_first:
            least = self._forward.min_timeout + 10.0 if self._forward and self._forward.min_timeout else 0.0
            if now - self._last_in > max(times.first_byte, least):
                self._failed(UpstreamError("the model server did not answer in time", reason="first_byte_timeout"))
        elif now - self._last_in > times.idle:
            self._failed(UpstreamError("the model server went silent", reason="idle_timeout"))

    async def _wait_gate(self, waiting: object) -> None:
        assert inspect.isawaitable(waiting)
        try:
            entered = await waiting
        except Exception as error:  # noqa: BLE001  a gate that breaks must not open the door
            self._fault(error)
            return
        self._task = None
        self._entered(entered)

    def _entered(self, entered: object) -> None:
        if isinstance(entered, Refusal):
            self._refuse(entered)
            return
        self._books.token = entered
        if self._over:
            self._books.leave_gate(None)
        else:
            self._opened()

    def _opened(self) -> None:
        try:
            opened = self._core.handler.open(self._request)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)
            return
        if isinstance(opened, Refusal):
            self._refuse(opened)
            return
        self._exchange = opened
        if self._body is not None:
            self._core.requests.add(self._ask)
        elif self._head.expect:
            self._client.write(heads.CONTINUE)

    # -- the upstream side

    def _send(self, *, fresh: bool = False) -> None:
        conn = None if fresh else self._core.pool.take()
        if conn is None:
            self._task = self._core.loop.create_task(self._dial())
        else:
            self._send_on(conn)

    async def _dial(self) -> None:
        try:
            conn = await self._core.pool.dial()
        except UpstreamError as error:
            self._task = None
            self._failed(error)
            return
        self._task = None
        if self._over:
            conn.abort()
        else:
            self._send_on(conn)

    def _send_on(self, conn: UpstreamConnection) -> None:
        forward = self._forward
        assert forward is not None
        try:
            head = heads.request_head(forward, self._core.authority, self._core.prefix)
        except heads.HeadError as error:
            conn.abort()
            self._fault(error)
            return
        self._conn = conn
        self._last_in = self._core.loop.time()
        conn.send(head, forward.body, self, bodiless=forward.method == b"HEAD")

    def up_head(self, status: int, headers: Headers, length: int) -> None:
        """The upstream's head came."""
        self._last_in = self._core.loop.time()
        self._books.up_first = monotonic()
        try:
            self._take_head(status, headers, length)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def up_data(self, data: bytes) -> None:
        """Some of the answer came."""
        if self._over:
            return
        self._last_in = self._core.loop.time()
        try:
            self._take_data(data)
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def up_end(self) -> None:
        """The answer is whole."""
        if self._mode is AnswerMode.WHOLE:
            self._core.answers.add(self._ended)
        else:
            self._ended()

    def _ended(self) -> None:
        if self._over:
            return
        try:
            self._take_end()
        except Exception as error:  # noqa: BLE001  fail closed, whatever broke
            self._fault(error)

    def up_lost(self, error: UpstreamError) -> None:
        """The answer will not become whole: try again, or say so."""
        kept = self._conn is not None and self._conn.idle_since > 0
        self._conn = None
        idempotent = self._head.method in _IDEMPOTENT and kept and error.reason == "reset"
        if (error.retry or idempotent) and not self._retried and not self._over:
            self._retried = True
            self._core.counters.retries += 1
            self._send(fresh=True)
            return
        self._failed(error)

    def _take_head(self, status: int, headers: Headers, length: int) -> None:
        exchange = self._exchange
        assert exchange is not None
        answer = exchange.head(status, headers)
        self._mode = answer.mode
        self._answer.status = answer.status
        if answer.mode is AnswerMode.WHOLE:
            if length > self._core.options.limits.answer:
                self._failed(UpstreamError("the answer is too large to be checked", reason="too_large"))
            return
        if answer.mode is AnswerMode.STREAM:
            self._keepalive = getattr(exchange, "keepalive", b"")
            self._core.counters.streams += 1
            gate, token = self._core.gate, self._books.token
            self._meter = gate.meter(token) if gate is not None and token is not None else None
        self._answer.keep = self._answer.keep and not self._core.draining
        self._answer.begin(answer, length)
        if self._client.paused:
            self.pause()

    def _take_data(self, data: bytes) -> None:
        exchange = self._exchange
        assert exchange is not None
        if self._mode is AnswerMode.WHOLE:
            self._size += len(data)
            self._parts.append(data)
            if self._size > self._core.options.limits.answer:
                self._failed(UpstreamError("the answer is too large to be checked", reason="too_large"))
            return
        text = exchange.chunk(data)
        if text:
            self._answer.emit(text)
            self._held = self._core.options.strict and text[-16:].rstrip().endswith(_DONE)
        elif self._keepalive and self._last_in - self._last_out > self._core.options.timeouts.comment:
            self._core.counters.comments += 1
            self._answer.emit(self._keepalive)
        if exchange.cut:
            self._cut()
        elif self._meter is not None:
            ended = self._meter(exchange.used())
            if ended is not None:
                self._answer.emit(exchange.stop(*ended))
                self._cut()

    def _cut(self) -> None:
        """A block ended the stream: close the answer properly and let the model server stop working."""
        self._core.counters.cut += 1
        self._drop_upstream()
        self._end_answer()

    def _take_end(self) -> None:
        exchange = self._exchange
        assert exchange is not None
        conn, self._conn = self._conn, None
        if conn is not None:
            self._core.pool.give(conn)
        if self._mode is AnswerMode.WHOLE:
            self._take_whole(exchange)
            return
        tail = exchange.end()
        if isinstance(tail, Ask) and tail.meanwhile:
            self._answer.emit(tail.meanwhile)
            self._held = self._core.options.strict
        self._go_on(tail)

    def _last_bytes(self, tail: bytes) -> None:
        """The answer ends with these; it may have been cut by them."""
        if tail:
            self._answer.emit(tail)
        if self._exchange is not None and self._exchange.cut:
            self._core.counters.cut += 1
        self._end_answer()

    def _take_whole(self, exchange: Exchange) -> None:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        self._go_on(exchange.body(data))

    def _end_answer(self) -> None:
        if self._answer.end():
            self._finish()
        else:
            self._break_off()
