"""Bars link to what they count, and charts show no zero for time that is still to come."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from akto_proxy.dashboard.conditions import conditions
from akto_proxy.dashboard.figures import bars, flags, over_time, top_callers, verdict_chart
from akto_proxy.store.face import By, Count, Filter


def test_a_bar_leads_to_the_traces_it_counts(filled: Any) -> None:
    for row in bars(filled.top(By.USER), "user", "7d"):
        asked = {key: value[0] for key, value in parse_qs(urlsplit(row["href"]).query).items()}
        assert row["href"].startswith("/traces?")
        assert row["value"] == filled.count(Filter(user=asked["user"]))
    assert bars([Count("x", 9, blocked=4)], "user", "1h")[0]["note"] == "4 blocked"


def test_a_flag_has_the_colour_of_the_usual_verdict_and_shows_what_was_blocked_apart() -> None:
    counts = [Count("a", 4, blocked=1, redacted=3), Count("b", 2, redacted=1, blocked=1), Count("c", 1, alerted=1)]
    rows = flags(counts, "rule", "1h", path="/activity", words={"a": "First"})
    assert [(row["kind"], row["part"]) for row in rows] == [("redact", 1), ("block", 0), ("alert", 0)]
    assert rows[0]["label"] == "First"
    assert rows[0]["href"] == "/activity?rule=a&since=1h"


def test_callers_are_named_as_well_as_requests_name_them(filled: Any, app: Any, store: Any) -> None:
    by, counts = top_callers(app.state.house, Filter(), 3)
    assert by is By.USER
    assert [count.traces for count in counts] == sorted((count.traces for count in counts), reverse=True)
    store.erase(Filter(until=1e12))
    assert top_callers(app.state.house, Filter()) == (By.IP, ())


def test_a_chart_adds_up_and_ends_now(filled: Any, app: Any, clock: Any) -> None:
    buckets = over_time(app.state.house, conditions({"since": "7d"}, clock()).where)
    assert buckets[-1].at <= clock()
    chart = json.loads(verdict_chart(buckets))
    assert sum(sum(series["values"]) for series in chart["series"]) == filled.count()
    assert len(chart["times"]) == len(chart["series"][0]["values"])
