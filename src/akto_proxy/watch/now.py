"""The five minutes that run now: what was counted in them so far, and from where they would be strange."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Now:
    """The window that runs."""

    start: float = 0.0
    calls: int = 0
    tokens: int = 0
    errors: int = 0
    blocked: int = 0
    redacted: int = 0
    near: int = 0
    leaks: int = 0
    leaky: int = 0
    seconds: float = 0.0
    most_calls: float = 1e18
    most_tokens: float = 1e18
    first: float = 0.0
    ids: list[str] = field(default_factory=list)


EMPTY = Now(start=-1.0)
"""A window that never was."""
