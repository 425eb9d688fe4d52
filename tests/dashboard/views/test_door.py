"""Signing in, the one-time setup, and one's own account."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

PASSWORD = "correct horse battery staple"


def test_setup_makes_one_administrator_and_the_link_works_once(app: Any, stranger: TestClient, control: Any) -> None:
    link = app.state.house.setup.path
    assert stranger.get("/setup?token=" + "0" * 48).status_code == 404
    assert stranger.get(link).status_code == 200
    token = link.partition("=")[2]
    form = {"token": token, "name": "ada", "password": PASSWORD, "again": PASSWORD}
    assert stranger.post("/setup", data={**form, "password": "short", "again": "short"}).status_code == 422
    assert stranger.post("/setup", data={**form, "again": "another one entirely"}).status_code == 422
    assert stranger.post("/setup", data=form).status_code == 303
    assert control.person("ada").role == "admin"
    assert PASSWORD not in control.person("ada").password
    assert stranger.get("/").status_code == 200
    assert stranger.post("/setup", data={**form, "name": "eve"}).status_code == 404
    assert control.person("eve") is None


def test_the_setup_link_grows_old(app: Any, stranger: TestClient, clock: Any) -> None:
    link = app.state.house.setup.path
    clock.now += 25 * 3600
    assert stranger.get(link).status_code == 404


def test_wrong_passwords_wait_longer_and_longer(sign_in: Any, stranger: TestClient, clock: Any) -> None:
    sign_in("viewer", "ada")
    wrong = {"name": "ada", "password": "no"}
    codes = [stranger.post("/login", data=wrong).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    right = {"name": "ada", "password": PASSWORD}
    assert stranger.post("/login", data=right).status_code == 429
    clock.now += 2
    assert stranger.post("/login", data=wrong).status_code == 401
    clock.now += 1
    assert stranger.post("/login", data=right).status_code == 429
    clock.now += 900
    assert stranger.post("/login", data=right).status_code == 303


def test_unknown_names_are_told_nothing_else(stranger: TestClient, sign_in: Any) -> None:
    sign_in("viewer", "ada")
    known = stranger.post("/login", data={"name": "ada", "password": "wrong"})
    unknown = stranger.post("/login", data={"name": "nobody", "password": "wrong"})
    assert known.status_code == unknown.status_code == 401
    assert known.text == unknown.text


def test_sign_in_goes_only_to_our_own_pages(stranger: TestClient, sign_in: Any) -> None:
    sign_in("viewer", "ada")
    for target in ("//evil.test", "https://evil.test", "/\\evil.test", "javascript:alert(1)", "/a\r\nset-cookie: x=1"):
        answer = stranger.post("/login", data={"name": "ada", "password": PASSWORD, "next": target})
        assert answer.headers["location"] == "/"
        stranger.cookies.clear()
    answer = stranger.post("/login", data={"name": "ada", "password": PASSWORD, "next": "/traces?user=x"})
    assert answer.headers["location"] == "/traces?user=x"


def test_the_cookie_is_closed_to_scripts_and_other_sites(stranger: TestClient, sign_in: Any) -> None:
    sign_in("viewer", "ada")
    cookie = stranger.post("/login", data={"name": "ada", "password": PASSWORD}).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_sessions_end_by_idleness_age_and_sign_out(sign_in: Any, clock: Any) -> None:
    idle, left = sign_in("viewer", "idle"), sign_in("viewer", "left")
    assert left.post("/logout").status_code == 303
    assert left.get("/").status_code == 303
    clock.now += 9 * 3600
    assert idle.get("/").status_code == 303


def test_a_new_password_ends_other_sessions(app: Any, sign_in: Any) -> None:
    one = sign_in("viewer", "ada")
    two = sign_in("viewer", "ada")
    house = app.state.house
    two.headers["x-csrf-token"] = house.sessions.find(two.cookies["akto_session"]).csrf
    form = {"old": PASSWORD, "password": "an entirely new sentence", "again": "an entirely new sentence"}
    assert two.post("/account/password", data={**form, "old": "wrong"}).status_code == 422
    assert two.post("/account/password", data=form).status_code == 303
    assert two.get("/").status_code == 200
    assert one.get("/").status_code == 303


def test_switched_off_accounts_are_out_at_once(sign_in: Any) -> None:
    admin, viewer = sign_in("admin", "ada"), sign_in("viewer", "eve")
    assert admin.post("/settings/people/change", data={"name": "eve", "act": "off"}).status_code == 303
    assert viewer.get("/").status_code == 303


def test_the_last_administrator_stays(sign_in: Any, control: Any) -> None:
    admin = sign_in("admin", "ada")
    assert admin.post("/settings/people/change", data={"name": "ada", "act": "remove"}).status_code == 422
    assert control.person("ada")


def test_every_sign_in_is_in_the_audit_log(sign_in: Any, stranger: TestClient, control: Any) -> None:
    sign_in("viewer", "ada")
    stranger.post("/login", data={"name": "ada", "password": "wrong"})
    assert [note.action for note in control.notes()][:2] == ["sign-in.failed", "sign-in"]
