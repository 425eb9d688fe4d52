"""Traces of every kind, made from a number alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Timing, Trace, Usage
from akto_proxy.store.clickhouse import ClickHouseStore
from akto_proxy.store.clickhouse_client import EmbeddedClient
from akto_proxy.store.face import TraceStore
from akto_proxy.store.sqlite import SqliteStore

START = 1_700_000_000.0
RULES = (("aws-key", "secrets", "SECRET"), ("email", "pii", "EMAIL_ADDRESS"), ("jailbreak", "jailbreak", "JAILBREAK"))


def decision(rule: int, action: Action, *, bypassed: bool = False) -> Decision:
    name, category, entity = RULES[rule % len(RULES)]
    severity = Severity(rule % 4 + 1)
    return Decision(
        f"policy-{rule % 2}", name, category, entity, severity, action, Direction.REQUEST, "/messages/0/content",
        bypassed=bypassed,
    )  # fmt: skip


def make_trace(number: int, **changes: Any) -> Trace:
    """The same number gives the same trace. Verdicts go round; every fifth has no session."""
    verdict = Action(number % 4)
    caller = Caller(
        ip=f"10.0.0.{number % 7}",
        key=f"k{number % 3}",
        user=f"user{number % 5}",
        team="red",
        agent=f"agent{number % 2}",
        session="" if number % 5 == 0 else f"s{number % 6}",
    )
    decisions = (decision(number, verdict, bypassed=number % 11 == 0),) if verdict else ()
    if number % 8 == 3:
        decisions += (decision(number + 1, Action.ALERT),)
    trace = Trace(
        id=f"{0x018BCFE5 + number:08x}00007000800000000000{number:04x}",
        started=START + number * 60.5,
        endpoint=f"https://e{number % 2}.example",
        method="POST",
        path="/v1/chat/completions",
        route="openai-chat",
        engine="vllm",
        status=400 if verdict is Action.BLOCK else 200,
        outcome="blocked" if verdict is Action.BLOCK else "upstream_error" if number % 13 == 0 else "ok",
        verdict=verdict,
        model=f"model-{number % 3}",
        project="p",
        caller=caller,
        usage=Usage(10 + number % 3, number % 9),
        timing=Timing(1000 + number * 10, 50 + number % 20, 0, 0, 300),
        request=Message((("host", "x"),), f"please tell number{number} about alpha", "text", 40),
        response=Message((), f"the answer is beta{number % 4}", "text", 20),
        decisions=decisions,
    )
    return replace(trace, **changes)


@pytest.fixture
def trace_of() -> Callable[..., Trace]:
    return make_trace


@pytest.fixture(params=["sqlite", "sqlite-full-text", "chdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TraceStore]:
    if request.param == "chdb":
        pytest.importorskip("chdb", reason="chdb (embedded ClickHouse, 887 MB) is not installed")
        yield from embedded(request.config, tmp_path)
        return
    made = SqliteStore(tmp_path / "traces.db", full_text=request.param == "sqlite-full-text")
    yield made
    made.close()


_SHARED = pytest.StashKey[dict[str, EmbeddedClient]]()


def embedded(config: pytest.Config, tmp_path: Path) -> Iterator[TraceStore]:
    """An empty store in the one embedded ClickHouse a process may have."""
    shared = config.stash.setdefault(_SHARED, {})
    if not shared:
        shared["client"] = EmbeddedClient(tmp_path / "chdb")
        config.add_cleanup(shared["client"].close)
    client = shared["client"]
    for table in ("trace", "link"):
        client.command(f"DROP TABLE IF EXISTS akto.{table}")
    yield ClickHouseStore(client, database="akto", arrival=time.time_ns)
