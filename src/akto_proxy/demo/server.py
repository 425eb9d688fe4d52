"""The demonstration endpoint's process: plain HTTP/1.1 on loopback, one piece of a stream every few milliseconds."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus

from akto_proxy.demo.shapes import Reply, reply

MAX_BODY = 16 << 20
PAUSE = 0.01
"""Seconds between two events, so that a person sees a stream as one."""


def serve_demo(host: str, port: int) -> None:
    """Run until the process is stopped."""
    asyncio.run(_forever(host, port))


async def start(host: str, port: int, pause: float = PAUSE) -> asyncio.Server:
    """Listen; port 0 takes a free one."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _exchange(reader, writer, pause):
                pass
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass  # a client that left or does not speak HTTP is of no interest here
        finally:
            writer.close()

    return await asyncio.start_server(client, host, port)


async def _forever(host: str, port: int) -> None:
    async with await start(host, port) as server:
        await server.serve_forever()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause: float) -> bool:
    """One request and its answer; whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    size = int(headers.get("content-length", "0"))
    if size > MAX_BODY:
        return False
    data = await reader.readexactly(size)
    answer = reply(method, target.partition("?")[0], data)
    if answer.events:
        await _send_events(writer, answer, pause)
    else:
        await _send_whole(writer, answer, method)
    return headers.get("connection", "").lower() != "close"


async def _send_whole(writer: asyncio.StreamWriter, answer: Reply, method: str) -> None:
    body = json.dumps(answer.tree, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + (b"" if method == "HEAD" else body))
    await writer.drain()


async def _send_events(writer: asyncio.StreamWriter, answer: Reply, pause: float) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for event in answer.events:
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(pause)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
