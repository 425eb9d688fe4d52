"""Counts kept beside the traces: however they are added up, and taken out again."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akto_proxy.model import Trace
from akto_proxy.store.rollup import Rollup


def plain(rollup: Rollup) -> tuple[dict[Any, Any], ...]:
    """Without what adds up to nothing."""
    groups = {key: row[:-1] for key, row in rollup.groups.items() if any(row[:-1])}
    minutes = {key: row for key, row in rollup.minutes.items() if any(row)}
    latencies = {key: count for key, count in rollup.latencies.items() if count}
    return groups, minutes, latencies


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 500), max_size=30), st.lists(st.integers(0, 500), max_size=30))
def test_for_every_batch_what_is_taken_out_leaves_what_stays(
    trace_of: Callable[..., Trace], stays: list[int], goes: list[int]
) -> None:
    both, alone = Rollup(), Rollup()
    for number in (*stays, *goes):
        both.add(trace_of(number))
    for number in goes:
        both.add(trace_of(number), -1)
    for number in stays:
        alone.add(trace_of(number))
    assert plain(both) == plain(alone)
    traces = {name: delta.traces for name, delta in both.sessions.items() if delta.traces}
    assert traces == {name: delta.traces for name, delta in alone.sessions.items()}
