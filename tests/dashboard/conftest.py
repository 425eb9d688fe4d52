"""The dashboard over a real SQLite store with invented traffic, and people of each role who are signed in."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
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


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "traces.db")
    yield store
    store.close()


class Book:
    """Accounts in memory, as the port asks."""

    def __init__(self) -> None:
        self.folk: dict[str, Any] = {}
        self.notes: list[Any] = []

    def people(self) -> list[Any]:
        return [self.folk[name] for name in sorted(self.folk)]

    def person(self, name: str) -> Any:
        return self.folk.get(name)

    def keep_person(self, person: Any) -> None:
        self.folk[person.name] = person

    def note(self, note: Any) -> None:
        self.notes.append(note)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def app(store: SqliteStore, book: Book, clock: Any) -> Any:
    fast = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    seeded = random.Random(1)
    return create_app(traces=store, accounts=book, clock=clock, randomness=seeded.randbytes, hasher=fast)


@pytest.fixture
def stranger(app: Any) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://dash.test", follow_redirects=False) as client:
        yield client


@pytest.fixture
def sign_in(app: Any, book: Book) -> Any:
    from akto_proxy.dashboard.ports import Person

    def sign_in(role: str, name: str = "") -> TestClient:
        name = name or f"{role}-1"
        book.keep_person(Person(name, role, app.state.house.passwords.hash(PASSWORD)))
        client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
        answer = client.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303, answer.text
        client.headers["x-csrf-token"] = app.state.house.sessions.of(name)[0].csrf
        return client

    return sign_in


@pytest.fixture
def filled(store: SqliteStore, sample: ModuleType) -> SqliteStore:
    store.insert_many(list(sample.traffic(400, until=NOW - 5, span=86400)))
    return store
