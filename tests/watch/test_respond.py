"""What the watch does by itself: for a time, once, bounded, and written down both ways."""

from __future__ import annotations

import os
from typing import Any

import pytest

from akto_proxy.model import Incident, IncidentState, Severity
from akto_proxy.watch.desk import Measure
from akto_proxy.watch.facts import Fact
from akto_proxy.watch.respond import MAX_BLOCKS_AN_HOUR, Override, Responder, order, overrides, take_back
from akto_proxy.watch.schema import Response

NOW = 1_700_000_000.0


def _measure(control: Any, do: str, **values: Any) -> Measure:
    incident = Incident("i" * 32, "f", "t", Severity.HIGH, IncidentState.OPEN, NOW, NOW)
    control.keep_incident(incident)
    fact = Fact("decision", NOW, "t", "caller", Severity.HIGH, values)
    return Measure(Response(do=do, time=600), fact, incident, "many-blocks")


def _audit(control: Any) -> list[str]:
    return [note.action for note in control.notes()]


def test_a_block_names_the_strongest_field_and_ends(control: Any) -> None:
    responder = Responder(control, os.urandom)
    assert responder.take(_measure(control, "block", user="eve", key="abc", ip="10.0.0.1"), NOW)
    (block,) = control.blocks()
    assert (block.field, block.value, block.until) == ("key", "abc", NOW + 600)
    assert responder.take(_measure(control, "block", key="abc"), NOW) == ""  # it is in force already
    responder.sweep(NOW + 601)
    assert not control.blocks()
    assert {"caller.block", "caller.unblock"} <= set(_audit(control))


def test_the_watch_cannot_be_used_to_lock_everybody_out(control: Any) -> None:
    responder = Responder(control, os.urandom)
    done = [responder.take(_measure(control, "block", key=str(n)), NOW) for n in range(MAX_BLOCKS_AN_HOUR + 5)]
    assert sum(map(bool, done)) == MAX_BLOCKS_AN_HOUR
    assert responder.counters.refused == 5


@pytest.mark.parametrize("do", ["enforce", "raise"])
def test_a_policy_is_stricter_for_a_time(control: Any, do: str) -> None:
    responder = Responder(control, os.urandom)
    assert responder.take(_measure(control, do, policy="soft"), NOW)
    assert responder.take(_measure(control, do, policy="soft"), NOW) == ""
    (made,) = overrides(control)
    assert (made.policy, made.do, made.until) == ("soft", do, NOW + 600)
    responder.sweep(NOW + 601)
    assert not overrides(control)
    assert {f"policy.{do}", f"policy.{do}.end"} <= set(_audit(control))


def test_a_person_orders_and_takes_back(control: Any) -> None:
    order(control, Override("1", "soft", "enforce", NOW + 60), "root", NOW)
    order(control, Override("2", "soft", "enforce", NOW + 90), "root", NOW)
    assert [item.id for item in overrides(control)] == ["2"]
    assert take_back(control, "2", "root", NOW)
    assert not take_back(control, "2", "root", NOW)
    assert not overrides(control)
