"""Undo content encodings, with a bound on what may come out: a few kilobytes can unpack to gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

import brotli
import zstandard

from akto_proxy.errors import BodyError

_MAX_LAYERS: Final = 3
_MAX_WINDOW: Final = 1 << 27


class UndecodableError(ValueError):
    """The bytes are not what Content-Encoding says, or the encoding is not one we know."""


def decode(data: bytes, content_encoding: bytes, max_size: int) -> bytes:
    """The bytes before their encodings were applied (the last named one is undone first).

    Raises:
        UndecodableError: an unknown encoding, too many of them, or damaged data.
        BodyError: more than `max_size` bytes come out (status 413).
    """
    names = [name.strip().lower() for name in content_encoding.split(b",")]
    layers = [name for name in names if name not in (b"", b"identity")]
    if len(layers) > _MAX_LAYERS:
        raise UndecodableError("too many content encodings")
    for name in reversed(layers):
        data = _undo(name, data, max_size)
    return data


def _undo(name: bytes, data: bytes, limit: int) -> bytes:
    if name in (b"gzip", b"x-gzip"):
        return _inflate(data, 31, limit)
    if name == b"deflate":
        return _deflate(data, limit)
    if name == b"br":
        return _brotli(data, limit)
    if name == b"zstd":
        return _zstd(data, limit)
    raise UndecodableError("unknown content encoding")


def _inflate(data: bytes, bits: int, limit: int) -> bytes:
    out, size = [], 0
    while data:  # gzip files may be concatenated
        stream = zlib.decompressobj(bits)
        try:
            piece = stream.decompress(data, limit + 1 - size)
        except zlib.error:
            raise UndecodableError("damaged data") from None
        out.append(piece)
        size += len(piece)
        if size > limit:
            raise _bomb(limit)
        if not stream.eof:
            raise UndecodableError("cut off data")
        data = stream.unused_data
    return b"".join(out)


def _deflate(data: bytes, limit: int) -> bytes:
    try:
        return _inflate(data, 15, limit)
    except UndecodableError:
        return _inflate(data, -15, limit)  # some senders leave out the zlib frame


def _brotli(data: bytes, limit: int) -> bytes:
    stream = brotli.Decompressor()
    try:
        out: bytes = stream.process(data, output_buffer_limit=limit + 1)
        while len(out) <= limit and not stream.is_finished():
            more = stream.process(b"", output_buffer_limit=limit + 1 - len(out))
            if not more:
                raise UndecodableError("cut off data")
            out += more
    except brotli.error:
        raise UndecodableError("damaged data") from None
    if len(out) > limit:
        raise _bomb(limit)
    return out


def _zstd(data: bytes, limit: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(data, read_across_frames=True)
    try:
        out = reader.read(limit + 1)
    except zstandard.ZstdError:
        raise UndecodableError("damaged data") from None
    if len(out) > limit:
        raise _bomb(limit)
    return out


def _bomb(limit: int) -> BodyError:
    return BodyError(f"the body unpacks to more than {limit} bytes", reason="size", status=413)
