"""What a body is, by its Content-Type and by its first bytes; and how an answer must be handled."""

from __future__ import annotations

from typing import Final

from akto_proxy.wire.route import Route

_WHITE: Final = b" \t\r\n"
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
_TEXTUAL: Final = frozenset(("application/xml", "application/yaml", "application/x-yaml", "application/javascript"))


def media_type(content_type: bytes) -> str:
    """The media type alone, in lower case, without parameters."""
    return content_type.partition(b";")[0].strip().lower().decode("latin-1")


def is_ndjson(content_type: bytes) -> bool:
    """True for one JSON value a line."""
    return media_type(content_type) in _NDJSON


def kind_of(content_type: bytes, data: bytes) -> str:
    """One of `json`, `ndjson`, `events`, `form`, `multipart`, `text`, `media`, `binary`."""
    named = media_type(content_type)
    if named == _EVENTS:
        return "events"
    if named in _NDJSON:
        return "ndjson"
    if named.startswith("multipart/"):
        return "multipart"
    if named.endswith("json") or _looks_like_json(data):
        return "json"
    if named == _FORM:
        return "form"
    if named.startswith("text/") or named in _TEXTUAL or named.endswith("+xml"):
        return "text"
    return _by_bytes(data, named)


def _looks_like_json(data: bytes) -> bool:
    head = data[:64].lstrip(_WHITE + b"\xef\xbb\xbf\xff\xfe\x00")
    return head[:1] in (b"{", b"[") and (b'"' in head or b"\x00" in head or head[:1] == b"[" or b"}" in head)


def _by_bytes(data: bytes, named: str) -> str:
    if sniff(data):
        return "media"
    if named.startswith(("image/", "audio/", "video/")):
        return "media" if _is_binary(data) else "text"
    return "binary" if _is_binary(data) else "text"


def sniff(data: bytes) -> str:
    """The media type of an image, sound or film by its first bytes, "" for anything else."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    return "video/mp4" if data[4:8] == b"ftyp" else ""


def _is_binary(data: bytes) -> bool:
    head = data[:4096]
    if b"\x00" in head:
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def answer_kind(route: Route, status: int, content_type: bytes) -> str:
    """How an answer must be handled: `stream` (event by event), `whole` (collected, then read) or `pass` (unread).

    Errors are read too: some engines repeat the request's body in them.
    """
    if not route.guarded or status in (204, 304) or status < 200:
        return "pass"
    named = media_type(content_type)
    if named == _EVENTS or named in _NDJSON:
        return "stream"
    if named.startswith(("image/", "audio/", "video/")):
        return "pass"
    return "whole"
