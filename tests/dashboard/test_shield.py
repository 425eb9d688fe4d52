"""What holds before any route is chosen: hosts, origins, sizes, and headers that forbid what pages never need."""

from __future__ import annotations

import random
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.house import Options
from akto_proxy.dashboard.shield import same_origin


@pytest.fixture
def named(store: Any, control: Any, workshop: Any, clock: Any) -> TestClient:
    options = Options(hosts=frozenset(("guard.example", "127.0.0.1")), https=True)
    app = create_app(
        traces=store, control=control, workshop=workshop, clock=clock, randomness=random.Random(3).randbytes,
        options=options,
    )  # fmt: skip
    return TestClient(app, base_url="https://guard.example", follow_redirects=False)


@pytest.mark.parametrize(
    ("host", "status"),
    [("guard.example", 200), ("GUARD.example:8443", 200), ("127.0.0.1:8090", 200), ("evil.test", 421), ("", 421)],
)
def test_only_its_own_names_are_served(host: str, status: int, named: TestClient) -> None:
    assert named.get("/login", headers={"host": host}).status_code == status


def test_a_prober_may_ask_by_address(named: TestClient) -> None:
    assert named.get("/healthz", headers={"host": "10.1.2.3:8090"}).text == "ok\n"


def test_behind_tls_cookies_and_browsers_stay_there(named: TestClient) -> None:
    setup = named.app.state.house.setup.path.partition("=")[2]
    form = {"token": setup, "name": "ada", "password": "correct horse battery", "again": "correct horse battery"}
    answer = named.post("/setup", data=form)
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://elsewhere"}, True),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://dash.test"}, False),
        ({"origin": "http://dash.test"}, True),
        ({"origin": "http://dash.test.evil"}, False),
    ],
)
def test_changes_come_from_our_own_pages(headers: dict[str, str], ours: bool) -> None:
    assert same_origin(Headers(headers), "dash.test") == ours


def test_a_body_is_cut_off_whatever_its_length_says(named: TestClient) -> None:
    def endless() -> Any:
        for _ in range(80):
            yield b"x" * (64 << 10)

    assert named.post("/login", content=endless()).status_code >= 400
    assert named.post("/login", headers={"content-length": "nine"}).status_code == 413
