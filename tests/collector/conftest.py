"""A collector over real stores, asked in process."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from akto_proxy.collector.app import CollectorLimits, create_app
from akto_proxy.collector.judge import Judge, Verdict
from akto_proxy.model import Action, Decision, Direction, Severity
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

NOW = 1_780_531_200.0


def judge(payload: str, direction: Direction) -> Verdict:
    """Blocks ATTACK, redacts jo@corp.example, alerts on `odd`, fails on CRASH."""

    def made(rule: str, action: Action) -> tuple[Decision, ...]:
        return (Decision("default", rule, "c", "E", Severity.HIGH, action, direction),)

    masked = payload.replace("jo@corp.example", "[EMAIL]").replace("ATTACK", "[ATTACK]")
    if "CRASH" in payload:
        raise RuntimeError(payload)
    if "ATTACK" in payload:
        return Verdict(Action.BLOCK, made("jailbreak", Action.BLOCK), None, masked)
    if "jo@corp.example" in payload:
        return Verdict(Action.REDACT, made("email", Action.REDACT), masked, masked)
    if "odd" in payload:
        return Verdict(Action.ALERT, made("odd", Action.ALERT), None, masked)
    return Verdict(masked=masked)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path / "traces.db")
    yield made
    made.close()


@pytest.fixture
def control(tmp_path: Path) -> Iterator[SqlControlStore]:
    made = SqlControlStore(f"sqlite:///{tmp_path}/control.db", random=os.urandom)
    yield made
    made.close()


@pytest.fixture
def judged() -> Judge:
    return judge


@pytest.fixture
def limits() -> CollectorLimits:
    return CollectorLimits(body=200_000, unpacked=400_000)


@pytest.fixture
async def client(
    store: SqliteStore, control: SqlControlStore, limits: CollectorLimits
) -> AsyncIterator[httpx.AsyncClient]:
    """Asks with a good ingest token."""
    _, secret = control.add_token("t", "ingest", by="test", at=NOW)
    app = create_app(store, control, now=lambda: NOW, random=os.urandom, judge=judge, limits=limits)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://c", headers={"authorization": secret}) as made:
        yield made
