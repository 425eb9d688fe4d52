"""Limits: what was learned says what it came from, waits for an editor, and can be taken back."""

from __future__ import annotations

import random
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.house import Options
from akto_proxy.limits.learn import Terms
from akto_proxy.limits.learned import SLOTS
from akto_proxy.limits.schema import parse_limits
from akto_proxy.model import Caller, Usage
from akto_proxy.store.control import Person
from akto_proxy.watch.learning import accepted


def test_a_proposal_says_what_it_came_from(propose: Any, sign_in: Any) -> None:
    propose("p1")
    page = re.sub(r"<[^>]+>", "", sign_in("viewer").get("/limits").text)
    for words in (
        "30 requests in 1 min",
        "for each user at support-llama",
        "900 samples of 12 users",
        "on 7 days since 17 Nov 2025",
        "20 or less in 99 %",
        "50 % headroom; peak 55",
        "31 of 4,000 calls",
    ):
        assert words in page
    assert "No limit is in force" in page


def test_small_amounts_are_not_rounded_away(propose: Any, sign_in: Any) -> None:
    propose("p1", count="cost", usual=0.0125, peak=0.5)
    page = sign_in("viewer").get("/limits").text
    assert "0.0125</span> or less" in page
    assert "peak 0.5" in page


def test_accepted_switched_and_withdrawn_with_a_note_each(propose: Any, control: Any, sign_in: Any) -> None:
    propose("p1")
    editor = sign_in("editor")
    for act in ("shadow", "enforce", "withdraw"):
        answer = editor.post("/limits/p1", data={"act": act})
        assert (answer.status_code, answer.headers["location"]) == (303, "/limits?said=decided")
        assert len(accepted(control)) == (act != "withdraw")
    notes = control.notes(action="limits.")
    assert [note.action for note in reversed(notes)] == ["limits.accept", "limits.accept", "limits.withdraw"]
    assert {(note.actor, note.ip) for note in notes} == {("editor-1", "testclient")}
    page = editor.get("/limits").text
    assert "Withdrawn" in page
    assert "by editor-1" not in page.partition("Decided before")[0]


def test_several_are_decided_at_once_and_what_fails_is_told(propose: Any, control: Any, sign_in: Any) -> None:
    for number in range(3):
        propose(f"p{number}", f"endpoint-{number}")
    editor = sign_in("editor")
    assert editor.post("/limits", data={"act": "dismiss", "id": ["p0"]}).status_code == 303
    answer = editor.post("/limits", data={"act": "enforce", "id": ["p0", "p1", "p2", "none"]})
    assert answer.status_code == 422
    assert "2 decided, 2 not:" in answer.text
    assert {item.id for item in control.proposals(["accepted"])} == {"p1", "p2"}
    for form in ({"act": "enforce"}, {"act": "forget", "id": ["p1"]}):
        assert "Choose at least one" in editor.post("/limits", data=form).text
    assert editor.post("/limits/none", data={"act": "enforce"}).status_code == 404
    assert editor.post("/limits/p0", data={"act": "withdraw"}).status_code == 422
    assert editor.post("/limits/p1", data={"act": "forget"}).status_code == 422


def test_no_more_than_there_is_room_for(propose: Any, control: Any, sign_in: Any) -> None:
    for number in range(SLOTS + 1):
        propose(f"p{number}", f"endpoint-{number}")
    ids = [f"p{number}" for number in range(SLOTS + 1)]
    answer = sign_in("editor").post("/limits", data={"act": "shadow", "id": ids})
    assert f"{SLOTS} decided, 1 not: {SLOTS} learned limits are in force already" in answer.text


@pytest.mark.parametrize("role", ["viewer", "analyst"])
def test_who_may_only_read_sees_no_buttons(role: str, propose: Any, control: Any, sign_in: Any) -> None:
    propose("p1")
    client = sign_in(role)
    page = client.get("/limits").text
    assert "Dismiss" not in page
    assert "formaction" not in page
    for path, form in (("/limits/p1", {"act": "enforce"}), ("/limits", {"act": "enforce", "id": ["p1"]})):
        assert client.post(path, data=form).status_code == 403
    assert accepted(control) == []


