"""Addresses become filters; what is not understood filters nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.dashboard.conditions import WORDS, conditions, step_for
from akto_proxy.model import Action, Severity
from akto_proxy.store.face import Filter

NOW = 1_763_971_234.5


def test_each_name_of_an_address_is_a_field_of_the_filter() -> None:
    asked = conditions({name: f"x-{name}" for name in WORDS}, NOW)
    assert all(getattr(asked.where, name) == f"x-{name}" for name in WORDS)
    more = conditions({"verdict": "block,alert", "severity": "high", "bypassed": "yes", "status": "429"}, NOW).where
    assert set(more.verdicts) == {Action.BLOCK, Action.ALERT}
    assert (more.severity, more.bypassed, more.status) == (Severity.HIGH, True, 429)


@pytest.mark.parametrize("since", ["15m", "1h", "24h", "7d", "30d"])
def test_a_range_is_of_whole_hours_or_minutes_and_ends_after_now(since: str) -> None:
    where = conditions({"since": since}, NOW).where
    assert where.since % 60 == where.until % 60 == 0
    assert where.since <= NOW < where.until
    assert (where.until - where.since) / step_for(where, NOW) <= 60
    before = conditions({"since": since}, NOW).before()
    assert before.until == where.since
    assert before.until - before.since == where.until - where.since


@pytest.mark.parametrize(
    ("text", "moment"),
    [("1763942400", 1763942400.0), ("2025-11-24T00:00", 1763942400.0), ("yesterday", 0.0), ("1e99", 0.0), ("-5", 0.0)],
)
def test_a_moment_is_seconds_or_a_date_in_utc(text: str, moment: float) -> None:
    assert conditions({"from": text}, NOW).where.since == moment


@given(
    st.dictionaries(st.sampled_from([*WORDS, "since", "from", "to", "status", "verdict", "severity", "x"]), st.text())
)
def test_any_address_can_be_read(params: dict[str, str]) -> None:
    asked = conditions(params, NOW)
    assert isinstance(asked.where, Filter)
    assert "x" not in asked.asked
    assert all(len(value) <= 300 for value in asked.asked.values())
