"""A trace made ready: marks that no caller can fake, times that fit in the call, a command that can be run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from akto_proxy.dashboard.detail import detail
from akto_proxy.model import Action, Timing


@pytest.fixture
def calls(sample: Any, clock: Any) -> list[Any]:
    return list(sample.traffic(300, until=clock()))


def with_rule(calls: list[Any], rule: str) -> Any:
    return next(call for call in calls if any(item.rule == rule for item in call.decisions))


def marked(shown: Any) -> list[str]:
    return [piece.text for _, pieces in (*shown.request, *shown.response) for piece in pieces if piece.kind]


def test_only_what_a_decision_names_is_marked(calls: list[Any]) -> None:
    call = with_rule(calls, "email")
    assert marked(detail(call, "http://p")) == ["<EMAIL_ADDRESS>", "<EMAIL_ADDRESS>"]
    assert marked(detail(replace(call, decisions=()), "http://p")) == []


def test_a_refusal_stands_for_the_answer_that_never_was(calls: list[Any]) -> None:
    call = with_rule(calls, "prompt-injection")
    bare = replace(call, response=replace(call.response, body=""))
    ((turn, _),) = detail(bare, "http://p").response
    assert turn.role == "proxy"
    assert turn.text == "Refused with HTTP 400: policy default-injection, rule prompt-injection."
    assert detail(replace(bare, verdict=Action.ALLOW), "http://p").response == ()


@pytest.mark.parametrize(
    ("timing", "status", "names"),
    [
        (Timing(1000, 100, 300, 900, 320), 200, ["guard", "wait", "model", "caller"]),
        (Timing(600, 500, 0, 600, 550), 0, ["guard", "caller"]),
        (Timing(0, 0, 0, 0, 0), 0, ["guard"]),
    ],
)
def test_what_took_the_time_fits_in_the_call(timing: Timing, status: int, names: list[str], calls: list[Any]) -> None:
    shown = detail(replace(calls[0], timing=timing, upstream_status=status), "http://p")
    assert [span.kind for span in shown.spans] == names
    for span in shown.spans:
        assert span.left >= 0
        assert span.left + span.width <= 100.01
    assert shown.stopped_before_model == (status == 0)
    assert shown.held == (20 if status else 0)


def test_the_command_holds_no_credential_and_survives_a_shell(calls: list[Any]) -> None:
    call = replace(calls[0], path="/v1/x?q='$(id)'")
    words = shlex.split(detail(call, "http://p/").curl.replace("\\\n", " "))
    assert words[:4] == ["curl", "-sS", "-X", "POST"]
    assert words[4] == "http://p/v1/x?q='$(id)'"
    assert "Authorization: Bearer $HF_TOKEN" in words
    assert words[words.index("--data-raw") + 1] == call.request.body
