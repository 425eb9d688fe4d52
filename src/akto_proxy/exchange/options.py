"""What the exchange needs of the operator's choices, as plain values: it knows no settings and reads no file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Label:
    """A part of the upstream and its sensitivity; `paths` are globs over the canonical path."""

    name: str
    paths: tuple[str, ...]
    sensitivity: str


@dataclass(frozen=True, slots=True)
class Options:
    """What the exchange needs of the operator's choices, as plain values."""

    endpoint: str
    project: str = "default"
    proxy: str = ""
    sensitivity: str = "internal"
    labels: tuple[Label, ...] = ()
    methods: frozenset[str] = frozenset()
    extra_routes: tuple[str, ...] = ()
    guarded: tuple[str, ...] = ()
    guard_streams: bool = True
    request_limit: int = 32 << 20
    response_limit: int = 64 << 20
    capture: str = "masked"
    keep: int = 262_144
