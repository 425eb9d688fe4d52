"""Facts, alerts, incidents: told once, grouped, quiet at night, over by themselves."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from akto_proxy.errors import ConfigError
from akto_proxy.model import Action, Caller, Decision, IncidentState, Severity, Trace
from akto_proxy.store.control import ProxyHealth
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.desk import Desk
from akto_proxy.watch.facts import Fact, of_anomaly, of_certificate, of_decisions, of_health, spoken
from akto_proxy.watch.respond import Responder, overrides, take_back
from akto_proxy.watch.schema import parse_alerts

NOW = 1_699_866_000.0  # a Monday, 9:00 UTC
Decide = Callable[..., Decision]
Make = Callable[..., Trace]


def _desk(control: SqlControlStore, **config: Any) -> Desk:
    numbers = itertools.count(1)
    return Desk(parse_alerts(config), control, lambda: f"{next(numbers):032x}")


def _facts(trace: Make, decide: Decide, **changes: Any) -> list[Fact]:
    return list(of_decisions(trace(decide(**changes), started=NOW)))


def test_one_cause_is_one_incident_told_once(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    desk = _desk(control)
    first = desk.take(_facts(trace, decide), NOW)
    assert [notice.event for notice in first.notices] == ["opened"]
    for _ in range(5):
        assert desk.take(_facts(trace, decide), NOW + 10).notices == []
    desk.tick(NOW + 15)
    [incident] = control.incidents()
    assert incident.count == 6
    assert len(incident.trace_ids) == 6
    again = desk.take(_facts(trace, decide), NOW + 1000)
    assert [notice.event for notice in again.notices] == ["again"]
    assert len(control.incidents()) == 1
    assert [step.kind for step in control.steps(incident.id)] == ["opened", "again"]


def test_several_rules_about_one_call_are_one_incident_and_one_alert(
    control: SqlControlStore, trace: Make, decide: Decide
) -> None:
    desk = _desk(control)
    rules = (("prompt-injection", "PROMPT_INJECTION"), ("injection-reveal-prompt", "SYSTEM_PROMPT_EXTRACTION"))
    for turn in range(3):
        decided = [decide(rule=rule, entity=entity, category="injection") for rule, entity in rules]
        call = replace(trace(*decided, started=NOW), id=f"{turn:032x}")
        told = desk.take(of_decisions(call), NOW + turn).notices
        assert len(told) == (turn == 0)
    desk.tick(NOW + 5)
    [incident] = control.incidents()
    assert (incident.title, incident.count) == ("Prompt injection blocked", 3)
    assert len(incident.trace_ids) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [("IBAN_CODE", "IBAN code"), ("US_SSN", "US SSN"), ("aws-access-key-id", "Aws access key ID"), ("", "")],
)
def test_names_are_told_as_words(name: str, words: str) -> None:
    assert spoken(name) == words


def test_a_caller_with_a_key_is_also_told_by_the_name_it_gives_itself(trace: Make, decide: Decide) -> None:
    call = trace(decide(), started=NOW)
    [named] = of_decisions(replace(call, caller=Caller(key="ab" * 8, user="ada")))
    [forged] = of_decisions(replace(call, caller=Caller(key="ab" * 8, user="grace")))
    assert named.subject == "caller key:abababababababab (ada)"
    assert named.values["subject"] == forged.values["subject"] == "caller key:abababababababab"


def test_what_is_worse_is_told_in_the_cooldown(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    desk = _desk(control)
    desk.take(_facts(trace, decide), NOW)
    worse = desk.take(_facts(trace, decide, severity=Severity.CRITICAL), NOW + 1)
    assert [notice.event for notice in worse.notices] == ["worse"]
    assert control.incidents()[0].severity is Severity.CRITICAL


def test_an_anomaly_of_the_same_caller_joins(control: SqlControlStore) -> None:
    desk = _desk(control)
    kinds = ("volume", "tokens", "redactions")
    items = [Anomaly(kind, "caller key:k1", NOW, NOW - 60, "a", "b", 0.9) for kind in kinds]
    desk.take([of_anomaly(item) for item in items], NOW)
    assert len(control.incidents()) == 1


def test_a_count_looks_at_when_it_happened(control: SqlControlStore) -> None:
    rule = {"name": "three", "when": "source == 'anomaly'", "count": 3, "per": "1m"}
    desk = _desk(control, rules=[rule], defaults=False)
    told = []
    for second in (0, 100, 130, 150):
        item = of_anomaly(Anomaly("volume", "caller key:k1", NOW + second, NOW, "a", "b", 0.9))
        told.append(len(desk.take([item], NOW + second).notices))
    assert told == [0, 0, 0, 1]


def test_quiet_hours_keep_it_for_the_morning(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    night = {"start": "22:00", "end": "07:00", "unless": "critical"}
    desk = _desk(control, quiet=[night])
    late = NOW + 14 * 3600
    assert desk.take(_facts(trace, decide), late).notices == []
    loud = desk.take(_facts(trace, decide, severity=Severity.CRITICAL, rule="other"), late)
    assert len(loud.notices) == 1
    assert desk.tick(late + 60).notices == []
    morning = desk.tick(NOW + 22 * 3600).notices
    assert "opened" in [notice.event for notice in morning]


def test_at_night_nobody_hears_of_the_end_before_the_beginning(
    control: SqlControlStore, trace: Make, decide: Decide
) -> None:
    night = {"start": "22:00", "end": "07:00", "unless": "critical"}
    desk = _desk(control, quiet=[night], escalate=[{"after": "10m", "channels": ["pager"]}], resolve_after="30m")
    late = NOW + 14 * 3600
    desk.take(_facts(trace, decide), late)
    assert desk.tick(late + 700).notices == []
    assert desk.tick(late + 2000).notices == []
    assert [notice.event for notice in desk.tick(NOW + 22 * 3600).notices] == ["opened", "escalated", "resolved"]


def test_the_end_is_told_to_those_who_heard_of_the_beginning(
    control: SqlControlStore, trace: Make, decide: Decide
) -> None:
    rule = {"name": "mine", "when": "source == 'decision'", "channels": ["team"]}
    desk = _desk(control, rules=[rule], escalate=[{"after": "10m", "channels": ["pager"]}], resolve_after="30m")
    desk.take(_facts(trace, decide), NOW)
    desk.tick(NOW + 700)
    [over] = desk.tick(NOW + 2600).notices
    assert (over.event, over.channels, over.also) == ("resolved", ("team",), ("pager",))


def test_nothing_is_made_in_maintenance(control: SqlControlStore) -> None:
    start = datetime.fromtimestamp(NOW - 60, UTC).isoformat()
    end = datetime.fromtimestamp(NOW + 60, UTC).isoformat()
    desk = _desk(control, maintenance=[{"start": start, "end": end, "endpoint": "e*"}])
    item = Anomaly("errors", "endpoint e1", NOW, NOW, "a", "b", 0.9, "e1")
    assert desk.take([of_anomaly(item)], NOW).notices == []
    assert list(control.incidents()) == []
    assert desk.counters.in_maintenance == 1


def test_an_incident_nobody_takes_goes_on_to_others(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    desk = _desk(control, escalate=[{"after": "10m", "channels": ["pager"]}])
    desk.take(_facts(trace, decide), NOW)
    assert desk.tick(NOW + 300).notices == []
    late = desk.tick(NOW + 660).notices
    assert [(notice.event, notice.channels) for notice in late] == [("escalated", ("pager",))]
    assert desk.tick(NOW + 700).notices == []


def test_it_is_over_when_nothing_more_comes(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    desk = _desk(control, resolve_after="30m")
    desk.take(_facts(trace, decide), NOW)
    assert [notice.event for notice in desk.tick(NOW + 1900).notices] == ["resolved"]
    assert control.incidents()[0].state is IncidentState.RESOLVED
    reopened = desk.take(_facts(trace, decide), NOW + 2000)
    assert [notice.event for notice in reopened.notices] == ["opened"]


def test_health(control: SqlControlStore) -> None:
    desk = _desk(control)
    well = ProxyHealth("p1", NOW)
    behind = ProxyHealth("p2", NOW, lag_seconds=120.0)
    losing = ProxyHealth("p3", NOW, dropped=4)
    out = desk.take([of_health(item, NOW) for item in (well, behind, losing)], NOW)
    assert [notice.incident.subject for notice in out.notices] == ["proxy p2", "proxy p3"]
    ends = desk.take([of_certificate("cert.pem", 3.0, NOW), of_certificate("other.pem", 90.0, NOW)], NOW)
    assert [notice.incident.subject for notice in ends.notices] == ["certificate cert.pem"]


def test_a_bypassed_check_is_told(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    found = _facts(trace, decide, action=Action.ALLOW, bypassed=True, severity=Severity.LOW)
    [notice] = _desk(control).take(found, NOW).notices
    assert notice.incident.severity is Severity.HIGH


@pytest.mark.parametrize(
    "when",
    ["__import__('os')", "source.upper()", "source[0] == 'a'", "1 + 1", "unknown == 1", "(", "lambda: 1", "not"],
)
def test_rules_cannot_do_anything(when: str) -> None:
    with pytest.raises(ConfigError, match="alert"):
        parse_alerts({"rules": [{"name": "x", "when": when}]})


def test_a_caller_is_blocked_for_a_time_and_let_in_again(control: SqlControlStore, trace: Make, decide: Decide) -> None:
    rule = {"name": "x", "when": "action == block", "respond": {"do": "block", "field": "user", "time": "10m"}}
    [measure] = _desk(control, rules=[rule]).take(_facts(trace, decide), NOW).measures
    responder = Responder(control, lambda n: b"\x07" * n)
    assert responder.take(measure, NOW) == "user eve is blocked for 10 min"
    assert responder.take(measure, NOW) == ""  # it is already
    [block] = control.blocks()
    assert (block.field, block.value, block.until) == ("user", "eve", NOW + 600)
    responder.sweep(NOW + 601)
    assert list(control.blocks()) == []
    assert [note.action for note in control.notes()] == ["caller.unblock", "caller.block"]


def test_a_policy_is_stricter_for_a_time_and_can_be_taken_back(
    control: SqlControlStore, trace: Make, decide: Decide
) -> None:
    rule = {"name": "x", "when": "category == 'secrets'", "respond": {"do": "enforce", "time": "1h"}}
    [measure] = _desk(control, rules=[rule]).take(_facts(trace, decide), NOW).measures
    responder = Responder(control, lambda n: b"\x07" * n)
    assert responder.take(measure, NOW)
    [made] = overrides(control)
    assert (made.policy, made.do, made.until) == ("p", "enforce", NOW + 3600)
    assert take_back(control, made.id, "adam", NOW + 1)
    assert overrides(control) == []
    assert not take_back(control, made.id, "adam", NOW + 1)
