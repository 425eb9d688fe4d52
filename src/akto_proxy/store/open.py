"""One URL says which engine keeps the traces. The page that asks never knows."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from akto_proxy.errors import ConfigError
from akto_proxy.store.face import TraceStore


def open_traces(url: str, *, full_text: bool = False, timeout: float = 15.0) -> TraceStore:
    """The trace store at `url`: `sqlite:///relative.db`, `sqlite:////absolute.db`, a bare path, or `clickhouse://user:password@host/database`.

    Raises:
        ConfigError: the URL names no engine we know.
        StorageError: the engine cannot be opened.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("", "sqlite", "file"):
        from akto_proxy.store.sqlite import SqliteStore

        return SqliteStore(_path(url), full_text=full_text, timeout=timeout)
    raise ConfigError(f"STORE_URL begins with {scheme}://: expected sqlite:///path or clickhouse://host/database")


def _path(url: str) -> Path:
    # As SQLAlchemy reads it: three slashes and a relative path, four for an absolute one.
    rest = url.partition("://")[2].removeprefix("/") if "://" in url else url
    if not rest or rest == "/":
        raise ConfigError("STORE_URL has no path: expected sqlite:////var/lib/akto-proxy/traces.db")
    return Path(rest)
