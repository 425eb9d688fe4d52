"""One's own account by the API: sessions, and a new password that ends the others."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

OLD = "correct horse battery staple"
NEW = "wrong donkey capacitor paperclip"


def test_a_new_password_ends_the_other_sessions(app: Any, sign_in: Any) -> None:
    first = sign_in("viewer", "ada")
    second = TestClient(app, base_url="http://dash.test", follow_redirects=False)
    second.post("/login", data={"name": "ada", "password": OLD})
    shown = first.get("/api/v1/me/sessions").json()["items"]
    assert [item["this"] for item in shown].count(True) == 1
    assert len(shown) == 2
    assert not any("id" in item or "csrf" in item for item in shown)
    bad = first.post("/api/v1/me/password", json={"old": "not this one at all", "password": NEW})
    assert (bad.status_code, bad.json()["error"]["message"]) == (422, "The old password is not right.")
    app.state.house.clock.now += 60
    assert first.post("/api/v1/me/password", json={"old": OLD, "password": NEW}).json() == {"changed": "ada"}
    assert second.get("/api/v1/me").status_code == 401
    assert second.post("/login", data={"name": "ada", "password": NEW}).status_code == 303
    assert first.delete("/api/v1/me/sessions").json() == {"ended": 1}
    assert second.get("/api/v1/me").status_code == 401


def test_a_token_has_no_password_and_no_session(app: Any, sign_in: Any) -> None:
    made = sign_in("admin").post("/api/v1/tokens", json={"name": "reader", "scope": "viewer"}).json()
    program = TestClient(app, base_url="http://dash.test", headers={"authorization": f"Bearer {made['secret']}"})
    assert program.get("/api/v1/me/sessions").json() == {"items": []}
    assert program.post("/api/v1/me/password", json={"old": OLD, "password": NEW}).status_code == 404
