"""The front page says what passed, what was stopped, and what to do when nothing has passed yet."""

from __future__ import annotations

import re
from typing import Any

from akto_proxy.model import Action
from akto_proxy.store.control import ProxyHealth
from akto_proxy.store.face import Filter


def test_an_empty_store_tells_the_next_step(sign_in: Any) -> None:
    page = sign_in("viewer").get("/").text
    assert "No call has passed yet" in page
    assert "http://127.0.0.1:8080/v1" in page


def test_numbers_of_the_page_are_those_of_the_store(filled: Any, sign_in: Any, clock: Any) -> None:
    page = sign_in("viewer").get("/?since=7d").text
    totals = filled.totals(Filter(until=clock()))
    assert re.search(rf"Requests</span><span class=\"v\">{totals.traces}<", page)
    assert re.search(rf"Blocked</span><span class=\"v\">{totals.blocked} ", page)
    assert filled.count(Filter(verdicts=(Action.REDACT,))) == totals.redacted
    for words in ("Whole call", "Model", "First byte", "Our guard", "Redacted, by type", "EMAIL_ADDRESS"):
        assert words in page


def test_a_proxy_is_well_behind_or_silent(filled: Any, control: Any, sign_in: Any, clock: Any) -> None:
    now = clock()
    for name, seen, lag in (("edge-well", now, 0.0), ("edge-behind", now, 90.0), ("edge-silent", now - 600, 0.0)):
        control.keep_health(ProxyHealth(name, seen, "0.1.0", "7f3a90c2d1e4", 7 if lag else 0, lag))
    control.keep_health(ProxyHealth("edge-lossy", now, dropped=3))
    page = sign_in("viewer").get("/").text
    states = dict(re.findall(r"(edge-\w+)</span>.*?<span class=\"chip \w+\">([^<]+)<", page))
    assert states == {
        "edge-well": "Well",
        "edge-behind": "Behind",
        "edge-silent": "No word",
        "edge-lossy": "3 dropped",
    }
    assert "7f3a90c2d1e4" in page
