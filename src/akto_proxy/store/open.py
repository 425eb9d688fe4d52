"""One URL says which engine keeps the traces. The page that asks never knows."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from akto_proxy.errors import ConfigError
from akto_proxy.store.face import TraceStore


def open_traces(url: str, *, full_text: bool = False, timeout: float = 15.0) -> TraceStore:
    """The trace store at `url`.

    `sqlite:///relative.db`, `sqlite:////absolute.db` or a bare path; `clickhouse://user:password@host:8123/database`
    with `?secure=1` and `&cluster=name` where wanted; `chdb:////absolute/folder` (ClickHouse inside this process).

    Raises:
        ConfigError: the URL names no engine we know.
        StorageError: the engine cannot be opened.
    """
    scheme = urlsplit(url).scheme
    if scheme in ("", "sqlite", "file"):
        from akto_proxy.store.sqlite import SqliteStore

        return SqliteStore(_path(url), full_text=full_text, timeout=timeout)
    if scheme in ("clickhouse", "chdb"):
        return _clickhouse(url, timeout)
    raise ConfigError(f"STORE_URL begins with {scheme}://: expected sqlite:///path or clickhouse://host/database")


def _clickhouse(url: str, timeout: float) -> TraceStore:
    from akto_proxy.store.clickhouse import ClickHouseStore
    from akto_proxy.store.clickhouse_client import Client, EmbeddedClient, ServerClient
    from akto_proxy.store.clickhouse_sql import name

    parts = urlsplit(url)
    if parts.scheme == "chdb":
        client: Client = EmbeddedClient(_path(url))
        return ClickHouseStore(client, database="akto", arrival=time.time_ns)
    database = name(parts.path.strip("/") or "akto", "the database")
    cluster = parse_qs(parts.query).get("cluster", [""])[-1]
    client = ServerClient(parts, timeout)
    return ClickHouseStore(
        client, database=database, cluster=name(cluster, "the cluster") if cluster else "", arrival=time.time_ns
    )


def _path(url: str) -> Path:
    # As SQLAlchemy reads it: three slashes and a relative path, four for an absolute one.
    rest = url.partition("://")[2].removeprefix("/") if "://" in url else url
    if not rest or rest == "/":
        raise ConfigError("STORE_URL has no path: expected sqlite:////var/lib/akto-proxy/traces.db")
    return Path(rest)
