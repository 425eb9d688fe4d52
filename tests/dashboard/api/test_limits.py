"""Learned limits by the API: typed, with the roles and the log of the pages."""

from __future__ import annotations

import time
from typing import Any

from starlette.testclient import TestClient

from akto_proxy.watch.learning import accepted


def test_a_proposal_is_read_accepted_and_taken_back(propose: Any, control: Any, sign_in: Any) -> None:
    propose("p1")
    viewer, editor = sign_in("viewer"), sign_in("editor")
    item = viewer.get("/api/v1/limits/proposals?state=proposed").json()["items"][0]
    assert (item["id"], item["usual"], item["percentile"], item["headroom"]) == ("p1", 20.0, 99.0, 0.5)
    assert item["limit"]["limit"] == 30.0
    assert "slot" not in item
    path = "/api/v1/limits/proposals/p1"
    assert viewer.post(f"{path}/accept", json={}).status_code == 403
    made = editor.post(f"{path}/accept", json={"mode": "shadow"}).json()
    assert (made["state"], made["by"], made["limit"]["mode"]) == ("accepted", "editor-1", "shadow")
    (limit,) = viewer.get("/api/v1/limits").json()["items"]
    assert (limit["learned"], limit["limit"]["mode"], limit["limit"]["per"]) == ("p1", "shadow", 60.0)
    assert editor.post(f"{path}/dismiss").status_code == 422
    assert editor.post(f"{path}/withdraw").json()["state"] == "withdrawn"
    assert accepted(control) == []
    assert viewer.get("/api/v1/limits").json() == {"items": []}
    assert viewer.get("/api/v1/limits/proposals").json() == {"items": []}
    assert [item["id"] for item in viewer.get("/api/v1/limits/proposals?state=withdrawn").json()["items"]] == ["p1"]
    assert len(control.notes(action="limits.")) == 2


def test_what_cannot_be_is_refused(propose: Any, sign_in: Any) -> None:
    propose("p1")
    editor = sign_in("editor")
    assert editor.post("/api/v1/limits/proposals/none/accept", json={}).status_code == 404
    assert editor.post("/api/v1/limits/proposals/p1/accept", json={"mode": "monitor"}).status_code == 422
    assert editor.post("/api/v1/limits/proposals/p1/withdraw").status_code == 422
    assert editor.get("/api/v1/limits/proposals?state=odd").status_code == 422
    for body in ({"days": 0}, {"percentile": 20}, {"by": ["shoe"]}):
        assert editor.post("/api/v1/limits/learning", json=body).status_code == 422


def test_a_program_learns_with_a_token(filled: Any, control: Any, app: Any, clock: Any) -> None:
    _, secret = control.add_token("nightly", "editor", by="x", at=clock())
    program = TestClient(app, base_url="http://dash.test", headers={"authorization": f"Bearer {secret}"})
    assert program.get("/api/v1/limits/learning").json()["state"] == "none"
    begun = program.post("/api/v1/limits/learning", json={"days": 3, "by": ["user"]})
    assert (begun.status_code, begun.json()["state"]) == (202, "running")
    until = time.monotonic() + 30
    while (last := program.get("/api/v1/limits/learning").json())["state"] == "running" and time.monotonic() < until:
        time.sleep(0.02)
    assert (last["state"], last["by"], last["days"]) == ("done", "token:nightly", 3.0)
    assert {item["kind"] for item in last["thin"]} == {"user"}
    assert control.notes(action="limits.learn")[0].actor == "token:nightly"


def test_the_document_names_the_fields(app: Any, sign_in: Any) -> None:
    made = sign_in("viewer").get("/api/v1/openapi.json").json()
    answer = made["paths"]["/api/v1/limits/proposals"]["get"]["responses"]["200"]
    schema = answer["content"]["application/json"]["schema"]["$ref"]
    assert schema.endswith("/Proposals")
    assert {"usual", "peak", "percentile", "headroom", "refused"} <= set(
        made["components"]["schemas"]["Learned"]["properties"]
    )
