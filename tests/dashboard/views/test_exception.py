"""What an exception would let through is said before it is made, and only an editor makes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest


@pytest.fixture
def call(store: Any, sample: Any, workshop: Any, clock: Any) -> Any:
    """Calls of two people with an e-mail address; the rule is one that the policy in force knows."""
    rule = next(rule.id for rule in workshop.rules if rule.entity == "EMAIL_ADDRESS")
    made = []
    for trace in sample.traffic(2000, until=clock() - 5, span=3600):
        if len(made) < 6 and any(item.rule == "email" for item in trace.decisions):
            who = replace(trace.caller, user=("ada", "eve")[len(made) % 2])
            made.append(replace(trace, caller=who, decisions=(replace(trace.decisions[0], rule=rule),)))
    store.insert_many(made)
    return made[0]


def test_the_preview_tells_theirs_from_everybody_elses(call: Any, sign_in: Any) -> None:
    page = sign_in("analyst").get(f"/activity/exception?event={call.id}:0&field=user").text
    assert 'In <span class="strong">3</span> of their calls' in page
    assert "In the 3 calls of everybody else" in page
    assert "Their latest calls" in page
    assert "A policy editor can put it in force" in page


def test_an_editor_makes_it_and_the_decision_is_a_false_positive(call: Any, sign_in: Any, control: Any) -> None:
    form = {"event": f"{call.id}:0", "field": "user", "reason": "their own address"}
    assert sign_in("analyst").post("/activity/exception", data=form).status_code == 403
    assert control.active() is None
    answer = sign_in("editor").post("/activity/exception", data=form)
    assert answer.headers["location"] == "/policies?said=exception"
    assert "their own address" in control.active().comment
    assert control.marks([f"{call.id}:0"])[f"{call.id}:0"].state == "false-positive"


def test_what_cannot_be_excepted_says_why(call: Any, sign_in: Any) -> None:
    editor = sign_in("editor")
    assert editor.get("/activity/exception?event=zz:0").status_code == 404
    assert editor.get(f"/activity/exception?event={call.id}:7").status_code == 404
    form = {"event": f"{call.id}:0", "field": "session"}
    assert editor.post("/activity/exception", data=form).status_code == 422
