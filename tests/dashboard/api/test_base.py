"""What may be asked: a filter with a mistake in its name must not answer with everything."""

from __future__ import annotations

from typing import Any

import pytest

from akto_proxy.dashboard.api.base import Filtering
from akto_proxy.dashboard.conditions import WORDS
from akto_proxy.store.face import Filter


def test_every_filter_of_the_pages_can_be_asked() -> None:
    assert set(WORDS) <= set(Filtering.model_fields)


@pytest.mark.parametrize(
    "query", ["usr=ada", "since=yesterday", "status=9", "severity=bad", "verdict=x", "limit=0", "limit=x"]
)
def test_a_mistake_is_refused(query: str, filled: Any, sign_in: Any) -> None:
    answer = sign_in("viewer").get(f"/api/v1/traces?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"]["type"] == "bad_input"


def test_a_filter_holds_and_pages_follow(filled: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    wanted = filled.count(Filter(user="ada"))
    seen, cursor = [], ""
    while True:
        page = client.get("/api/v1/traces", params={"user": "ada", "since": "7d", "limit": 20, "cursor": cursor}).json()
        seen += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    assert len({item["id"] for item in seen}) == len(seen) == wanted
    assert {item["user"] for item in seen} == {"ada"}
    timed = client.get("/api/v1/totals", params={"from": 1763942400, "to": 1763949600}).json()
    assert timed["traces"] == filled.count(Filter(since=1763942400, until=1763949600))
    assert seen[0]["verdict"] in ("allow", "alert", "redact", "block")
