from __future__ import annotations

import subprocess
import sys

import pytest

from akto_proxy.errors import ConfigError
from akto_proxy.store.clickhouse_sql import definitions, name, of_trace
from akto_proxy.store.face import Filter


def test_values_never_stand_in_the_sql() -> None:
    where = of_trace(Filter(user="x' OR 1=1 --", rule="r'", text="w')"))
    assert "OR 1=1" not in where.clause
    assert set(where.values.values()) >= {"x' OR 1=1 --", "r'"}


def test_a_name_that_is_no_name_is_refused() -> None:
    assert name("akto_2", "the database") == "akto_2"
    with pytest.raises(ConfigError, match="plain name"):
        name("akto; DROP TABLE x", "the database")


def test_a_cluster_gets_replicated_tables_under_distributed_ones() -> None:
    made = definitions("akto", "main")
    assert len(made) == 7
    assert all("ON CLUSTER main" in statement for statement in made)
    assert sum("ReplicatedReplacingMergeTree" in statement for statement in made) == 2
    assert not any("deduplication_window" in statement for statement in definitions("akto"))


PARSE = """
import sys, chdb
for statement in sys.stdin.read().split("\\0"):
    print("Create" in (parsed := str(chdb.query(f"EXPLAIN AST {statement}", "TSV"))) or "AlterQuery" in parsed)
"""


def test_clickhouse_itself_can_parse_every_definition() -> None:
    """In a process of its own, because the engine serves one folder a process and other tests have theirs."""
    pytest.importorskip("chdb", reason="chdb (embedded ClickHouse, 887 MB) is not installed")
    statements = (*definitions("akto"), *definitions("akto", "main"))
    done = subprocess.run(
        [sys.executable, "-c", PARSE], input="\0".join(statements), capture_output=True, text=True, timeout=120
    )
    assert done.stdout.split() == ["True"] * len(statements), done.stderr
