"""Running the program by the API: accounts without hashes, tokens whose secret is told once."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

PASSWORD = "correct horse battery staple"


def test_accounts_are_made_changed_and_removed(sign_in: Any, control: Any) -> None:
    admin = sign_in("admin")
    body = {"name": "eve", "role": "viewer", "password": PASSWORD}
    made = admin.post("/api/v1/people", json=body)
    assert made.status_code == 201
    assert "password" not in made.json()
    assert "argon2" not in admin.get("/api/v1/people").text
    assert admin.post("/api/v1/people", json=body).status_code == 422
    assert admin.post("/api/v1/people/eve", json={"act": "role", "role": "analyst"}).status_code == 200
    assert control.person("eve").role == "analyst"
    assert admin.delete("/api/v1/people/eve").status_code == 200
    assert admin.delete("/api/v1/people/eve").status_code == 404
    assert admin.delete("/api/v1/people/admin-1").status_code == 422


def test_a_token_works_until_it_is_revoked(app: Any, sign_in: Any) -> None:
    admin = sign_in("admin")
    made = admin.post("/api/v1/tokens", json={"name": "reader", "scope": "viewer", "last": "30d"}).json()
    program = TestClient(app, base_url="http://dash.test", headers={"authorization": f"Bearer {made['secret']}"})
    assert program.get("/api/v1/me").json() == {"name": "token:reader", "role": "viewer"}
    assert made["secret"] not in admin.get("/api/v1/tokens").text
    assert admin.delete(f"/api/v1/tokens/{made['token']['id']}").status_code == 200
    assert program.get("/api/v1/me").status_code == 401
    assert admin.delete("/api/v1/tokens/none").status_code == 404


def test_how_it_runs_can_be_read(filled: Any, sign_in: Any) -> None:
    viewer = sign_in("viewer")
    assert viewer.get("/api/v1/storage").json()["traces"] == filled.count()
    assert viewer.get("/api/v1/channels").status_code == 403
    admin = sign_in("admin")
    assert admin.get("/api/v1/channels").json() == {"items": [], "deliveries": []}
    assert admin.post("/api/v1/channels/ops/test").status_code == 404
    assert admin.get("/api/v1/audit?action=sign-in&limit=1").json()["items"][0]["action"] == "sign-in"
