"""Traces as files."""

from collections.abc import Callable
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import orjson
import pytest

from akto_proxy.errors import ConfigError
from akto_proxy.model import Trace
from akto_proxy.store.export import write_jsonl, write_parquet

Make = Callable[..., Trace]


def test_export_is_json_lines_or_parquet(tmp_path: Path, trace_of: Make) -> None:
    records = [orjson.dumps(trace_of(number)) for number in range(20)]
    with (tmp_path / "out.jsonl").open("wb") as file:
        assert write_jsonl(iter(records), file) == 20
    assert (tmp_path / "out.jsonl").read_bytes().splitlines() == records
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow (optional, for Parquet) is not installed")
    assert write_parquet(iter(records), tmp_path / "out.parquet") == 20
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.column("record").to_pylist() == [record.decode() for record in records]
    assert table.column("user").to_pylist()[1] == "user1"


def test_nothing_is_a_file_too_and_parquet_says_what_it_needs(tmp_path: Path) -> None:
    out = BytesIO()
    assert write_jsonl(iter(()), out) == 0
    assert out.getvalue() == b""
    if find_spec("pyarrow") is None:
        with pytest.raises(ConfigError, match="pip install pyarrow"):
            write_parquet(iter(()), tmp_path / "x.parquet")
