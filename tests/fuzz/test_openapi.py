"""The published OpenAPI of collector and dashboard, fuzzed by schemathesis: no request makes a server error."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.collector.app import create_app as collector
from akto_proxy.collector.judge import Verdict
from akto_proxy.dashboard.app import create_app as dashboard
from akto_proxy.dashboard.workshop import Workshop
from akto_proxy.guard.engine import Engine
from akto_proxy.guard.rule import Rule
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

schemathesis = pytest.importorskip("schemathesis", reason="pip install -e '.[fuzz]' for the OpenAPI fuzzer")
hypothesis = pytest.importorskip("hypothesis")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3"))
NOW = 1_780_531_200.0


def ask_everything(app: Any, path: str, headers: dict[str, str]) -> int:
    """Ask each operation a few times; the number of operations. Raises where one answers with a server error."""
    schema = schemathesis.openapi.from_asgi(path, app, headers=headers)
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        count += 1

        @hypothesis.settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=EXAMPLES < 10,
                             suppress_health_check=list(hypothesis.HealthCheck))  # fmt: skip
        @hypothesis.given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            answer = case.call(headers=headers)
            assert answer.status_code < 500 or answer.status_code == 503, (case.method, case.path, answer.status_code)

        ask()
    return count


def test_the_collector_never_breaks(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "traces.db")
    control = SqlControlStore(f"sqlite:///{tmp_path}/control.db", random=os.urandom)
    _, secret = control.add_token("t", "ingest", by="test", at=NOW)
    app = collector(store, control, now=lambda: NOW, random=os.urandom, judge=lambda *_: Verdict())
    try:
        assert ask_everything(app, "/v1/openapi.json", {"Authorization": f"Bearer {secret}"}) > 3
    finally:
        store.close()
        control.close()


def test_the_dashboards_api_never_breaks(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "traces.db")
    control = SqlControlStore(f"sqlite:///{tmp_path}/control.db", random=os.urandom)
    _, secret = control.add_token("t", "admin", by="test", at=NOW)
    rules = [Rule("email", "EMAIL_ADDRESS", "pii", r"\b[a-z]{1,20}@[a-z]{1,20}\.com\b", 1.0)]
    pack = (
        "version: 1\nname: d\npolicies:\n  - {name: d, severity: low, action: alert, rules: [{id: a, detect: [pii]}]}\n"
    )
    workshop = Workshop(rules, default=pack, packs={"default": pack}, engine=Engine(rules))
    app = dashboard(traces=store, control=control, workshop=workshop, clock=lambda: NOW, randomness=os.urandom)
    try:
        assert ask_everything(app, "/api/v1/openapi.json", {"Authorization": f"Bearer {secret}"}) > 3
    finally:
        store.close()
        control.close()
