"""One canonical form of the request target, and the table of routes a caller may use.

Policy, routing and forwarding must agree on what a path means, so a target that could mean two things is refused
rather than repaired: a percent escape that hides a letter, a slash or a dot, a doubled slash, a dot segment. Only
listed routes pass; an unknown one is denied with a reason until the operator lists it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus

from akto_proxy.errors import BodyError
from akto_proxy.wire.routes import ADMIN, DENIED_PREFIXES, PATTERNS, ROUTES

_MAX_TARGET: Final = 8192
_PATH = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,=:@%/]*")
_QUERY = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=:@%/?\[\]|{}^`\"<>]*")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


@dataclass(frozen=True, slots=True)
class Target:
    """A request target in its only form: the decoded path, the raw query string and its decoded pairs."""

    path: str
    query: bytes = b""
    pairs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """What a method and a path mean. `name` is one of a fixed set; `denied` says why the route is closed, or "".

    `named` is true where a part of the path is the caller's own word, so that the path must be read.
    `form` is the shape of error bodies: openai, tgi, tei, toolkit, anthropic, ollama or generic. `engine` is a hint.
    """

    name: str
    form: str = "generic"
    engine: str = ""
    guarded: bool = True
    always_stream: bool = False
    denied: str = ""
    named: bool = False


def canonical(target: bytes) -> Target:
    """The canonical form of a request target.

    Raises:
        BodyError: (reason `path`) it is not in origin form, or its decoded form could be read in another way.
    """
    raw_path, mark, query = target.partition(b"?")
    if len(target) > _MAX_TARGET:
        raise BodyError("the request target is too long", reason="path", status=414)
    if not _PATH.fullmatch(raw_path):
        raise _odd("it is not a plain absolute path")
    if not _QUERY.fullmatch(query) or _BAD_ESCAPE.search(target):
        raise _odd("it has a character or a percent escape that is not allowed")
    path = raw_path.decode("ascii")
    if "%" in path:
        path = _unescape(raw_path)
    if "//" in path or any(part in (".", "..") for part in path.split("/")):
        raise _odd("it has an empty or a dot segment")
    if not mark:
        return Target(path)
    return Target(path, query, _pairs(query))


def _unescape(raw: bytes) -> str:
    """Escapes may only stand for characters that no reader takes for structure, and only where they are needed."""
    for match in _ESCAPE.finditer(raw):
        byte = int(match[1], 16)
        if byte < 0x80 and (byte < 0x21 or byte == 0x7F or chr(byte) in "%/\\.;?#" or chr(byte).isalnum()):
            raise _odd("it hides a character in a percent escape")
    try:
        text = _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw).decode("utf-8")
    except UnicodeDecodeError:
        raise _odd("it is not UTF-8") from None
    if not text.isprintable():
        raise _odd("it hides a control character")
    return text


def _pairs(query: bytes) -> tuple[tuple[str, str], ...]:
    text = query.decode("ascii")
    split = (piece.partition("=") for piece in text.split("&") if piece)
    return tuple(
        (unquote_plus(name, errors="replace"), unquote_plus(value, errors="replace")) for name, _, value in split
    )


def _odd(why: str) -> BodyError:
    return BodyError(f"the request target is refused: {why}", reason="path")


def resolve(method: str, path: str, extra: Iterable[str] = ()) -> Route:
    """What a method and a canonical path mean. `extra` lists further routes as "METHOD:/path/glob" (or "*:/...").

    A listed extra route is guarded like any unknown JSON; it may also open an administrative one.
    """
    route = _resolve(method, path)
    if route.denied and any(_allows(entry, method, path) for entry in extra):
        return Route("extra", "generic", named=True)
    return route


@lru_cache(maxsize=1024)
def _resolve(method: str, path: str) -> Route:
    asked = "GET" if method == "HEAD" else method
    if method == "OPTIONS":
        known = any(path in table for table in ROUTES.values())
        return Route("cors", "generic", guarded=False) if known else _unknown(method, path)
    fixed = ROUTES.get(asked, {}).get(path)
    row = fixed or _by_pattern(asked, path)
    if row is None:
        return _unknown(method, path)
    name, form, engine, flags = row
    return Route(name, form, engine, "u" not in flags, "s" in flags, named=fixed is None)


def _by_pattern(method: str, path: str) -> tuple[str, str, str, str] | None:
    for asked, pattern, row in PATTERNS:
        if asked == method and re.fullmatch(pattern, path):
            return row
    return None


def _unknown(method: str, path: str) -> Route:
    if path in ADMIN or path.startswith(DENIED_PREFIXES):
        reason = "administrative route of a model server"
        return Route("denied", "generic", denied=f"{reason}; list it under allowed routes if callers need it")
    if any(path in table for table in ROUTES.values()):
        return Route("denied", "generic", denied="this method is not used on this route")
    return Route("denied", "generic", denied="unknown route; list it under allowed routes if callers need it")


def _allows(entry: str, method: str, path: str) -> bool:
    asked, _, glob = entry.partition(":")
    return asked in ("*", method) and fnmatch.fnmatchcase(path, glob)
