"""The dashboard over a real SQLite store with invented traffic, and people of each role who are signed in."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from akto_proxy.config import assets
from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.workshop import Workshop
from akto_proxy.guard.catalogue import parse_rules
from akto_proxy.guard.engine import Engine
from akto_proxy.limits.learn import Found
from akto_proxy.store.control import Person, Proposal
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore

NOW = 1_763_971_200.0
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
def sample() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "screenshots.py"
    spec = importlib.util.spec_from_file_location("akto_screenshots", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clock() -> Any:
    class Clock:
        now = NOW

        def __call__(self) -> float:
            return self.now

    return Clock()


@pytest.fixture(scope="session")
def originals(sample: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full trace store and an empty control store, made once: each test gets copies."""
    folder = tmp_path_factory.mktemp("originals")
    full = SqliteStore(folder / "full.db")
    full.insert_many(list(sample.traffic(400, until=NOW - 5, span=86400)))
    full.close()
    SqliteStore(folder / "empty.db").close()
    SqlControlStore(f"sqlite:///{folder / 'control.db'}", random=random.Random(2).randbytes).close()
    return folder


@pytest.fixture
def store(request: pytest.FixtureRequest, originals: Path, tmp_path: Path) -> Iterator[SqliteStore]:
    name = "full.db" if "filled" in request.fixturenames else "empty.db"
    shutil.copy(originals / name, tmp_path / "traces.db")
    store = SqliteStore(tmp_path / "traces.db")
    yield store
    store.close()


@pytest.fixture
def control(originals: Path, tmp_path: Path) -> Iterator[SqlControlStore]:
    shutil.copy(originals / "control.db", tmp_path / "control.db")
    control = SqlControlStore(f"sqlite:///{tmp_path / 'control.db'}", random=random.Random(2).randbytes)
    yield control
    control.close()


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    """The shipped packs and rules, with an engine of a few of them, so that compiling takes no time."""
    every = [
        rule for name in assets.names("guard/rules", ".toml") for rule in parse_rules(assets.read_text(name), name)
    ]
    chosen = [rule for rule in every if rule.entity in ("EMAIL_ADDRESS", "IBAN_CODE", "CREDIT_CARD")]
    chosen += [rule for rule in every if rule.category == "secrets" and "huggingface" in rule.id]
    assert len(chosen) > 3
    packs = {
        name.rpartition("/")[2].removesuffix(".yaml"): assets.read_text(name)
        for name in assets.names("policy/packs", ".yaml")
    }
    return Workshop(every, default=packs["default"], packs=packs, engine=Engine(chosen))


@pytest.fixture
def app(store: SqliteStore, control: SqlControlStore, workshop: Workshop, clock: Any) -> Any:
    fast = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    seeded = random.Random(1)
    return create_app(
        traces=store, control=control, workshop=workshop, clock=clock, randomness=seeded.randbytes, hasher=fast
    )


@pytest.fixture
def stranger(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://dash.test", follow_redirects=False) as client:
        yield client


@pytest.fixture
def sign_in(app: Any, control: SqlControlStore) -> Any:

    def sign_in(role: str, name: str = "") -> TestClient:
        name = name or f"{role}-1"
        control.keep_person(Person(name, role, app.state.house.passwords.hash(PASSWORD)))
        client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        client.headers["x-csrf-token"] = app.state.house.sessions.of(name)[0].csrf
        return client

    return sign_in


@pytest.fixture
def propose(control: SqlControlStore, clock: Any) -> Any:
    """Keeps a learned limit that waits for a decision."""

    def propose(ident: str, endpoint: str = "support-llama", count: str = "requests", **more: Any) -> Proposal:
        found = Found(endpoint, "user", count, 7, 900, 12, 20.0, 55.0, 30.0)
        prices = {"*": (0.5, 1.5)} if count == "cost" else None
        values = {
            "state": "proposed", "made": clock() - 60, "endpoint": endpoint, "kind": "user", "count": count,
            "entry": json.dumps(found.entry("enforce", prices)), "since": clock() - 7 * 86400, "until": clock() - 60,
            "days": 7, "samples": 900, "callers": 12, "calls": 4000, "percentile": 99.0, "headroom": 0.5,
            "usual": 20.0, "peak": 55.0, "refused": 31, "refused_callers": 1, **more,
        }  # fmt: skip
        made = Proposal(**{"id": ident, "name": found.name, **values})
        control.keep_proposal(made)
        return made

    return propose


@pytest.fixture
def filled(store: SqliteStore) -> SqliteStore:
    """The store with 400 invented traces of the last day."""
    assert store.count() == 400
    return store
