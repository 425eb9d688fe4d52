"""Two ways to the same ClickHouse: a server over HTTP, or the embedded engine (chdb). Both speak SQL with bound values.

Rows come and go as JSON, one a line: it is what both speak, and orjson is quick at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, cast
from urllib.parse import SplitResult, parse_qs, unquote

import orjson

from akto_proxy.errors import ConfigError, StorageError

_FORMAT = "JSONCompactEachRow"
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"})


class Client(Protocol):
    """What the store needs of ClickHouse. Raises StorageError."""

    def query(self, sql: str, values: Mapping[str, Any]) -> list[list[Any]]:
        """Rows of a SELECT. Values are bound on the server as `{name:Type}`."""
        ...

    def command(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        """Anything that gives no rows."""
        ...

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows, acknowledged once they are written."""
        ...

    def close(self) -> None:
        """Give back the connection."""
        ...


class ServerClient:
    """A server or cluster through clickhouse-connect. Safe from any thread."""

    def __init__(self, url: SplitResult, timeout: float) -> None:
        try:
            import clickhouse_connect
            from clickhouse_connect.driver.exceptions import Error
        except ImportError:
            raise ConfigError(
                "STORE_URL=clickhouse:// needs clickhouse-connect: pip install clickhouse-connect"
            ) from None
        self._error: type[Exception] = Error
        self._where = f"clickhouse://{url.hostname}"
        options = {name: values[-1] for name, values in parse_qs(url.query).items()}
        self._settings = {
            "output_format_json_quote_64bit_integers": 0,
            "max_execution_time": timeout,
            "async_insert": 0,  # what is acknowledged is written
            "mutations_sync": 2,
        }
        try:
            self._client = clickhouse_connect.get_client(
                host=url.hostname,
                port=url.port or (8443 if options.get("secure") else 8123),
                username=unquote(url.username or "default"),
                password=unquote(url.password or ""),
                database="default",
                secure=bool(options.get("secure")),
                connect_timeout=min(timeout, 10.0),
                send_receive_timeout=timeout + 5.0,
                autogenerate_session_id=False,  # a session would forbid questions side by side
            )
        except (Error, OSError) as error:
            raise StorageError(f"{self._where}: cannot be reached: {type(error).__name__}") from None

    def query(self, sql: str, values: Mapping[str, Any]) -> list[list[Any]]:
        """Rows of a SELECT."""
        try:
            data = self._client.raw_query(sql, dict(values), self._settings, fmt=_FORMAT)
        except (self._error, OSError) as error:
            raise self._failed(error) from None
        return [orjson.loads(line) for line in data.splitlines()]

    def command(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        """Anything that gives no rows."""
        try:
            self._client.command(sql, dict(values or {}), settings=self._settings)
        except (self._error, OSError) as error:
            raise self._failed(error) from None

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows."""
        block = b"\n".join(orjson.dumps(row) for row in rows)
        try:
            self._client.raw_insert(table, insert_block=block, settings={"async_insert": 0}, fmt="JSONEachRow")
        except (self._error, OSError) as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> StorageError:
        # Only the first words of the server's message: what follows may quote values.
        code = str(error).partition("DB::Exception")[0].strip()[-80:]
        return StorageError(f"{self._where}: {type(error).__name__} {code}")

    def close(self) -> None:
        """Give back the connection."""
        self._client.close()


class EmbeddedClient:
    """ClickHouse inside this process (chdb), for tests and single machines. One question at a time."""

    def __init__(self, path: Path) -> None:
        try:
            from chdb.session import Session
        except ImportError:
            raise ConfigError("STORE_URL=chdb:// needs chdb (887 MB): pip install chdb") from None
        self._lock = Lock()
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._session: Any = cast("Any", Session)(str(path))

    def query(self, sql: str, values: Mapping[str, Any]) -> list[list[Any]]:
        """Rows of a SELECT."""
        data = self._run(f"{sql} SETTINGS output_format_json_quote_64bit_integers = 0", _FORMAT, values)
        return [orjson.loads(line) for line in data.splitlines()]

    def command(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        """Anything that gives no rows."""
        self._run(sql, "Null", values or {})

    def insert(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows."""
        block = b"\n".join(orjson.dumps(row) for row in rows).decode()
        self._run(f"INSERT INTO {table} FORMAT JSONEachRow\n{block}", "Null", {})

    def _run(self, sql: str, form: str, values: Mapping[str, Any]) -> bytes:
        bound = {name: _escaped(value) for name, value in values.items()}
        with self._lock:
            try:
                result = self._session.query(sql, form, params=bound or None)
            except Exception as error:  # noqa: BLE001 - chdb raises bare RuntimeErrors; its text may quote values
                code = str(error)[:12]
                raise StorageError(f"{self._path}: the embedded ClickHouse failed: {code}") from None
            return bytes(result.bytes()) if form != "Null" else b""

    def close(self) -> None:
        """Give back the files."""
        with self._lock:
            self._session.close()


def _escaped(value: Any) -> Any:
    """Chdb reads bound values as TSV fields."""
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, list | tuple):
        return "[" + ",".join(_quoted(item) for item in value) + "]"
    return value


def _quoted(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.translate(_ESCAPES).replace("\\", "\\\\").replace("'", "\\\\'") + "'"
    return str(value)
