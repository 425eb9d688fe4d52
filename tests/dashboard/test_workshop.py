"""Drafts: the same text whole and as a stream, with a policy's own patterns beside the shipped rules."""

from __future__ import annotations

import time
from typing import Any

import pytest

from akto_proxy.dashboard.replays import Replays
from akto_proxy.errors import PolicyError
from akto_proxy.model import Action, Direction, Role
from akto_proxy.store.face import Filter

OWN = """
version: 1
policies:
  - name: own
    action: redact
    rules:
      - {detect: pii}
      - {regex: "PROJ-[0-9]{4}", match: ["PROJ-1234"], no_match: ["PROJ-12"], entity: PROJECT}
"""
TEXT = "Ask ada@example.org about PROJ-4711 and PROJ-4712, then ada@example.org again."


def test_what_goes_on_is_the_same_whole_and_streamed(workshop: Any) -> None:
    draft = workshop.draft(OWN)
    whole = workshop.attempt(draft, TEXT, Direction.RESPONSE, Role.ASSISTANT)
    assert whole.passed.count("<EMAIL_ADDRESS>") == 2
    assert whole.passed.count("<PROJECT>") == 2
    for size in (1, 3, 6, 100):
        steps = workshop.stream(draft, TEXT, Role.ASSISTANT, size)
        assert "".join(step.left for step in steps) == whole.passed
        assert "".join(step.fed for step in steps) == TEXT


def test_what_was_found_is_marked_in_place(workshop: Any) -> None:
    tried = workshop.attempt(workshop.draft(OWN), TEXT, Direction.REQUEST, Role.USER)
    assert "".join(piece.text for piece in tried.marked) == TEXT
    assert [piece.text for piece in tried.marked if piece.kind] == [
        "ada@example.org",
        "PROJ-4711",
        "PROJ-4712",
        "ada@example.org",
    ]


def test_a_block_ends_the_stream(workshop: Any) -> None:
    steps = workshop.stream(workshop.draft(OWN.replace("redact", "block")), TEXT, Role.ASSISTANT)
    assert steps[-1].action is Action.BLOCK
    assert "example.org" not in "".join(step.left for step in steps)


def test_problems_name_the_key_and_never_the_value(workshop: Any) -> None:
    problem = workshop.problem("version: 1\npolicies:\n  - name: x\n    actoin: blockk\n    rules: [{detect: pii}]")
    assert "actoin" in problem
    assert "blockk" not in problem
    with pytest.raises(PolicyError):
        workshop.draft("version: 1\npolicies: []")


def test_a_replay_says_how_verdicts_move(filled: Any, workshop: Any) -> None:
    replays = Replays(filled, workshop, lambda size: b"r" * size)
    old = workshop.draft(workshop.default)
    new = workshop.draft(workshop.default.replace("action: redact", "action: block"))
    job = replays.start(old, new, Filter(), by="ada", at=0.0)
    deadline = time.monotonic() + 20
    while job.state == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert job.state == "done", job.problem
    assert job.report.total == filled.count() == job.done
    assert job.share == 100.0
    assert (Action.REDACT, Action.BLOCK) in job.report.changed
    assert replays.recent() == (job,)


def test_a_change_elsewhere_compiles_no_pattern_again(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check while one writes took two seconds for it: a process has to start."""
    text = OWN.replace("PROJ-", "TASK-")
    workshop.draft(text)
    monkeypatch.setattr("akto_proxy.dashboard.workshop.compile_killable", lambda *_, **__: pytest.fail("compiled"))
    draft = workshop.draft(text.replace("action: redact", "action: alert"))
    tried = workshop.attempt(draft, "see TASK-1234", Direction.REQUEST, Role.USER)
    assert tried.judgement.action is Action.ALERT
