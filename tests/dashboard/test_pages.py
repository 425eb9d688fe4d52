"""Every page answers, for a full store and for an empty one."""

from __future__ import annotations

from typing import Any

from akto_proxy.model import Action, Alert, Incident, IncidentState, Severity
from akto_proxy.store.face import Filter

PAGES = (
    "/",
    "/traces",
    "/traces?verdict=block&text=key",
    "/traces/live",
    "/sessions",
    "/activity",
    "/activity?state=review",
    "/policies",
    "/policies/packs",
    "/policies/edit",
    "/policies/history",
    "/policies/playground",
    "/policies/replay",
    "/limits",
    "/limits?endpoint=x&kind=user&count=cost&page=2",
    "/incidents",
    "/incidents?state=all",
    "/incidents/blocked",
    "/endpoints",
    "/callers",
    "/callers?by=ip&sort=risk",
    "/reports",
    "/reports/controls.csv",
    "/reports/days.csv",
    "/settings/people",
    "/settings/tokens",
    "/settings/channels",
    "/settings/system",
    "/settings/audit",
    "/account",
    "/api",
    "/api/v1/openapi.json",
    "/api/v1/traces?limit=3",
    "/api/v1/traces/live",
    "/api/v1/sessions",
    "/api/v1/totals",
    "/api/v1/timeline",
    "/api/v1/top/rule",
    "/api/v1/decisions",
    "/api/v1/policy",
    "/api/v1/policy/schema",
    "/api/v1/policy/versions",
    "/api/v1/controls",
    "/api/v1/limits",
    "/api/v1/limits/proposals",
    "/api/v1/limits/learning",
    "/api/v1/incidents",
    "/api/v1/blocks",
    "/api/v1/proxies",
    "/api/v1/audit",
    "/api/v1/people",
    "/api/v1/tokens",
)


def answers(client: Any) -> None:
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[-2000:])


def test_every_page_of_a_full_store_answers(filled: Any, sign_in: Any) -> None:
    answers(sign_in("admin"))


def test_every_page_of_an_empty_store_answers(sign_in: Any) -> None:
    answers(sign_in("admin"))


def test_every_detail_page_answers(filled: Any, control: Any, sign_in: Any) -> None:
    admin = sign_in("admin")
    item = filled.search(Filter(verdicts=(Action.BLOCK,))).items[0]
    event = filled.events(Filter(verdicts=(Action.BLOCK,))).items[0].id
    session = filled.sessions().items[0].id
    incident = Incident("i-1", "f", "Probing", Severity.HIGH, IncidentState.OPEN, 1.0, 2.0, trace_ids=(item.id,))
    control.keep_incident(incident)
    control.add_alert(Alert("a-1", 1.0, "k", Severity.HIGH, "t", "f", trace_ids=(item.id,)), "i-1")
    for path, params in (
        (f"/traces/{item.id}", {}),
        (f"/traces/{item.id}", {"verdict": "block"}),
        ("/sessions/thread", {"id": session}),
        ("/activity/exception", {"event": event}),
        ("/endpoints/profile", {"name": item.endpoint}),
        ("/callers/profile", {"field": "user", "value": item.user}),
        ("/incidents/i-1", {}),
        (f"/api/v1/traces/{item.id}", {}),
        ("/api/v1/sessions/thread", {"id": session}),
        ("/api/v1/incidents/i-1", {}),
    ):
        answer = admin.get(path, params=params)
        assert answer.status_code == 200, (path, answer.text[-2000:])


def test_what_is_not_there_says_so(sign_in: Any) -> None:
    viewer = sign_in("viewer")
    for path in ("/nothing", "/traces/zz..", "/traces/" + "0" * 32, "/incidents/x", "/sessions/thread?id=x"):
        answer = viewer.get(path)
        assert answer.status_code == 404
        assert "text/html" in answer.headers["content-type"]
    assert viewer.get("/api/v1/traces/" + "0" * 32).json()["error"]["type"] == "not_found"
