"""Questions about a list of headers: names in any case, values as they came.

Lists and not a mapping, because what passes must keep its order and its case; `by_name` makes one where many are asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.exchange.face import Headers

_OURS = (b"x-akto-trace-id", b"server-timing")
_INNER: dict[bytes, bool] = {}
"""What was said of names before: those of a model server are few, and their number here is bounded."""
_MOST_NAMES = 256


def header(headers: Headers, name: bytes) -> bytes:
    """The first value of a header (its name in lower case); b"" where there is none."""
    for key, value in headers:
        if key.lower() == name:
            return value
    return b""


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """The first value of each header, by its name in lower case."""
    return {name.lower(): value for name, value in reversed(headers)}


def without(headers: Headers, names: Sequence[bytes]) -> Headers:
    """The headers but those of these names (in lower case)."""
    return [(key, value) for key, value in headers if key.lower() not in names]


def is_internal(name: bytes) -> bool:
    """Whether it names inner addresses (Hugging Face's gateway), or is ours, which upstream must not set."""
    known = _INNER.get(name)
    if known is None:
        lower = name.lower()
        known = lower.startswith(b"x-proxied-") or lower in _OURS
        if len(_INNER) < _MOST_NAMES:
            _INNER[name] = known
    return known
