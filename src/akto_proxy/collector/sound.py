"""Whether a record that says it is a trace can be kept: every field of its type, every number within a database's.

Batches of many senders are written as one transaction, so a single record that no database takes would hold up all of
them for ever. It is found here, by the types that the model itself declares. The price is about 5 us a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from operator import attrgetter
from typing import Any, get_type_hints

from akto_proxy.model import Caller, Decision, Message, Timing, Trace, Usage

_MOST = 1 << 63


Read = Callable[[Any], tuple[Any, ...]]
_TEXTS = tuple[str, ...]


def _whole(value: Any) -> bool:
    return type(value) is int and -_MOST <= value < _MOST


def _real(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


_MUST: dict[Any, Callable[[Any], bool]] = {
    str: lambda value: type(value) is str,
    int: _whole,
    float: _real,
    bool: lambda value: type(value) is bool,
    _TEXTS: lambda value: all(type(item) is str for item in value),
}
"""What a field of each declared type must hold. Fields of other types are made by the model, which checks them."""


def _readers(kind: type) -> list[tuple[Read, Callable[[Any], bool]]]:
    """Readers of a class's fields, each with what every value it gives must be."""
    hints = get_type_hints(kind)
    named = [([name for name, hint in hints.items() if hint == of], must) for of, must in _MUST.items()]
    return [(_reader(names), must) for names, must in named if names]


def _reader(names: list[str]) -> Read:
    if len(names) > 1:
        return attrgetter(*names)
    one = attrgetter(names[0])
    return lambda item: (one(item),)


_KINDS = {kind: _readers(kind) for kind in (Trace, Caller, Usage, Timing, Message, Decision)}


def check(trace: Trace) -> None:
    """Raises TypeError or ValueError, naming no content, when the trace cannot be kept."""
    if not 0 < len(trace.id) <= 128 or not 0 <= trace.started < 1e11:
        raise ValueError("id or started")
    for part in _parts(trace):
        for read, must in _KINDS[type(part)]:
            if not all(map(must, read(part))):
                raise TypeError("a field of another type than its own")


def _parts(trace: Trace) -> Iterator[Any]:
    yield trace
    yield trace.caller
    yield trace.usage
    yield trace.timing
    yield trace.request
    yield trace.response
    yield from trace.decisions
