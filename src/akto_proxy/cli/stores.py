"""What the commands about kept data share: opening the stores the settings name, and reading a time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from akto_proxy.config.settings import Settings
from akto_proxy.errors import ConfigError
from akto_proxy.store.face import TraceStore
from akto_proxy.store.open import open_traces

if TYPE_CHECKING:
    from akto_proxy.store.control_sql import SqlControlStore

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def store_url(settings: Settings) -> str:
    """Where traces are kept."""
    return settings.store_url or f"sqlite:///{settings.data_path / 'traces.db'}"


def control_url(settings: Settings) -> str:
    """Where users, tokens, policy versions and incidents are kept."""
    return settings.control_url or f"sqlite:///{settings.data_path / 'control.db'}"


def open_store(settings: Settings) -> TraceStore:
    """The trace store that is there: a command that looks must not make one where DATA_DIR is misspelt.

    Raises:
        ConfigError: there is none yet.
        StorageError: it cannot be opened.
    """
    kept = settings.data_path / "traces.db"
    if not settings.store_url and not kept.exists():
        raise ConfigError(
            f"{kept} does not exist: no trace was kept here yet, or DATA_DIR (or STORE_URL) is not the server's"
        )
    return open_traces(store_url(settings))


def open_control(settings: Settings) -> SqlControlStore:
    """The control store. Raises StorageError when it cannot be opened."""
    from akto_proxy.store.control_sql import SqlControlStore  # heavy, and most commands need no control store

    return SqlControlStore(control_url(settings), random=os.urandom)


def spool_root(settings: Settings) -> Path:
    """Where the workers' spool directories are."""
    return settings.data_path / "spool"


def since_time(value: str, now: float) -> float:
    """Unix seconds of `15m`, `24h`, `7d` (before now), a date or a time in UTC; 0 for nothing.

    Raises:
        ConfigError: it is none of these.
    """
    if not value:
        return 0.0
    number, unit = value[:-1], value[-1].lower()
    if unit in _UNITS and number.isdigit():
        return now - int(number) * _UNITS[unit]
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"{value[:40]!r} is no time: expected 15m, 24h, 7d, 2026-01-31 or 2026-01-31T12:00") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