def test_a_form_without_the_pages_token_changes_nothing(propose: Any, control: Any, sign_in: Any) -> None:
    propose("p1")
    editor = sign_in("editor")
    del editor.headers["x-csrf-token"]
    assert editor.post("/limits/p1", data={"act": "enforce"}).status_code == 403
    assert accepted(control) == []


def test_many_are_filtered_and_paged(propose: Any, sign_in: Any) -> None:
    for number in range(45):
        propose(f"p{number}", f"endpoint-{number:02}")
    client = sign_in("viewer")
    first, second = client.get("/limits").text, client.get("/limits?page=1").text
    assert first.count(" or less in 99") == 40
    assert second.count(" or less in 99") == 5
    assert "page=1" in first
    assert "page=2" not in second
    one = client.get("/limits?endpoint=endpoint-07").text
    assert one.count(" or less in 99") == 1
    assert "of 45" in one
    assert "No proposal fits" in client.get("/limits?endpoint=nowhere").text


@pytest.fixture
def editor(store: Any, control: Any, workshop: Any, clock: Any) -> TestClient:
    limits = parse_limits([{"name": "per-key", "by": ["key"], "limit": 9, "per": "1d"}])
    options = Options(limits=limits, terms=Terms(percentile=95, kinds=("user",)), learn_days=5)
    app = create_app(
        traces=store, control=control, workshop=workshop, clock=clock, randomness=random.Random(3).randbytes,
        options=options,
    )  # fmt: skip
    control.keep_person(Person("eve", "editor", "!"))
    client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
    client.cookies.set("akto_session", app.state.house.sessions.begin("eve"))
    client.headers["x-csrf-token"] = app.state.house.sessions.of("eve")[0].csrf
    return client


def finished(client: TestClient) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        part = client.get("/limits", headers={"hx-request": "true"}).text
        if "hx-get" not in part:
            return part
        time.sleep(0.02)
    raise AssertionError("it never ended")


def test_learning_runs_beside_the_page_and_proposes(
    store: Any, sample: Any, clock: Any, control: Any, editor: TestClient
) -> None:
    call = replace(next(iter(sample.traffic(1, until=clock()))), outcome="ok", usage=Usage(100, 50))
    calls = [
        replace(call, id=f"{day:016x}{n:016x}", started=clock() - day * 86400 - n * 600 - 60, caller=Caller(user="ann"))
        for day in range(4)
        for n in range(40)
    ]
    store.insert_many(calls)
    page = editor.get("/limits").text
    assert "Not learned since the server started" in page
    assert 'value="95"' in page
    form = {"days": "5", "percentile": "95", "headroom": "50"}
    assert editor.post("/limits/learn", data=form).headers["location"] == "/limits?said=learning"
    part = finished(editor)
    assert "proposed</span> from 160 calls" in part
    made = control.proposals(["proposed"])
    assert {item.count for item in made} == {"requests", "concurrent"}  # an hour has too few samples
    assert {(item.percentile, item.headroom) for item in made} == {(95.0, 0.5)}
    assert accepted(control) == []


def test_learning_from_too_little_says_so(filled: Any, editor: TestClient) -> None:
    editor.post("/limits/learn", data={"days": "5", "percentile": "95", "headroom": "0"})
    part = finished(editor)
    assert "with too little data" in part
    assert "calls on " in part


@pytest.mark.parametrize("wrong", [{"days": "0"}, {"percentile": "101"}, {"headroom": "-1"}, {"days": "nan"}])
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, str], editor: TestClient) -> None:
    form = {"days": "7", "percentile": "99", "headroom": "50", **wrong}
    answer = editor.post("/limits/learn", data=form)
    assert answer.status_code == 422
    assert "Learn from 1 to 365 days" in answer.text


def test_a_learned_limit_in_force_stands_beside_those_of_the_settings(
    filled: Any, propose: Any, editor: TestClient
) -> None:
    propose("p1")
    editor.post("/limits/p1", data={"act": "shadow"})
    page = re.sub(r"<[^>]+>", "", editor.get("/limits").text)
    assert "9 requests in 1 d" in page
    assert "learned; accepted by eve" in page
    profile = editor.get("/endpoints/profile?name=support-llama").text
    assert "30 requests in 1 min for each user" in profile
    assert "Shadow" in profile
    assert "30 requests" not in editor.get("/endpoints/profile?name=code-qwen").text
