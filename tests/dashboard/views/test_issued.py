"""Keys of callers: shown once, listed without their secrets, ended for good."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from akto_proxy.cli.pages import KeyFile
from akto_proxy.dashboard.app import create_app
from akto_proxy.store.control import Person


@pytest.fixture
def issuing(store: Any, control: Any, workshop: Any, clock: Any, tmp_path: Path) -> Any:
    keys = KeyFile(tmp_path / "keys.json")
    app = create_app(
        traces=store, control=control, workshop=workshop, clock=clock, randomness=random.Random(3).randbytes, keys=keys
    )
    control.keep_person(Person("ada", "admin", "!"))
    client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
    client.cookies.set("akto_session", app.state.house.sessions.begin("ada"))
    client.headers["x-csrf-token"] = app.state.house.sessions.of("ada")[0].csrf
    return client, keys


def test_a_key_is_issued_shown_once_and_revoked(issuing: Any, control: Any, clock: Any) -> None:
    client, keys = issuing
    form = {"name": "nightly job", "endpoints": "code-*, support-llama", "team": "platform", "last": "30d"}
    page = client.post("/settings/keys", data=form).text
    text = re.search(r"akto-[0-9a-f]{8}-[\w-]{40,}", page)[0]
    (kept,) = keys.kept()
    assert kept.endpoints == ("code-*", "support-llama")
    assert kept.expires == clock() + 30 * 86400
    listed = client.get("/settings/keys").text
    assert "nightly job" in listed
    assert text not in listed
    assert kept.digest not in client.get("/api/v1/keys").text
    assert client.post("/settings/keys/revoke", data={"id": kept.id}).status_code == 303
    assert keys.kept()[0].revoked == clock()
    assert client.delete(f"/api/v1/keys/{kept.id}").status_code == 404
    assert [note.action for note in control.notes(action="key.")] == ["key.revoke", "key.issue"]


def test_the_api_issues_too(issuing: Any) -> None:
    client, keys = issuing
    made = client.post("/api/v1/keys", json={"name": "ci", "models": ["meta-*"], "days": 0})
    assert made.status_code == 201
    assert made.json()["key"].startswith(keys.kept()[0].id)
    assert keys.kept()[0].expires == 0
    assert client.post("/settings/keys", data={"name": "x", "last": "9y"}).status_code == 422


def test_a_server_without_keys_says_so(sign_in: Any) -> None:
    assert sign_in("admin").get("/settings/keys").status_code == 404
    assert sign_in("editor").get("/settings/keys").status_code == 403
