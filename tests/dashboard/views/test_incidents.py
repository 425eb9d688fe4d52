"""An incident's life, and callers that are refused until a set time."""

from __future__ import annotations

import re
from typing import Any

import pytest

from akto_proxy.model import Alert, Incident, IncidentState, Severity
from akto_proxy.store.face import Filter
from akto_proxy.watch.respond import Override, order, overrides


@pytest.fixture
def incident(filled: Any, control: Any, clock: Any) -> Incident:
    calls = filled.search(Filter(user="ada"), limit=3).items
    ids = tuple(call.id for call in calls)
    made = Incident(
        "i-1", "f", "Ada probes", Severity.HIGH, IncidentState.OPEN, clock() - 99, clock() - 9, 2, "caller user:ada",
        trace_ids=ids[:1],
    )  # fmt: skip
    control.keep_incident(made)
    alert = Alert(
        "a-1", clock() - 9, "k", Severity.HIGH, "t", "f", expected="none an hour", seen="3 an hour", trace_ids=ids
    )
    control.add_alert(alert, "i-1")
    return made


def test_an_incident_shows_alerts_traces_and_whom_to_block(incident: Incident, filled: Any, sign_in: Any) -> None:
    page = sign_in("analyst").get("/incidents/i-1").text
    assert "none an hour" in page
    assert "3 an hour" in page
    assert len(re.findall(r'href="/traces/[0-9a-f]{32}"', page)) == 3
    assert 'name="value" value="ada"' in page


def test_a_life_from_open_to_resolved_and_back(incident: Incident, control: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    for form in (
        {"move": "acknowledge"},
        {"text": "A load test of ours."},
        {"assignee": "analyst-1"},
        {"move": "resolve"},
        {"move": "reopen"},
    ):
        assert client.post("/incidents/i-1", data=form).status_code == 303
    assert [step.kind for step in control.steps("i-1")] == ["acknowledged", "note", "assigned", "resolved", "open"]
    assert control.incident("i-1").assignee == "analyst-1"
    assert "A load test of ours." in client.get("/incidents/i-1").text
    assert len(control.notes(action="incident.")) == 5
    for form in ({}, {"move": "forget"}, {"assignee": "nobody"}):
        assert client.post("/incidents/i-1", data=form).status_code == 422
    assert client.post("/incidents/none", data={"move": "resolve"}).status_code == 404


def test_resolved_ones_are_out_of_the_way(incident: Incident, sign_in: Any) -> None:
    client = sign_in("analyst")
    assert 'aria-label="1 open"' in client.get("/").text
    client.post("/incidents/i-1", data={"move": "resolve"})
    assert "Nothing is open" in client.get("/incidents").text
    assert "Ada probes" in client.get("/incidents?state=all").text
    assert "1 open" not in client.get("/").text


def test_a_block_has_an_end_and_can_be_undone(filled: Any, control: Any, clock: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    form = {"field": "user", "value": "ada", "last": "24h", "reason": "probing", "back": "/incidents"}
    assert client.post("/callers/block", data=form).headers["location"] == "/incidents?said=blocked"
    (block,) = control.blocks()
    assert block.until == clock() + 86400
    assert "Blocked until" in client.get("/callers/profile?field=user&value=ada").text
    assert ">Blocked<" in client.get("/callers").text
    assert (
        client.post("/callers/unblock", data={"id": block.id, "back": "//evil.test"}).headers["location"]
        == "/?said=unblocked"
    )
    assert list(control.blocks()) == []
    for bad in ({"last": "9y"}, {"field": "shoe"}, {"value": " "}):
        assert client.post("/callers/block", data={**form, **bad}).status_code == 422
    assert client.post("/callers/unblock", data={"id": "x"}).status_code == 404
    assert [note.action for note in control.notes(action="caller.")] == ["caller.unblock", "caller.block"]


def test_a_block_whose_time_is_over_blocks_no_more(control: Any, clock: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    client.post("/callers/block", data={"field": "ip", "value": "10.0.0.1", "last": "1h"})
    assert "Unblock" in client.get("/incidents/blocked").text
    clock.now += 3601
    page = client.get("/incidents/blocked").text
    assert ">Over<" in page
    assert "Unblock" not in page


def test_a_policy_that_is_stricter_for_a_time_can_be_taken_back(control: Any, clock: Any, sign_in: Any) -> None:
    order(control, Override("o-1", "default-pii", "enforce", clock() + 600, "a leak"), "watch", clock())
    client = sign_in("analyst")
    page = client.get("/incidents/blocked").text
    assert "default-pii" in page
    assert "a leak" in page
    assert client.post("/incidents/overrides/end", data={"id": "o-1"}).status_code == 303
    assert overrides(control) == []
    assert client.post("/incidents/overrides/end", data={"id": "o-1"}).status_code == 404
    assert sign_in("viewer").post("/incidents/overrides/end", data={"id": "o-1"}).status_code == 403


def test_blocking_from_an_incident_comes_back_to_it(incident: Incident, sign_in: Any) -> None:
    client = sign_in("analyst")
    assert 'name="back" value="/incidents/i-1"' in client.get("/incidents/i-1").text
    form = {"field": "user", "value": "ada", "last": "1h", "back": "/incidents/i-1"}
    assert client.post("/callers/block", data=form).headers["location"] == "/incidents/i-1?said=blocked"
    page = client.get("/incidents/i-1").text
    assert "Unblock" in page
    assert "Block the caller" not in page
