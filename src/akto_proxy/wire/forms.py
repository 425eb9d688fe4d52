"""Bodies that are lists of fields: `application/x-www-form-urlencoded`, query strings and `multipart/form-data`.

Only an edited field is written again; all other bytes stay. A file is not text, but its name is.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote_plus, unquote_to_bytes

from akto_proxy.wire.tables import KEYS

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
_PARAMETER = re.compile(rb'[;\s](name|filename\*?)=("(?:[^"\\]|\\.)*"|[^\s;]+)', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n;]*)", re.IGNORECASE | re.MULTILINE)
_CODED = re.compile(rb"^content-transfer-encoding:[ \t]*(?!7bit|8bit|binary)", re.IGNORECASE | re.MULTILINE)
_MAX_FIELDS: Final = 10_000
_MAX_HEAD: Final = 8192


class Field(NamedTuple):
    """A text with the byte range it stands in, its place and how it is written there."""

    text: str
    place: str
    start: int
    end: int
    style: str


class Form(NamedTuple):
    """The fields of a form; `fault` says why not all of it could be read, `files` the types of its files."""

    fields: list[Field]
    fault: str = ""
    files: tuple[str, ...] = ()


def pairs(query: bytes, root: str) -> list[Field]:
    """Every name and value of a query string or URL-encoded form. Known names are no text."""
    fields, at = [], 0
    for piece in query.split(b"&"):
        name, _, _ = piece.partition(b"=")
        word = _unquote(name)
        middle, end = at + len(name), at + len(piece)
        if word and word not in KEYS:
            fields.append(Field(word, f"{root}/*key", at, middle, "percent"))
        if end > middle + 1:
            label = word if word in KEYS else "*"
            fields.append(Field(_unquote(query[middle + 1 : end]), f"{root}/{label}", middle + 1, end, "percent"))
        at = end + 1
    return fields


def _unquote(value: bytes) -> str:
    return unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")


def multipart(data: bytes, content_type: bytes) -> Form:
    """The text fields and file names of a multipart body."""
    match = _BOUNDARY.search(content_type)
    if match is None:
        return Form([], "multipart")
    delimiter = b"--" + (match[1] or match[2])
    fields: list[Field] = []
    files: list[str] = []
    at, fault, closed = data.find(delimiter), "", False
    while at >= 0 and len(fields) < _MAX_FIELDS:
        start = at + len(delimiter)
        if data.startswith(b"--", start):
            closed = True
            break
        at = data.find(b"\r\n" + delimiter, start)
        head_end = data.find(b"\r\n\r\n", start)
        if at < 0 or not 0 <= head_end <= min(at, start + _MAX_HEAD):
            break
        fault = _part(data, start, head_end, at, fields, files) or fault
        at += 2
    return Form(fields, fault if closed else "multipart", tuple(files))


def _part(data: bytes, start: int, head_end: int, end: int, fields: list[Field], files: list[str]) -> str:
    head = data[start:head_end]
    name, is_file = "*", False
    for match in _PARAMETER.finditer(head):
        text = match[2].strip(b'"').decode("utf-8", "replace")
        if match[1].lower() == b"name":
            name = text if text in KEYS else "*"
            label = f"/{name}" if name != "*" else "/*key"
        else:
            is_file, label = True, "/filename"
        if label != f"/{name}" or is_file:
            quoted = int(match[2][:1] == b'"')
            fields.append(Field(text, label, start + match.start(2) + quoted, start + match.end(2) - quoted, "plain"))
    found = _TYPE.search(head)
    kind = found[1].strip().lower().decode("ascii", "replace") if found else ""
    if is_file and not kind.startswith("text/") and "json" not in kind:
        files.append(kind or "application/octet-stream")
        return "" if kind.startswith(("audio/", "image/", "video/")) else "binary"
    fields.append(Field(data[head_end + 4 : end].decode("utf-8", "replace"), f"/{name}", head_end + 4, end, "plain"))
    return "multipart" if _CODED.search(head) else ""


def write(data: bytes, fields: list[Field], edits: dict[int, str]) -> bytes:
    """The bytes with some fields' texts replaced."""
    out: list[bytes] = []
    at = 0
    for index in sorted(edits, key=lambda index: fields[index].start):
        field = fields[index]
        new = edits[index]
        encoded = quote_plus(new).encode() if field.style == "percent" else _plain(new, field)
        out += (data[at : field.start], encoded)
        at = field.end
    out.append(data[at:])
    return b"".join(out)


def _plain(new: str, field: Field) -> bytes:
    if field.place in ("/filename", "/*key"):  # inside a header line
        new = re.sub(r'[\r\n"]', " ", new)
    return new.encode("utf-8", "replace")
