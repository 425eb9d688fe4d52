"""An exception lets one caller's rule rest and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akto_proxy.dashboard.exceptions import with_exception
from akto_proxy.errors import PolicyError
from akto_proxy.model import Action, Caller, Direction, Role, Segment
from akto_proxy.policy.compile import Scope

TEXT = "Write to ada@example.org, IBAN DE89 3704 0044 0532 0130 00"


def action(workshop: Any, text: str, user: str, said: str) -> tuple[Action, set[str]]:
    draft = workshop.draft(text)
    plan = draft.policies.plan(Scope(caller=Caller(user=user), endpoint="e"))
    segment = Segment(said, "/x", Role.USER, Direction.REQUEST)
    judged = plan.judge([segment], workshop.scan(draft, [segment], plan.enabled(Direction.REQUEST)))
    return judged.action, {item.entity for item in judged.decisions if item.action is Action.REDACT}


@pytest.fixture
def rule(workshop: Any) -> str:
    return next(item.id for item in workshop.rules if item.entity == "EMAIL_ADDRESS")


def test_the_rule_rests_for_one_and_acts_for_others(workshop: Any, rule: str) -> None:
    text = with_exception(workshop.draft(workshop.default), "default-pii", rule, "user", "ada")
    assert action(workshop, text, "ada", TEXT)[1] == {"IBAN_CODE"}
    assert action(workshop, text, "eve", TEXT)[1] == {"IBAN_CODE", "EMAIL_ADDRESS"}
    more = with_exception(workshop.draft(text), "default-pii", rule, "user", "grace")
    assert action(workshop, more, "ada", TEXT)[1] == {"IBAN_CODE"}
    assert action(workshop, more, "grace", TEXT)[1] == {"IBAN_CODE"}
    assert action(workshop, more, "eve", TEXT)[1] == {"IBAN_CODE", "EMAIL_ADDRESS"}


def test_the_other_policies_still_act(workshop: Any, rule: str) -> None:
    text = with_exception(workshop.draft(workshop.default), "default-pii", rule, "endpoint", "e")
    token = "hf_" + "aBcDeFgHiJ" * 3 + "klmn"
    assert action(workshop, text, "eve", f"token {token}")[1] == {"SECRET"}


@pytest.mark.parametrize(
    ("policy", "rule_id", "field", "value"),
    [
        ("nothing", "", "user", "ada"),
        ("default-pii", "no-such-rule", "user", "ada"),
        ("default-pii", "", "user", ""),
        ("default-pii", "", "user", "a*"),
        ("default-pii", "", "path", "/x"),
    ],
)
def test_what_cannot_be_excepted_is_said(
    workshop: Any, rule: str, policy: str, rule_id: str, field: str, value: str
) -> None:
    with pytest.raises(PolicyError):
        with_exception(workshop.draft(workshop.default), policy, rule_id or rule, field, value)


def test_the_preview_counts_what_else_passes(filled: Any, control: Any, sign_in: Any, workshop: Any, rule: str) -> None:
    from akto_proxy.store.face import Filter

    found = filled.get(filled.search(Filter(rule="email")).items[0].id)
    made = [replace(found, id=f"{n:032x}", decisions=(replace(found.decisions[0], rule=rule),)) for n in range(3)]
    filled.insert_many(made)
    editor = sign_in("editor")
    page = editor.get("/activity/exception", params={"event": made[0].id + ":0", "field": "user"})
    assert page.status_code == 200
    assert "would have been treated otherwise" in page.text, page.text
    answer = editor.post("/activity/exception", data={"event": made[0].id + ":0", "field": "user", "reason": "x"})
    assert answer.status_code == 303, answer.text
    assert found.caller.user in control.active().text
