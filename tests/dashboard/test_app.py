"""Nothing is open by mistake: the list of routes is taken from the app itself, so a new route is judged too."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from akto_proxy.dashboard.roles import Need, Role
from akto_proxy.dashboard.shield import CSP
from akto_proxy.dashboard.web import need_of, unguarded

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("GET", "/setup"),
    ("POST", "/setup"),
    ("GET", "/oidc/start"),
    ("GET", "/oidc/callback"),
}


def routes(app: FastAPI) -> list[tuple[str, str, Need | None]]:
    found = []
    for route in app.routes:
        if isinstance(route, APIRoute):
            path = re.sub(r"\{(number)\}", "1", route.path)
            path = re.sub(r"\{by\}", "rule", path)
            path = re.sub(r"\{[a-z_]+\}", "0" * 32, path)
            found += [(method, path, need_of(route)[1]) for method in route.methods]
    return found


def test_a_stranger_reaches_only_the_door(app: FastAPI, stranger: TestClient) -> None:
    seen = set()
    for method, path, need in routes(app):
        if need is None:
            seen.add((method, path))
            continue
        answer = stranger.request(method, path, headers={"accept-encoding": "identity"})
        if path.startswith("/api/v1"):
            assert answer.status_code == 401, (method, path)
        else:
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/login")
    assert seen == OPEN
    assert len(routes(app)) > 80


@pytest.mark.parametrize("role", list(Role))
def test_each_role_is_kept_from_what_it_may_not(role: Role, app: FastAPI, sign_in: Any) -> None:
    client = sign_in(role.label)
    for method, path, need in routes(app):
        if need is None or path == "/logout" or need.met_by(role):
            continue
        assert client.request(method, path).status_code == 403, (method, path)


def test_every_change_asks_for_the_token(app: FastAPI, sign_in: Any) -> None:
    client = sign_in("admin")
    del client.headers["x-csrf-token"]
    for method, path, need in routes(app):
        if need is not None and method != "GET":
            assert client.request(method, path).status_code == 403, (method, path)
    assert client.get("/").status_code == 200


def test_a_route_that_came_another_way_is_found(app: FastAPI) -> None:
    assert unguarded(app) == []
    app.add_api_route("/open", lambda: "x")
    assert unguarded(app) == ["/open"]


def test_changes_from_other_sites_are_refused(sign_in: Any) -> None:
    client = sign_in("admin")
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.test"},
        {"origin": "null"},
    ):
        assert client.post("/account/sessions/end", headers=headers).status_code == 403
    assert client.post("/account/sessions/end", headers={"origin": "http://dash.test"}).status_code == 303


def test_every_answer_carries_the_policy(stranger: TestClient) -> None:
    for path in ("/login", "/", "/nothing", "/static/none.js", "/healthz", "/api/v1/traces"):
        headers = stranger.get(path).headers
        assert headers["content-security-policy"] == CSP
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert "unsafe" not in CSP


def test_the_host_header_decides_nothing(stranger: TestClient) -> None:
    # A Host such as `x/login?` must not change which path is judged.
    for host in ("x/login?", "h/#@x", "x/healthz#"):
        answer = stranger.get("/api/v1/traces", headers={"host": host})
        assert answer.status_code == 401


def test_big_bodies_are_refused(stranger: TestClient) -> None:
    assert stranger.post("/login", content=b"x" * (5 << 20)).status_code == 413


def test_bearer_tokens_work_for_the_api_alone(filled: Any, control: Any, app: FastAPI, clock: Any) -> None:
    _, viewer = control.add_token("reader", "viewer", by="x", at=clock())
    _, ingest = control.add_token("proxy", "ingest", by="x", at=clock())
    client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
    good = {"authorization": f"Bearer {viewer}"}
    assert client.get("/api/v1/traces", headers=good).json()["items"]
    assert client.get("/traces", headers=good).status_code == 303
    assert client.get("/api/v1/audit", headers=good).status_code == 403
    assert client.get("/api/v1/traces", headers={"authorization": f"Bearer {ingest}"}).status_code == 401
    assert client.get("/api/v1/traces", headers={"authorization": "Bearer wrong"}).status_code == 401
    control.revoke_token(control.tokens()[-1].id)
    control.revoke_token(control.tokens()[0].id)
    assert client.get("/api/v1/traces", headers=good).status_code == 401


def test_errors_do_not_repeat_what_was_sent(sign_in: Any) -> None:
    client = sign_in("admin")
    answer = client.post("/api/v1/decisions/mark", json={"events": "hf_secret_value", "state": 7})
    assert answer.status_code == 422
    assert "hf_secret_value" not in answer.text


def test_an_address_says_what_it_takes(sign_in: Any) -> None:
    client = sign_in("admin")
    answer = client.request("PATCH", "/api/v1/people")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
