"""A proxy of ours with a guard that passes everything: what the shell alone costs.

Usage: python bench/passthrough.py LISTEN_PORT UPSTREAM_PORT
"""

from __future__ import annotations

import asyncio
import gc
import sys

import uvloop

from akto_proxy.exchange.face import Answer, AnswerMode, Forward, Headers, Refusal, RequestHead
from akto_proxy.model import Trace
from akto_proxy.proxy.options import ProxyOptions, Upstream
from akto_proxy.proxy.server import Server


class Pass:
    def __init__(self, head: RequestHead) -> None:
        self.cut = False
        self._head = head

    def request(self, body: bytes) -> Forward:
        return Forward(self._head.method, self._head.target, self._head.headers, body)

    def head(self, status: int, headers: Headers) -> Answer:
        sse = any(n.lower() == b"content-type" and b"event-stream" in v for n, v in headers)
        self._headers = headers
        return Answer(status, headers, AnswerMode.STREAM if sse else AnswerMode.WHOLE)

    def body(self, data: bytes) -> tuple[Headers, bytes]:
        return self._headers, data

    def chunk(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""

    def fail(self, error: Exception) -> Refusal:
        return Refusal(502, [], b"", "upstream")

    def abort(self, error: Exception) -> bytes:
        return b""

    def trace(self, *, status: int, client_gone: bool, first_byte: int, upstream_first: int, total: int) -> Trace:
        return Trace("0" * 32, 0.0, "e", "POST", "/", "r", "e", status, "ok")


class PassHandler:
    def open(self, head: RequestHead) -> Pass:
        return Pass(head)

    def refuse(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        return Refusal(status, [], message.encode(), reason)


async def main(port: int, upstream: int) -> None:
    server = Server(ProxyOptions(Upstream("http", "127.0.0.1", upstream), port=port), PassHandler())
    await server.start()
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2])))
