"""Bodies that are lists of fields: `application/x-www-form-urlencoded`, query strings and `multipart/form-data`.

Only an edited field is written again; all other bytes stay. A file is not text, but its name is.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote_plus, unquote_to_bytes

from akto_proxy.wire.kinds import is_binary
from akto_proxy.wire.tables import KEYS

_BOUNDARY = re.compile(rb';[ \t]*boundary=(?:"([^"]{1,200})"|([^\s;,"]{1,200}))', re.IGNORECASE)
_NAMES_BOUNDARY = re.compile(rb"boundary[*0-9]*[ \t]*=", re.IGNORECASE)
_VALUE = rb'(?:"(?:[^"\\]|\\.)*"|[^\s;"]+)'
_PARAMETER = re.compile(rb";[ \t]*(name|filename\*?)=(" + _VALUE + rb")", re.IGNORECASE)
_DISPOSITION = re.compile(
    rb"content-disposition:[ \t]*form-data(?:;[ \t]*(?:name|filename\*?)=" + _VALUE + rb")*[ \t]*", re.IGNORECASE
)
_PLAIN_LINE = re.compile(
    rb'content-(?:type:[ \t]*[\w.+/-]*(?:;[ \t]*charset="?[\w-]+"?)?|length:[ \t]*[0-9]+'
    rb"|transfer-encoding:[ \t]*[\w-]+)[ \t]*",
    re.IGNORECASE,
)
_TYPE = re.compile(rb"^content-type:[ \t]*([^\r\n;]*)", re.IGNORECASE | re.MULTILINE)
_CODED = re.compile(rb"^content-transfer-encoding:[ \t]*(?!7bit|8bit|binary)", re.IGNORECASE | re.MULTILINE)
MAX_FIELDS: Final = 10_000
_MAX_HEAD: Final = 8192


class Field(NamedTuple):
    """A text with the byte range it stands in, its place and how it is written there."""

    text: str
    place: str
    start: int
    end: int
    style: str
    key: str = ""
    """The name of the field where no protocol knows it."""


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
            label, key = (word, "") if word in KEYS else ("*", word)
            text = _unquote(query[middle + 1 : end])
            fields.append(Field(text, f"{root}/{label}", middle + 1, end, "percent", key))
        at = end + 1
    return fields


def _unquote(value: bytes) -> str:
    return unquote_to_bytes(value.replace(b"+", b" ")).decode("utf-8", "replace")


def multipart(data: bytes, content_type: bytes) -> Form:
    """The text fields and file names of a multipart body, and whatever else is in it that is no file.

    Readers differ about what is before, between and behind the parts, so that is text too. With a fault the whole body
    is one more text: no reader can then find more in it than was read.
    """
    match = _BOUNDARY.search(content_type)
    if match is None or len(_NAMES_BOUNDARY.findall(content_type)) != 1:
        return _unread(data)
    delimiter = b"--" + (match[1] or match[2])
    at, start = _delimiter(data, delimiter, 0)
    if at < 0:
        return _unread(data)
    fields: list[Field] = []
    files: list[str] = []
    _stray(data, 0, at, fields)
    fault = ""
    while not data.startswith(b"--", start) and len(fields) < MAX_FIELDS:
        at, behind = _delimiter(data, delimiter, start)
        head_end = data.find(b"\r\n\r\n", start - 2)
        if at < 0 or not 0 <= head_end <= min(at, start + _MAX_HEAD):
            return _unread(data, tuple(files))
        fault = _part(data, start, head_end, at - 2, (delimiter, fields, files)) or fault
        start = behind
    if fault or not data.startswith(b"--", start):
        return _unread(data, tuple(files), fault)
    _stray(data, start + 2, len(data), fields)
    return Form(fields, "", tuple(files))


def _unread(data: bytes, files: tuple[str, ...] = (), fault: str = "") -> Form:
    whole = [Field(data.decode("utf-8", "replace"), "", 0, len(data), "plain")] if data else []
    return Form(whole, fault or "multipart", files)


def _delimiter(data: bytes, delimiter: bytes, at: int) -> tuple[int, int]:
    """Where the next delimiter begins and where what follows it does (`--`, or the part's first line); -1 for none."""
    while (at := data.find(delimiter, at)) >= 0:
        behind = at + len(delimiter)
        if at == 0 or data[at - 2 : at] == b"\r\n":
            if data.startswith(b"--", behind):
                return at, behind
            line_end = data.find(b"\r\n", behind)
            if line_end >= 0 and not data[behind:line_end].strip(b" \t"):
                return at, line_end + 2
        at = behind
    return -1, -1


def _stray(data: bytes, start: int, end: int, fields: list[Field]) -> None:
    """What stands outside of all parts."""
    if data[start:end].strip():
        fields.append(Field(data[start:end].decode("utf-8", "replace"), "/*", start, end, "plain"))


def _part(data: bytes, start: int, head_end: int, end: int, found: tuple[bytes, list[Field], list[str]]) -> str:
    delimiter, fields, files = found
    head = data[start:head_end]
    name, is_file = _head(head, start, fields)
    match = _TYPE.search(head)
    kind = match[1].strip().lower().decode("ascii", "replace") if match else ""
    end = max(end, head_end + 4)  # an empty part may share its line end with the head's
    content = data[head_end + 4 : end]
    if is_file and not kind.startswith("text/") and "json" not in kind and is_binary(content):
        files.append(kind or "application/octet-stream")
        if delimiter in content:  # another reader may see a part begin there
            return "multipart"
        return "" if kind.startswith(("audio/", "image/", "video/")) else "binary"
    fields.append(Field(content.decode("utf-8", "replace"), f"/{name}", head_end + 4, end, "plain"))
    return "multipart" if _CODED.search(head) or b"\x00" in content else ""


def _head(head: bytes, start: int, fields: list[Field]) -> tuple[str, bool]:
    """The field's name as a place, and whether it is a file. Lines that say anything unusual are texts."""
    name, is_file = "*", b"filename" in head.lower()
    for line in head.split(b"\r\n"):
        if _DISPOSITION.fullmatch(line):
            for match in _PARAMETER.finditer(line):
                text = match[2].strip(b'"').decode("utf-8", "replace")
                known = match[1].lower() == b"name" and text in KEYS
                name = text if known else name
                if not known:
                    label = "/*key" if match[1].lower() == b"name" else "/filename"
                    quoted = int(match[2][:1] == b'"')
                    here, there = start + match.start(2) + quoted, start + match.end(2) - quoted
                    fields.append(Field(text, label, here, there, "plain"))
        elif line and not _PLAIN_LINE.fullmatch(line):
            fields.append(Field(line.decode("utf-8", "replace"), "/*head", start, start + len(line), "plain"))
        start += len(line) + 2
    return name, is_file


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
    if field.place in ("/filename", "/*key", "/*head"):  # inside a header line
        new = re.sub(r'[\r\n"]', " ", new)
    return new.encode("utf-8", "replace")
