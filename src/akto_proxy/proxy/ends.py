"""How an exchange ends: answered, refused, failed, broken off, left by its caller, or by a fault of ours.

Each end is reached once (`_over` says so), writes the books, and lets nothing out that the exchange did not return.
With AUDIT=strict the last byte waits for the trace; what could not be kept is not passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Protocol

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange.face import AnswerMode, Exchange, Forward, Refusal, RequestHead
from akto_proxy.proxy import heads
from akto_proxy.proxy.answer import AnswerWriter
from akto_proxy.proxy.books import Books
from akto_proxy.proxy.core import Core, Meter
from akto_proxy.proxy.counters import count
from akto_proxy.proxy.reader import Head
from akto_proxy.proxy.upstream import UpstreamConnection

_SKIP = 65536
_COMMIT_WAIT = 30.0


class Client(Protocol):
    """The client connection as an exchange sees it."""

    paused: bool
    """Its socket is full."""

    def write(self, data: bytes) -> None:
        """Send."""
        ...

    def answered(self, *, keep: bool) -> None:
        """The answer is out: read the next request, or close."""
        ...

    def kill(self) -> None:
        """Close at once: the answer cannot be finished honestly."""
        ...


class Ends:
    """One exchange alive, as far as its ends go."""

    __slots__ = (
        "_answer",
        "_body",
        "_books",
        "_client",
        "_conn",
        "_core",
        "_exchange",
        "_forward",
        "_head",
        "_held",
        "_keepalive",
        "_last_in",
        "_last_out",
        "_meter",
        "_mode",
        "_over",
        "_parts",
        "_read",
        "_request",
        "_retried",
        "_size",
        "_task",
    )

    def __init__(self, core: Core, client: Client, head: Head, request: RequestHead) -> None:
        self._core = core
        self._client = client
        self._head = head
        self._request = request
        self._answer = AnswerWriter(head)
        self._exchange: Exchange | None = None
        self._forward: Forward | None = None
        self._conn: UpstreamConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._body: bytes | None = None
        self._mode: AnswerMode | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._over = self._read = self._retried = self._held = False
        self._keepalive = b""
        self._meter: Meter | None = None
        self._last_in = self._last_out = core.loop.time()
        self._books = Books(core, monotonic())

    def up_flush(self) -> None:
        """Send what the last read made."""
        if self._answer.out and not self._held:
            data = self._answer.take()
            self._last_out = self._core.loop.time()
            if not self._books.first_out:
                self._books.first_out = monotonic()
            self._client.write(data)

    def _end_answer(self) -> None:
        if self._answer.end():
            self._finish()
        else:
            self._break_off()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal. The head of no answer was sent yet."""
        if self._over:
            return
        self._core.count_refusal(refusal.reason)
        if refusal.trace is not None and self._exchange is None:
            self._core.keep_trace(refusal.trace)
        self._drop_upstream()
        answer = self._answer
        answer.keep = answer.keep and not refusal.close and not self._core.draining and self._skippable()
        try:
            answer.whole(refusal.status, refusal.headers, refusal.body)
        except heads.HeadError as error:
            self._core.fault(error)
            answer.keep = False
            answer.whole(500, [], b"")
        self._finish()

    def _skippable(self) -> bool:
        """What is still to come of the request is little and certain: read over it instead of closing."""
        head = self._head
        return self._read or (0 <= head.length <= _SKIP and not head.expect)

    def _failed(self, error: UpstreamError) -> None:
        """Upstream failed: a refusal if nothing was sent yet, else the exchange's last words."""
        exchange = self._exchange
        if self._over or exchange is None:
            return
        count(self._core.counters.upstream_errors, error.reason)
        self._drop_upstream()
        try:
            if self._mode in (None, AnswerMode.WHOLE):
                self._refuse(exchange.fail(error))
            else:
                self._break(exchange.abort(error))
        except Exception as fault:  # noqa: BLE001  fail closed, whatever broke
            self._fault(fault)

    def _break(self, last: bytes) -> None:
        """End an answer that began: properly if the exchange could say so in it, else by breaking the connection."""
        if last and self._answer.chunked:
            self._answer.emit(last)
            self._answer.keep = False
            self._end_answer()
        else:
            self._break_off()

    def _break_off(self) -> None:
        self.up_flush()
        self._answer.keep = False
        self._client.kill()
        self._finish()

    def _fault(self, error: BaseException) -> None:
        """A bug of the house: nothing unchecked leaves."""
        if self._over:
            return
        self._core.fault(error)
        self._drop_upstream()
        if self._mode in (None, AnswerMode.WHOLE):
            self._answer.keep = False
            self._refuse(self._core.refusal("internal", 500, "the proxy failed; nothing was passed on", self._request))
            return
        self._answer.out.clear()
        self._break_off()

    def _drop_upstream(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            conn.abort()
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task(self._core.loop):
            task.cancel()

    def _abandon(self, exchange: Exchange | None, status: int) -> None:
        """The exchange is over, and nobody waits for its answer."""
        self._over = True
        self._answer.out.clear()
        if self._conn is not None or self._task is not None:
            self._drop_upstream()
        streamed = self._mode is AnswerMode.STREAM
        self._books.close(exchange, status=status, streamed=streamed, client_gone=True)

    def _finish(self) -> None:
        """The exchange is over, and what is left of its answer goes out."""
        if self._over:
            return
        self._over = True
        if self._conn is not None or self._task is not None:
            self._drop_upstream()
        if not self._core.options.strict:
            self.up_flush()
            self._books.ended = monotonic()
            self._core.closing.add(self._close)
            self._client.answered(keep=self._answer.keep)
        elif not self._close():
            self._unrecorded()
        elif self._core.commit is None:
            self._release()
        else:
            self._held = True
            self._task = self._core.loop.create_task(self._commit(self._core.commit()))

    def _close(self) -> bool:
        return self._books.close(
            self._exchange,
            status=self._answer.status or 499,
            streamed=self._mode is AnswerMode.STREAM,
            client_gone=False,
        )

    async def _commit(self, synced: Awaitable[None]) -> None:
        """Hold the last byte until the trace is on the medium."""
        try:
            await asyncio.wait_for(synced, _COMMIT_WAIT)
        except Exception as error:  # noqa: BLE001  what is not surely kept must not be passed on
            self._core.fault(error)
            self._unrecorded()
            return
        self._release()

    def _release(self) -> None:
        self._held = False
        self.up_flush()
        self._client.answered(keep=self._answer.keep)

    def _unrecorded(self) -> None:
        """AUDIT=strict and the trace could not be kept: the caller gets a refusal, or an answer without its end."""
        self._answer.out.clear()
        self._core.count_refusal("unrecorded")
        if self._books.first_out:
            self._client.kill()
        else:
            why = "The proxy could not keep a trace of this call, so it does not pass the answer on."
            refusal = self._core.refusal("unrecorded", 503, why, self._request)
            self._answer.keep = False
            self._answer.whole(refusal.status, refusal.headers, refusal.body)
        self._release()
