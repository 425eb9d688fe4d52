"""Sign-ins: only hashes are held, each ends, and there are never too many."""

from __future__ import annotations

import random
from typing import Any

from akto_proxy.dashboard import sessions
from akto_proxy.dashboard.sessions import IDLE, OLDEST, Sessions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def made() -> tuple[Sessions, Clock]:
    clock = Clock()
    return Sessions(clock, random.Random(5).randbytes), clock


def test_the_token_itself_is_kept_nowhere() -> None:
    store, _ = made()
    token = store.begin("ada", agent="x" * 999)
    assert token not in repr(vars(store))
    found = store.find(token)
    assert found.user == "ada"
    assert len(found.agent) == 200
    assert store.find(token[:-1]) is None
    assert store.find("") is None
    assert len({store.find(store.begin("ada")).csrf for _ in range(5)}) == 5


def test_a_session_ends_when_idle_or_old() -> None:
    store, clock = made()
    idle, busy = store.begin("ada"), store.begin("ada")
    for _ in range(int(OLDEST // (IDLE / 2))):
        clock.now += IDLE / 2
        assert store.find(busy) is not None
    assert store.find(idle) is None
    clock.now += IDLE / 2
    assert store.find(busy) is None


def test_there_are_never_more_than_fit(monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "KEPT", 3)
    store, _ = made()
    tokens = [store.begin(f"u{n}") for n in range(5)]
    assert [store.find(token) is not None for token in tokens] == [False, False, True, True, True]
    assert store.end_all("u4") == 1
    assert [session.user for session in store.of()] == ["u2", "u3"]
