"""What a body is, by its Content-Type and by its first bytes; and how an answer must be handled."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Final

from akto_proxy.wire.route import Route

_BEFORE: Final = b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"
_MAGIC: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "audio/wav"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"BM", "image/bmp"),
    (b"#!AMR", "audio/amr"),
)
_SENT: Final = (b"data:", b"event:", b"\xef\xbb\xbfdata:")
_CHARSET = re.compile(rb"charset[ \t]*\*?=[ \t]*\"?'?([^\s;,\"']*)", re.IGNORECASE)
_PLAIN_CHARSETS = re.compile(
    rb"(?:utf[-_]?(?:8|16|32)(?:[-_]?[lb]e)?|(?:us-)?ascii|iso[-_]8859-[0-9]{1,2}|latin-?[1-9]|(?:windows-|cp)125[0-9])?",
    re.IGNORECASE,
)
_EVENTS: Final = "text/event-stream"
_NDJSON: Final = frozenset(
    (
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/x-jsonlines",
        "application/stream+json",
    )
)
_FORM: Final = "application/x-www-form-urlencoded"
_USUAL: Final = 80
_TEXTUAL: Final = frozenset(("application/xml", "application/yaml", "application/x-yaml", "application/javascript"))


def media_type(content_type: bytes) -> str:
    """The media type alone, in lower case, without parameters."""
    return (_usual_media_type if len(content_type) < _USUAL else _media_type)(content_type)


def _media_type(content_type: bytes) -> str:
    return content_type.partition(b";")[0].strip().lower().decode("latin-1")


def is_ndjson(content_type: bytes) -> bool:
    """True for one JSON value a line."""
    return media_type(content_type) in _NDJSON


def kind_of(content_type: bytes, data: bytes) -> str:
    """One of `json`, `ndjson`, `events`, `form`, `multipart`, `text`, `media`, `binary`."""
    named = media_type(content_type)
    if named in _NDJSON:
        return "ndjson"
    if data.startswith(_SENT) and (b"\n" in data or b"\r" in data):
        return "events"  # whatever its name, clients read it as a stream
    if named.endswith("json") or _looks_like_json(data):
        return "json"
    if named == _EVENTS:
        return "events"
    if named.startswith("multipart/"):
        return "multipart"
    if named == _FORM:
        return "form"
    if named.startswith("text/") or named in _TEXTUAL or named.endswith("+xml"):
        return "text"
    return _by_bytes(data, named)


def _looks_like_json(data: bytes) -> bool:
    head = data[:64].lstrip(_BEFORE)
    if not head and len(data) > 64:  # only then: white space may be as long as the sender likes
        head = data.lstrip(_BEFORE)[:64]
    return head[:1] in (b"{", b"[") and (b'"' in head or b"\x00" in head or head[:1] == b"[" or b"}" in head)


def _by_bytes(data: bytes, named: str) -> str:
    if sniff(data) and is_binary(data):  # a text may begin with "BM" too
        return "media"
    if named.startswith(("image/", "audio/", "video/")):
        return "media" if is_binary(data) and not _is_text(data) else "text"
    return "binary" if is_binary(data) and not _is_text(data) else "text"


def _is_text(data: bytes) -> bool:
    """Text all the same: UTF-8 with a NUL or two, or UTF-16 or UTF-32, though nothing says so."""
    encoding = text_encoding(data)
    if encoding == "utf-8":
        return data[:4096].count(0) * 16 < len(data) and _is_utf8(data)
    text = data[:4096].decode(encoding, "replace")
    return sum(map(str.isprintable, text)) > len(text) * 0.8


def sniff(data: bytes) -> str:
    """The media type of an image, sound or film by its first bytes, "" for anything else."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    return "video/mp4" if data[4:8] == b"ftyp" else ""


def text_encoding(data: bytes) -> str:
    """UTF-8, or the wider Unicode encoding that a mark or the places of NUL bytes show."""
    head = data[:4096]
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")) or b"\x00" in head[:4]:
        return json.detect_encoding(head)
    half = len(head) // 2
    if head[1::2].count(0) * 3 > half > head[::2].count(0) * 6:
        return "utf-16-le"
    if head[::2].count(0) * 3 > half > head[1::2].count(0) * 6:
        return "utf-16-be"
    return "utf-8"


def is_plain_charset(content_type: bytes) -> bool:
    """False when a charset is declared in which ASCII text may be written with other bytes (UTF-7, EBCDIC, ...)."""
    return (_usual_charset if len(content_type) < _USUAL else _is_plain_charset)(content_type)


def _is_plain_charset(content_type: bytes) -> bool:
    return all(_PLAIN_CHARSETS.fullmatch(found[1]) for found in _CHARSET.finditer(content_type))


# Nearly every call says one of a handful of types. Callers choose them, so a bounded number of short ones is kept.
_usual_media_type = lru_cache(256)(_media_type)
_usual_charset = lru_cache(256)(_is_plain_charset)


def is_binary(data: bytes) -> bool:
    """True for bytes that are no text: a NUL near the beginning, or no UTF-8."""
    return b"\x00" in data[:4096] or not _is_utf8(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def answer_kind(route: Route, status: int, content_type: bytes) -> str:
    """How an answer must be handled: `stream` (event by event), `whole` (collected, then read) or `pass` (unread).

    Errors are read too: some engines repeat the request's body in them.
    """
    if not route.guarded or status in (204, 304) or status < 200:
        return "pass"
    named = media_type(content_type)
    if named == _EVENTS or named in _NDJSON:
        return "stream"
    return "pass" if is_media(named) else "whole"


def is_media(named: str) -> bool:
    """True for the names of images (but for drawings, which are text), sounds and films."""
    return named.startswith(("image/", "audio/", "video/")) and not named.endswith("+xml")
