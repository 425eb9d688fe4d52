"""Incidents and blocks by the API."""

from __future__ import annotations

from typing import Any

from akto_proxy.model import Incident, IncidentState, Severity
from akto_proxy.watch.respond import Override, order


def test_an_incident_is_worked_on(control: Any, sign_in: Any) -> None:
    control.keep_incident(Incident("i-1", "f", "Probing", Severity.HIGH, IncidentState.OPEN, 1.0, 2.0))
    client = sign_in("analyst")
    assert [item["id"] for item in client.get("/api/v1/incidents?state=open").json()["items"]] == ["i-1"]
    assert client.post("/api/v1/incidents/i-1", json={"move": "acknowledge"}).json()["state"] == "acknowledged"
    assert client.get("/api/v1/incidents?state=open").json()["items"] == []
    assert client.get("/api/v1/incidents/i-1").json()["steps"][0]["by"] == "analyst-1"
    for bad in ({}, {"move": "forget"}, {"assignee": "nobody"}):
        assert client.post("/api/v1/incidents/i-1", json=bad).status_code == 422
    assert client.get("/api/v1/incidents?state=odd").status_code == 422
    assert client.post("/api/v1/incidents/none", json={"move": "resolve"}).status_code == 404


def test_a_caller_is_blocked_and_let_in_again(control: Any, clock: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    made = client.post("/api/v1/blocks", json={"field": "ip", "value": "10.0.0.1", "last": "1h"})
    assert made.status_code == 201
    assert made.json()["until"] == clock() + 3600
    assert sign_in("viewer").delete(f"/api/v1/blocks/{made.json()['id']}").status_code == 403
    assert client.delete(f"/api/v1/blocks/{made.json()['id']}").status_code == 200
    assert client.get("/api/v1/blocks").json()["items"] == []
    assert client.delete("/api/v1/blocks/none").status_code == 404


def test_a_policy_that_is_stricter_for_a_time_can_be_taken_back(control: Any, clock: Any, sign_in: Any) -> None:
    order(control, Override("o-1", "default-pii", "raise", clock() + 3600, "storm"), "watch", clock())
    viewer, analyst = sign_in("viewer"), sign_in("analyst")
    assert [item["id"] for item in viewer.get("/api/v1/overrides").json()["items"]] == ["o-1"]
    assert viewer.delete("/api/v1/overrides/o-1").status_code == 403
    assert analyst.delete("/api/v1/overrides/o-1").status_code == 200
    assert viewer.get("/api/v1/overrides").json() == {"items": []}
    assert analyst.delete("/api/v1/overrides/o-1").status_code == 404
