"""The caller's answer as bytes: its head, its framing, its end, and whether that end was honest.

The framing is chosen once: the announced length where bytes pass unchanged, chunks where they may change, the end of
the connection for HTTP/1.0. An answer that turns out shorter than announced can only be ended by breaking the
connection; longer is an error before the first byte too many.
"""

from __future__ import annotations

from akto_proxy.exchange.face import Answer, AnswerMode, Headers
from akto_proxy.proxy import heads
from akto_proxy.proxy.reader import Head

_NO_BODY = frozenset((204, 304))


class AnswerWriter:
    """Collects what is to be sent in `out`; `take` hands it over in one piece."""

    __slots__ = ("_chunked", "_head", "_left", "keep", "out", "status")

    def __init__(self, head: Head) -> None:
        self._head = head
        self._chunked = False
        self._left = -1
        self.keep = head.keep
        self.out: list[bytes] = []
        self.status = 0

    @property
    def chunked(self) -> bool:
        """The answer can be ended properly at any point."""
        return self._chunked

    def begin(self, answer: Answer, length: int) -> None:
        """The head of an answer whose body follows in pieces. `length` is upstream's, -1 if unknown."""
        self.status = answer.status
        if self._head.method == b"HEAD" or answer.status in _NO_BODY:
            self._left = 0
            framing = heads.length(length) if length >= 0 and answer.status != 204 else b""
        elif answer.mode is AnswerMode.PASS and length >= 0:
            self._left = length
            framing = heads.length(length)
        elif self._head.minor:
            self._chunked = True
            framing = heads.CHUNKED
        else:
            self.keep = False
            framing = b""
        self._put_head(answer.status, answer.headers, framing)

    def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """An answer that is complete. What was not taken before is dropped."""
        self.out = []
        self.status = status
        bodiless = self._head.method == b"HEAD" or status in _NO_BODY
        self._put_head(status, headers, b"" if status in _NO_BODY else heads.length(len(body)))
        if body and not bodiless:
            self.out.append(body)

    def emit(self, data: bytes) -> None:
        """Some of the body.

        Raises:
            ValueError: more than the length that was announced.
        """
        if self._chunked:
            self.out.append(heads.chunk(data))
            return
        if self._left >= 0:
            self._left -= len(data)
            if self._left < 0:
                raise ValueError("more bytes than the length that was announced")
        self.out.append(data)

    def end(self) -> bool:
        """No more comes. False when fewer bytes came than announced: only a broken connection says so."""
        if self._chunked:
            self.out.append(heads.LAST_CHUNK)
        return self._left <= 0

    def take(self) -> bytes:
        """What is to be sent now, in one piece."""
        out = self.out
        if not out:
            return b""
        self.out = []
        return out[0] if len(out) == 1 else b"".join(out)

    def _put_head(self, status: int, headers: Headers, framing: bytes) -> None:
        self.out.append(heads.answer_head(status, headers, framing if self.keep else framing + heads.CLOSE))
