"""From kept traces to proposals, and what becomes of them: nothing is in force that nobody accepted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from akto_proxy.limits.learn import Terms
from akto_proxy.limits.learned import SLOTS
from akto_proxy.model import Caller, Timing, Usage
from akto_proxy.store.sqlite import SqliteStore
from akto_proxy.watch import learning
from akto_proxy.watch.learning import DecisionError, accept, accepted, dismiss, withdraw

DAY = 86_400.0
NOW = 1_700_006_400.0
TERMS = Terms(percentile=95, headroom=0.5, kinds=("user",))


@pytest.fixture
def traces(tmp_path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(tmp_path / "traces.db")
    yield store
    store.close()


@pytest.fixture
def week(traces: SqliteStore, trace: Callable[..., Any]) -> SqliteStore:
    """Five days; three users, a call each twenty minutes of eight hours; eve has a burst of forty once."""
    made = []
    for day in range(5):
        begin = NOW - (5 - day) * DAY
        for n in range(24):
            for user in ("ann", "bob", "eve"):
                at = begin + n * 1200
                made.append(trace(started=at, caller=Caller(user=user), usage=Usage(100, 50), timing=Timing(2_000_000)))
    made += [trace(started=NOW - 3600 + n, caller=Caller(user="eve"), usage=Usage(1, 1)) for n in range(40)]
    made += [trace(started=NOW - 1800 + n, outcome="limited", caller=Caller(user="bob")) for n in range(99)]
    traces.insert_many(made)
    return traces


def learn(traces: Any, control: Any, *, now: float = NOW, terms: Terms = TERMS) -> learning.Learning:
    return learning.learn(traces, control, terms, days=7, now=now, by="ann", random=os.urandom)


def test_a_proposal_says_what_it_comes_from_and_is_not_in_force(week: Any, control: Any) -> None:
    found = learn(week, control)
    by_count = {item.count: item for item in found.proposals}
    assert set(by_count) == {"requests", "tokens", "prompt_tokens", "completion_tokens", "concurrent"}
    calls = by_count["requests"]
    assert (calls.days, calls.callers, calls.calls, calls.samples) == (5, 3, 400, 361)
    assert (calls.usual, calls.peak, learning.limit_of(calls)) == (1.0, 40.0, 2.0)
    assert calls.refused > 20  # of eve's burst, all but what the bucket holds and drains
    assert calls.refused_callers == 1
    assert accepted(control) == []
    assert control.notes(action="limits.learn")[0].actor == "ann"


def test_calls_that_a_limit_refused_teach_nothing(week: Any, control: Any) -> None:
    assert learn(week, control).calls == 5 * 24 * 3 + 40


def test_too_little_data_proposes_nothing_and_says_so(traces: Any, control: Any, trace: Any) -> None:
    assert learn(traces, control).proposals == ()
    traces.insert_many([trace(started=NOW - 60 * n - 60, caller=Caller(user="ann")) for n in range(300)])
    found = learn(traces, control)
    assert found.proposals == ()
    assert {item.thin for item in found.thin} == {"calls on 1 days only; 3 are needed"}
    assert control.proposals() == []


def test_accepted_shadowed_enforced_and_taken_back(week: Any, control: Any) -> None:
    name = next(item.id for item in learn(week, control).proposals if item.count == "requests")
    accept(control, name, "shadow", by="ann", now=NOW)
    assert orjson.loads(accepted(control)[0][1])["mode"] == "shadow"
    made = accept(control, name, "enforce", by="bob", now=NOW + 1)
    assert [slot for slot, _ in accepted(control)] == [made.slot]
    assert orjson.loads(accepted(control)[0][1])["mode"] == "enforce"
    withdraw(control, name, by="eve", now=NOW + 2)
    assert accepted(control) == []
    with pytest.raises(DecisionError, match="is withdrawn"):
        accept(control, name, "enforce", by="ann", now=NOW + 3)
    notes = control.notes(action="limits.")
    assert [(note.actor, note.action) for note in reversed(notes)][1:] == [
        ("ann", "limits.accept"),
        ("bob", "limits.accept"),
        ("eve", "limits.withdraw"),
    ]


def test_what_cannot_be_decided_is_said(week: Any, control: Any) -> None:
    name = learn(week, control).proposals[0].id
    with pytest.raises(DecisionError, match="no such"):
        accept(control, "none", "enforce", by="ann", now=NOW)
    with pytest.raises(DecisionError, match="cannot be withdrawn"):
        withdraw(control, name, by="ann", now=NOW)
    dismiss(control, name, by="ann", now=NOW)
    with pytest.raises(DecisionError, match="cannot be dismissed"):
        dismiss(control, name, by="ann", now=NOW)


def test_learning_again_renews_what_waits_and_repeats_nothing(week: Any, control: Any) -> None:
    first = {item.count: item for item in learn(week, control).proposals}
    dismiss(control, first["tokens"].id, by="ann", now=NOW)
    accept(control, first["requests"].id, "enforce", by="ann", now=NOW)
    again = learn(week, control, now=NOW + 60)
    assert {item.name for item in again.same} == {first["tokens"].name, first["requests"].name}
    assert {item.id for item in again.proposals} == {
        first[count].id for count in ("prompt_tokens", "completion_tokens", "concurrent")
    }
    assert len(control.proposals()) == 5
    week.erase(learning.Filter(user="eve"))
    week.erase(learning.Filter(user="bob"))
    week.erase(learning.Filter(user="ann"))
    assert learn(week, control, now=NOW + 120).proposals == ()
    assert {item.state for item in control.proposals()} == {"dismissed", "accepted", "replaced"}


def test_another_limit_of_the_same_name_takes_the_place_and_the_slot(week: Any, control: Any) -> None:
    first = next(item for item in learn(week, control).proposals if item.count == "requests")
    slot = accept(control, first.id, "enforce", by="ann", now=NOW).slot
    generous = replace(TERMS, headroom=9.0)
    second = next(item for item in learn(week, control, terms=generous).proposals if item.count == "requests")
    assert accept(control, second.id, "enforce", by="ann", now=NOW).slot == slot
    assert len(accepted(control)) == 1
    assert control.proposal(first.id).state == "withdrawn"


def test_no_more_are_in_force_than_there_are_slots(week: Any, control: Any) -> None:
    one = learn(week, control).proposals[0]
    for number in range(SLOTS):
        other = replace(one, id=f"o{number}", name=f"other{number}")
        control.keep_proposal(other)
        accept(control, other.id, "enforce", by="ann", now=NOW)
    assert sorted(slot for slot, _ in accepted(control)) == list(range(SLOTS))
    with pytest.raises(DecisionError, match="withdraw one first"):
        accept(control, one.id, "enforce", by="ann", now=NOW)


def test_two_that_were_given_one_slot_at_once_do_not_hide_each_other(week: Any, control: Any) -> None:
    one, two = learn(week, control).proposals[:2]
    for number, item in enumerate((one, two)):
        control.keep_proposal(replace(item, state="accepted", slot=0, decided=NOW + number))
    assert accepted(control) == [(0, one.entry), (1, two.entry)]


def test_a_baseline_with_too_many_calls_begins_later(week: Any, control: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(learning, "MOST_CALLS", 200)
    found = learn(week, control)
    assert found.calls <= 200
    assert found.since > NOW - 3 * DAY
