"""Saving a policy: a bad text changes nothing, and what weakens one waits for a second person."""

from __future__ import annotations

import random
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.house import Options
from akto_proxy.dashboard.workshop import Workshop
from akto_proxy.store.control import Person


@pytest.fixture
def pair(store: Any, control: Any, workshop: Workshop, clock: Any) -> tuple[TestClient, TestClient]:
    """Two policy editors of a server that asks for two people."""
    app = create_app(
        traces=store,
        control=control,
        workshop=workshop,
        clock=clock,
        randomness=random.Random(3).randbytes,
        options=Options(two_people=True),
        hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1),
    )
    made = []
    for name in ("ada", "eve"):
        control.keep_person(Person(name, "editor", "!"))
        client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
        client.cookies.set("akto_session", app.state.house.sessions.begin(name))
        client.headers["x-csrf-token"] = app.state.house.sessions.of(name)[0].csrf
        made.append(client)
    return made[0], made[1]


def test_a_bad_text_changes_nothing(sign_in: Any, control: Any) -> None:
    editor = sign_in("editor")
    answer = editor.post("/policies/edit", data={"text": "version: 1\npolicies: [{name: x, rulez: []}]"})
    assert answer.status_code == 422
    assert control.active() is None
    assert editor.put("/api/v1/policy", json={"text": "version: 2"}).status_code == 422


def test_versions_are_kept_and_come_back(sign_in: Any, control: Any, workshop: Workshop) -> None:
    editor = sign_in("editor")
    assert editor.post("/policies/edit", data={"text": workshop.default, "comment": "first"}).status_code == 303
    stronger = workshop.default.replace("action: alert", "action: block")
    assert editor.put("/api/v1/policy", json={"text": stronger, "comment": "second"}).json()["number"] == 2
    assert "second" in editor.get("/policies/history").text
    assert editor.get("/policies/history/2").status_code == 200
    assert editor.post("/policies/history/1/restore").status_code == 303
    assert control.active().number == 3
    assert control.active().text == workshop.default


@pytest.mark.parametrize(
    ("old", "new", "waits"),
    [
        ("action: redact", "action: alert", True),
        ("on_error: block", "on_error: allow", True),
        ("detect: secrets", "detect: EMAIL_ADDRESS", True),
        ("severity: medium\n    action: redact", "severity: medium\n    enabled: false\n    action: redact", True),
        ("action: alert", "action: block", False),
        ("severity: low", "severity: high", False),
    ],
)
def test_what_weakens_waits_for_a_second_person(
    old: str, new: str, waits: bool, pair: Any, control: Any, workshop: Any
) -> None:
    ada, eve = pair
    assert old in workshop.default
    text = workshop.default.replace(old, new, 1)
    answer = ada.put("/api/v1/policy", json={"text": text})
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == ("proposed" if waits else "active")
    if waits:
        assert control.active() is None
        assert ada.post("/api/v1/policy/versions/1/approve").status_code == 422
        assert eve.post("/policies/history/1/approve").status_code == 303
        assert control.active().text == text
        assert eve.post("/policies/history/1/approve").status_code == 422


def test_packs_go_on_and_off(sign_in: Any, control: Any) -> None:
    editor = sign_in("editor")
    form = {"key": "pci-dss", "to": "on", "mode": "monitor"}
    answer = editor.post("/policies/packs", data=form)
    assert answer.status_code == 303, answer.text
    assert "mode: monitor" in control.active().text
    assert editor.post("/policies/packs", data={"key": "pci-dss", "to": "off"}).status_code == 303
    assert "mode: monitor" not in control.active().text
    assert editor.post("/policies/packs", data={"key": "../x", "to": "on"}).status_code == 404
