"""Decisions: the numbers from each side, filters that hold, states moved in bulk."""

from __future__ import annotations

import re
from typing import Any

import pytest

from akto_proxy.model import Direction
from akto_proxy.store.face import By, Filter


def rows(page: str) -> list[str]:
    return re.findall(r'data-row="([0-9a-f]+:\d+)"', page)


def test_each_side_counts_what_the_store_counts(filled: Any, sign_in: Any) -> None:
    page = sign_in("viewer").get("/activity").text
    for by, words in ((By.SEVERITY, "By severity"), (By.DIRECTION, "By direction"), (By.CATEGORY, "By category")):
        assert words in page
        for count in filled.top(by, Filter()):
            assert f"{by.value}={count.name}&" in page.replace("&amp;", "&")
    assert page.index("severity=critical") < page.index("severity=high") < page.index("severity=low")
    assert "framework=OWASP-LLM" in page


@pytest.mark.parametrize("field", ["severity", "direction", "framework", "rule"])
def test_a_filter_keeps_what_it_names(field: str, filled: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    wanted = {"severity": "critical", "direction": "response", "framework": "SOC2", "rule": "email"}[field]
    shown = rows(client.get("/activity", params={field: wanted}).text)
    held = {
        "severity": lambda d: d.severity.label == "critical",
        "direction": lambda d: d.direction is Direction.RESPONSE,
        "framework": lambda d: any(control.startswith("SOC2:") for control in d.controls),
        "rule": lambda d: d.rule == "email",
    }[field]
    every = {event.id: event.decision for event in filled.events(limit=500).items}
    assert shown
    assert set(shown) == {key for key, decision in every.items() if held(decision)}


def test_decisions_move_in_bulk_and_come_back(filled: Any, control: Any, sign_in: Any) -> None:
    client = sign_in("analyst")
    chosen = rows(client.get("/activity").text)[:3]
    answer = client.post("/activity/mark", data={"state": "ignored", "event": chosen, "back": "?severity=low&cursor=x"})
    assert answer.headers["location"] == "/activity?severity=low&said=triaged"
    assert not set(chosen) & set(rows(client.get("/activity").text))
    assert set(rows(client.get("/activity?state=ignored").text)) == set(chosen)
    assert client.post("/activity/mark", data={"state": "active", "event": chosen[0]}).status_code == 303
    assert chosen[0] in rows(client.get("/activity").text)
    assert [note.detail for note in control.notes(action="decision.mark")] == ["active", "ignored"]
    assert client.post("/activity/mark", data={"state": "gone", "event": chosen}).status_code == 422
    assert client.post("/activity/mark", data={"state": "ignored"}).status_code == 422


def test_a_cursor_that_is_none_is_the_askers_mistake(filled: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    for path in (
        "/activity?cursor=x:y:z",
        "/traces?cursor=nonsense",
        "/sessions?cursor=x:y",
        "/traces/live?cursor=99e",
    ):
        assert client.get(path).status_code == 422, path
