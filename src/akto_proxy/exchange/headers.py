"""Questions about a list of headers: names in any case, values as they came.

Lists and not a mapping, because what passes must keep its order and its case. What a name means is remembered by its
bytes as they came, so a head is read in one pass with one look-up a name; the number of remembered names is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from akto_proxy.exchange.face import Headers

_OURS: Final = (b"x-akto-trace-id", b"server-timing")
_INNER: Final = 0  # what `_MEANINGS` says of a name that must not reach the caller
_TYPE: Final = 1
_ENCODING: Final = 2
_OTHER: Final = 3
_MEANINGS: dict[bytes, int] = {}
_MOST_NAMES: Final = 256


def header(headers: Headers, name: bytes) -> bytes:
    """The first value of a header (its name in lower case); b"" where there is none."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return b""


def without(headers: Headers, names: Sequence[bytes]) -> Headers:
    """The headers but those of these names (in lower case)."""
    return [(key, value) for key, value in headers if key.lower() not in names]


def outward(headers: Headers) -> tuple[Headers, bytes, bytes]:
    """An answer's headers as the caller may see them, and the first Content-Type and Content-Encoding among them."""
    kept: Headers = []
    content_type = content_encoding = b""
    for pair in headers:
        known = _MEANINGS.get(pair[0])
        if known is None:
            known = _meaning(pair[0])
        if known == _INNER:
            continue
        kept.append(pair)
        if known == _TYPE:
            content_type = content_type or pair[1]
        elif known == _ENCODING:
            content_encoding = content_encoding or pair[1]
    return kept, content_type, content_encoding


def _meaning(name: bytes) -> int:
    """Names of inner addresses (Hugging Face's gateway) and ours, which upstream must not set, are `_INNER`."""
    lower = name.lower()
    if lower.startswith(b"x-proxied-") or lower in _OURS:
        known = _INNER
    else:
        known = {b"content-type": _TYPE, b"content-encoding": _ENCODING}.get(lower, _OTHER)
    if len(_MEANINGS) < _MOST_NAMES:
        _MEANINGS[name] = known
    return known
