"""The policy by the API: packs and policies switched, drafts tried and replayed, evidence read."""

from __future__ import annotations

import time
from typing import Any

DRAFT = "version: 1\npolicies: [{name: default-pii, action: block, rules: [{detect: pii}]}]"


def test_a_pack_and_a_policy_are_switched(sign_in: Any, control: Any) -> None:
    editor = sign_in("editor")
    before = {pack["key"]: pack for pack in editor.get("/api/v1/policy/packs").json()["items"]}
    assert before["pci-dss"]["on"] == 0
    assert before["pci-dss"]["controls"]
    assert editor.post("/api/v1/policy/packs/pci-dss", json={"to": "on"}).status_code == 201
    after = {pack["key"]: pack for pack in editor.get("/api/v1/policy/packs").json()["items"]}
    assert after["pci-dss"]["on"] == after["pci-dss"]["of"]
    assert editor.post("/api/v1/policy/policies/default-pii", json={"change": "monitor"}).json()["number"] == 2
    assert editor.get("/api/v1/policy/versions/2").json()["text"] == control.active().text
    assert [v["number"] for v in editor.get("/api/v1/policy/versions").json()["items"]] == [2, 1]
    assert editor.post("/api/v1/policy/versions/1/restore").json()["number"] == 3
    assert editor.post("/api/v1/policy/packs/none", json={"to": "on"}).status_code == 404
    assert editor.get(f"/api/v1/policy/versions/{1 << 70}").status_code == 422


def test_a_draft_is_checked_and_tried(sign_in: Any) -> None:
    analyst = sign_in("analyst")
    checked = analyst.post("/api/v1/policy/check", json={"text": DRAFT}).json()
    assert checked["problem"] == ""
    assert {change["policy"] for change in checked["changes"]} > {"default-pii"}
    assert analyst.post("/api/v1/policy/check", json={"text": "x"}).json()["problem"]
    body = {"text": "Write to ada@example.org", "policy": DRAFT}
    tried = analyst.post("/api/v1/policy/try", json=body).json()
    assert tried["action"] == "block"
    assert tried["decisions"][0]["entity"] == "EMAIL_ADDRESS"
    assert analyst.post("/api/v1/policy/try", json={**body, "policy": "x"}).status_code == 422


def test_a_replay_runs_and_is_adopted(filled: Any, sign_in: Any, control: Any) -> None:
    editor = sign_in("editor")
    started = editor.post("/api/v1/policy/replays", json={"text": DRAFT, "seconds": 7 * 86400})
    assert started.status_code == 202
    path = f"/api/v1/policy/replays/{started.json()['id']}"
    for _ in range(400):
        state = editor.get(path).json()
        if state["state"] != "running":
            break
        time.sleep(0.02)
    assert state["done"] == state["total"] == filled.count()
    assert any((move["before"], move["after"]) == ("redact", "block") for move in state["moves"])
    assert editor.get("/api/v1/policy/replays").json()["items"][0]["by"] == "editor-1"
    assert editor.post(f"{path}/stop").status_code == 200
    assert editor.post(f"{path}/adopt").status_code == 201
    assert control.active().text == DRAFT
    assert editor.get("/api/v1/policy/replays/none").status_code == 404


def test_evidence_and_coverage_are_read(filled: Any, sign_in: Any) -> None:
    viewer = sign_in("viewer")
    assert viewer.get("/api/v1/controls").json()["GDPR"][0]["hits"] > 0
    covered = viewer.get("/api/v1/coverage").json()
    assert {row["state"] for row in covered["endpoints"]} == {"4 policies"}
    assert {row["name"] for row in covered["routes"]} == {"openai.chat", "tgi.generate"}
