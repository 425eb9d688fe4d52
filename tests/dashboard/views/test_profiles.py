"""Endpoints and callers: what guards them, what limits them, how risky a caller is, and lists that stay bounded."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.house import Options
from akto_proxy.dashboard.views import profiles
from akto_proxy.dashboard.views.profiles import about, newest, risk
from akto_proxy.limits.schema import parse_limits
from akto_proxy.model import Caller, Incident, IncidentState, Severity
from akto_proxy.store.control import Person
from akto_proxy.store.face import Count, Filter


def test_risk_grows_with_what_was_stopped() -> None:
    assert risk(Count("a", 100)) == 0
    assert risk(Count("a", 100, blocked=5)) == 10
    assert risk(Count("a", 100, redacted=50)) == 20
    assert risk(Count("a", 100, alerted=50)) == 10
    assert risk(Count("a", 10, blocked=10)) == 100
    assert risk(Count("a")) == 0


def test_lists_count_the_newest_hours_that_fit(
    filled: Any, app: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock()
    where = Filter(since=now - 86400, until=now, endpoint="support-llama")
    assert newest(app.state.house, where) == where
    monkeypatch.setattr(profiles, "MINE", 50)
    near = newest(app.state.house, where)
    assert where.since < near.since < now
    assert filled.count(replace(near, since=near.since)) > 50
    assert filled.count(replace(near, since=near.since + 3600)) <= 50


def test_a_cut_list_says_so_and_the_numbers_stay_whole(
    filled: Any, sign_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in("viewer")
    path = "/callers/profile?field=user&value=ada"
    whole = client.get(path).text
    assert "count the newest calls" not in whole
    monkeypatch.setattr(profiles, "EVERYBODYS", 100)
    cut = client.get(path).text
    assert "count the newest calls" in cut
    calls = re.compile(r"Calls</span><span class=\"v\">([\d,]+)")
    assert calls.search(whole)[1] == calls.search(cut)[1] == str(filled.count(Filter(user="ada")))


def test_routes_say_what_guards_them_and_why_not(store: Any, sample: Any, clock: Any, sign_in: Any) -> None:
    call = next(iter(sample.traffic(1, until=clock() - 9)))
    store.insert_many(
        [
            call,
            replace(call, id="1" * 32, route="denied", path="/pause", outcome="refused", upstream_status=0),
            replace(call, id="2" * 32, route="health", path="/health", method="GET"),
        ]
    )
    page = sign_in("viewer").get("/endpoints").text
    assert re.search(r"route=denied.*?>Refused<.*?never reaches the model", page, re.S)
    assert re.search(r"route=health.*?>No text<", page, re.S)
    assert re.search(r"route=openai.chat.*?>4 policies<|route=tgi.generate.*?>4 policies<", page, re.S)


def test_callers_known_by_their_address_alone_are_shown_at_once(
    store: Any, sample: Any, clock: Any, sign_in: Any
) -> None:
    page = sign_in("viewer")
    assert "None seen in this time" in page.get("/callers").text
    call = next(iter(sample.traffic(1, until=clock() - 9)))
    store.insert_many([replace(call, caller=Caller(ip="10.1.2.3"))])
    assert "10.1.2.3" in page.get("/callers").text
    assert "None seen in this time" in page.get("/callers?by=user").text


@pytest.fixture
def limited(store: Any, control: Any, workshop: Any, clock: Any) -> TestClient:
    limits = [
        {"name": "per-user", "by": ["user"], "limit": 60, "per": "1m"},
        {"name": "only-code", "by": ["endpoint"], "limit": 5, "per": "1h", "only": {"endpoint": ["code-*"]}},
        {"name": "per-key", "by": ["key"], "limit": 9, "per": "1d", "mode": "shadow"},
    ]
    options = Options(limits=parse_limits(limits), guarded=("POST:/generate",))
    app = create_app(
        traces=store, control=control, workshop=workshop, clock=clock, randomness=random.Random(3).randbytes,
        options=options,
    )  # fmt: skip
    control.keep_person(Person("ada", "viewer", "!"))
    client = TestClient(app, base_url="http://dash.test")
    client.cookies.set("akto_session", app.state.house.sessions.begin("ada"))
    return client


def test_profiles_show_the_limits_that_count_there(filled: Any, limited: TestClient) -> None:
    caller = limited.get("/callers/profile?field=user&value=ada").text
    assert "60 requests in 1 min for each user" in caller
    assert "only-code" not in caller
    code, support = (limited.get(f"/endpoints/profile?name={name}").text for name in ("code-qwen", "support-llama"))
    assert "5 requests in 1 h for each endpoint" in code
    assert "only-code" not in support
    assert "Shadow" in code


def test_a_route_that_the_settings_leave_out_is_not_checked(filled: Any, limited: TestClient) -> None:
    page = limited.get("/endpoints").text
    assert re.search(r"name=support-llama.*?>Not checked<", page, re.S)
    assert re.search(r"name=summary-mistral.*?>4 policies<", page, re.S)


def test_a_callers_incidents_stand_on_their_profile(filled: Any, control: Any, sign_in: Any) -> None:
    for name in ("ada", "eve"):
        title = f"Probing by {name}"
        control.keep_incident(
            Incident(name, name, title, Severity.HIGH, IncidentState.OPEN, 1.0, 2.0, subject=f"caller user:{name}")
        )
    page = sign_in("viewer").get("/callers/profile?field=user&value=ada").text
    assert "Probing by ada" in page
    assert "Probing by eve" not in page
    client = sign_in("viewer")
    assert client.get("/callers/profile?field=shoe&value=1").status_code == 404
    assert client.get("/endpoints/profile?name=nowhere").status_code == 404


@pytest.mark.parametrize(
    ("subject", "field", "value", "expected"),
    [
        ("caller key:abc (ada)", "key", "abc", True),
        ("caller key:abc (ada)", "user", "ada", True),
        ("caller key:abc (ada)", "ip", "ada", False),
        ("caller user:x (ada)", "user", "ada", False),
        ("caller user:ada", "user", "ada", True),
        ("endpoint ada", "user", "ada", False),
    ],
)
def test_an_incident_is_found_by_key_and_by_the_name_given(
    subject: str, field: str, value: str, expected: bool
) -> None:
    assert about(subject, field, value) is expected
