"""Bodies: those of requests, bounded on the wire and unpacked so that no small bomb becomes a large one; JSON."""

from __future__ import annotations

import gzip
import io
import zlib

import orjson
import zstandard
from fastapi import Request, Response

from akto_proxy.collector.problem import Problem


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status, headers, "application/json")


async def read_body(request: Request, *, limit: int, unpacked: int) -> bytes:
    """The body's bytes without their content encoding.

    Raises:
        Problem: 413 too large, 415 an encoding we do not know, 400 damaged.
    """
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
    return unpack(b"".join(parts), request.headers.get("content-encoding", "identity"), unpacked)


def unpack(data: bytes, encoding: str, limit: int) -> bytes:
    """Undo one content encoding, up to `limit` bytes.

    Raises:
        Problem: as `read_body`.
    """
    encoding = encoding.strip().lower() or "identity"
    if encoding == "identity":
        return data
    if encoding not in ("gzip", "zstd"):
        raise Problem(415, "content-encoding: expected gzip, zstd or identity")
    try:
        if encoding == "gzip":
            with gzip.open(io.BytesIO(data)) as file:
                out = file.read(limit + 1)
        else:
            with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(io.BytesIO(data)) as reader:
                out = reader.read(limit + 1)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError):
        raise Problem(400, f"the body is not sound {encoding}") from None
    if len(out) > limit:
        raise _too_large(limit)
    return bytes(out)


def parse_json(data: bytes) -> object:
    """The JSON value.

    Raises:
        Problem: 400 when it is none; the message does not repeat it.
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Problem(400, f"the body is not JSON (line {error.lineno}, column {error.colno})") from None


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is larger than {limit} bytes; send smaller batches")
