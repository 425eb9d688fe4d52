"""A trace made ready: marks that no caller can fake, times that fit in the call, a command that can be run."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from akto_proxy.dashboard.detail import detail
from akto_proxy.model import Action, Caller, Direction, Timing


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
    assert f"x-user-id: {call.caller.user}" in words
    assert f"x-session-id: {call.caller.session}" in words
    assert words[words.index("--data-raw") + 1] == call.request.body


def test_a_header_whose_value_is_not_kept_is_not_sent_empty(calls: list[Any]) -> None:
    request = replace(calls[0].request, headers=(("x-session-id", ""), ("accept", ""), ("user-agent", "me/1")))
    call = replace(calls[0], request=request, caller=Caller(user="ada", agent="bot"))
    words = shlex.split(detail(call, "http://p/").curl.replace("\\\n", " "))
    sent = [word for name, word in pairwise(words) if name == "-H"]
    assert sent == ["Authorization: Bearer $HF_TOKEN", "user-agent: me/1", "x-user-id: ada", "x-agent-name: bot"]


def test_prompt_and_answer_are_told_apart(calls: list[Any]) -> None:
    call = replace(with_rule(calls, "email"), streamed=False, upstream_status=200)
    (found,) = call.decisions
    both = {"request": Direction.REQUEST, "response": Direction.RESPONSE}
    said = {}
    for name, direction in both.items():
        one = replace(call, decisions=(replace(found, direction=direction, action=Action.REDACT, count=2),))
        said[name] = [(caller, model) for _, caller, model in detail(one, "http://p").sides]
    assert said["request"] == [
        ("sent it; what a rule found is kept masked", "got it with 2 spans replaced"),
        ("got it unchanged, byte for byte", "gave it"),
    ]
    assert said["response"] == [
        ("sent it", "got it unchanged, byte for byte"),
        ("got it with 2 spans replaced", "gave it; what a rule found is kept masked"),
    ]


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        (
            {"upstream_status": 0, "timing": Timing(9, 9, 0, 9, 0)},
            ("got a refusal that names policy and rule", "gave none"),
        ),
        ({"streamed": False}, ("got a refusal that names policy and rule", "gave one that was not passed on")),
        (
            {"streamed": True},
            ("got its beginning, then a refusal that names policy and rule", "gave one that was not passed on"),
        ),
        (
            {"outcome": "limited", "upstream_status": 0, "decisions": (), "timing": Timing(9, 9, 0, 9, 0)},
            ("got an error that names the cause", "gave none"),
        ),
        ({"outcome": "alerted", "decisions": ()}, ("got it unchanged, byte for byte", "gave it")),
        (
            {"outcome": "upstream_error", "verdict": Action.ALLOW},
            ("got an error that names the cause", "gave what could not be passed on"),
        ),
    ],
)
def test_who_had_what_of_a_stopped_answer(changes: dict[str, Any], answer: tuple[str, str], calls: list[Any]) -> None:
    call = replace(with_rule(calls, "prompt-injection"), upstream_status=200, timing=Timing(9, 1, 3, 9, 5))
    assert detail(replace(call, **changes), "http://p").sides[1][1:] == answer
