"""Traces to a file: JSON lines as they are kept, or Parquet with one flat column a field and the record beside."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from akto_proxy.errors import ConfigError
from akto_proxy.model import trace_from_dict
from akto_proxy.store.rows import COLUMNS, flat

_GROUP = 5000
"""Rows in memory, and in one Parquet row group."""


def write_jsonl(records: Iterable[bytes], out: BinaryIO) -> int:
    """One record a line; how many."""
    count = 0
    for count, record in enumerate(records, 1):  # noqa: B007 - the last count is the answer
        out.write(record + b"\n")
    return count


def write_parquet(records: Iterable[bytes], path: Path) -> int:
    """A Parquet file; how many rows.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # type: ignore[import-not-found,import-untyped,unused-ignore]
        import pyarrow.parquet as pq  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise ConfigError("Parquet needs pyarrow: pip install pyarrow") from None
    names = ["id", *(name.strip() for name in COLUMNS.split(",")), "record"]
    rest, count = iter(records), 0
    writer = None
    while group := list(islice(rest, _GROUP)):
        rows = [_row(record) for record in group]
        table = pa.table({name: [row[index] for row in rows] for index, name in enumerate(names)})
        if writer is None:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))  # private from its first byte
            path.chmod(0o600)
            writer = pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
        count += len(rows)
    if writer is not None:
        writer.close()
    return count


def _row(record: bytes) -> tuple[Any, ...]:
    trace = trace_from_dict(orjson.loads(record))
    return (trace.id, *flat(trace), record.decode())
