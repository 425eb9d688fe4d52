"""External checks of an exchange, by hand: what is asked about, what waits for the answer, and what becomes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from akto_proxy.exchange.face import Ask, Forward, Refusal
from akto_proxy.model import Action, Direction, Finding, Role

CHECKED = """
version: 1
policies:
  - {{name: local, rules: [{{words: [forbidden], action: block}}, {{detect: EMAIL_ADDRESS, action: redact}}]}}
  - name: asks
    mode: {mode}
    on_error: {on_error}
    rules:
      - {{id: model, external: {{url: "https://guard.example/v1/chat/completions"}}, action: {action}}}
"""
SSE = [(b"Content-Type", b"text/event-stream")]
UNSAFE = [(0, Finding(0, 0, "external:asks:model", "EXTERNAL", "external", 1.0))]
TEXT = {"messages": [{"role": "user", "content": "write to ann@corp.example"}]}


def policy(action: str = "block", mode: str = "enforce", on_error: str = "block") -> str:
    return CHECKED.format(action=action, mode=mode, on_error=on_error)


def answer(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def event(delta: dict[str, Any]) -> bytes:
    body = {"id": "c1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
    return b"data: %b\n\n" % json.dumps(body).encode()


def trace(exchange: Any) -> Any:
    return exchange.trace(status=200, client_gone=False, first_byte=1, upstream_first=1, total=2)


def texts(ask: Ask) -> list[str]:
    return [segment.text for segment in ask.segments]


def streaming(path: Any, *chunks: bytes) -> tuple[Any, list[bytes], Any]:
    """An exchange whose request passed, what each chunk gave the caller, and what the end gave."""
    exchange, _ = path.send({"stream": True, **TEXT})
    exchange.told([])
    exchange.head(200, SSE)
    out = [exchange.chunk(chunk) for chunk in chunks]
    return exchange, out, exchange.end() if not exchange.cut else b""


def test_a_request_waits_for_the_check_and_goes_on_unchanged(make_path):
    exchange, asked = make_path(policy()).send({"messages": [{"role": "user", "content": "hello there"}]})
    assert isinstance(asked, Ask)
    assert asked.direction is Direction.REQUEST
    assert "hello there" in texts(asked)
    forward = exchange.told([])
    assert isinstance(forward, Forward)
    assert b"hello there" in forward.body
    assert trace(exchange).decisions == ()


def test_a_check_sees_what_goes_upstream_not_what_a_policy_took_out(make_path):
    exchange, asked = make_path(policy()).send(TEXT)
    assert "write to <EMAIL_ADDRESS>" in texts(asked)
    assert not any("ann@" in text for text in texts(asked))
    assert b"<EMAIL_ADDRESS>" in exchange.told([]).body


def test_a_verdict_blocks_and_is_a_decision(make_path):
    exchange, _ = make_path(policy()).send(TEXT)
    refusal = exchange.told(UNSAFE)
    assert isinstance(refusal, Refusal)
    assert refusal.status == 400
    kept = trace(exchange)
    assert kept.outcome == "blocked"
    assert [(d.policy, d.rule, d.action) for d in kept.decisions if d.policy == "asks"] == [
        ("asks", "external:asks:model", Action.BLOCK)
    ]


def test_what_is_blocked_here_is_not_sent_outside(make_path):
    _, refusal = make_path(policy()).send({"messages": [{"role": "user", "content": "a forbidden word"}]})
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize(("on_error", "kind"), [("block", Refusal), ("allow", Forward)])
def test_a_check_that_fails_follows_on_error_and_is_recorded(make_path, on_error, kind):
    exchange, asked = make_path(policy(on_error=on_error)).send(TEXT)
    assert isinstance(exchange.told(asked.unanswered()), kind)
    failed = [d for d in trace(exchange).decisions if d.policy == "asks"]
    assert [(d.entity, d.bypassed, d.reason) for d in failed] == [
        ("CHECK_FAILED", on_error == "allow", "a check could not run")
    ]


def test_a_monitored_check_only_records_what_it_would_do(make_path):
    exchange, _ = make_path(policy(mode="monitor")).send(TEXT)
    assert isinstance(exchange.told(UNSAFE), Forward)
    decision = next(d for d in trace(exchange).decisions if d.policy == "asks")
    assert (decision.action, decision.would) == (Action.ALLOW, Action.BLOCK)


def test_without_an_external_check_nothing_is_asked(make_path):
    exchange, forward = make_path().send(TEXT)
    assert isinstance(forward, Forward)
    exchange.head(200, [(b"Content-Type", b"application/json")])
    assert isinstance(exchange.body(answer("fine")), tuple)


def test_a_whole_answer_waits_for_the_check(make_path):
    exchange, _ = make_path(policy()).send(TEXT)
    exchange.told([])
    exchange.head(200, [(b"Content-Type", b"application/json")])
    asked = exchange.body(answer("mail bob@corp.example"))
    assert isinstance(asked, Ask)
    assert (asked.direction, asked.segments[0].role) == (Direction.RESPONSE, Role.ASSISTANT)
    assert "mail <EMAIL_ADDRESS>" in texts(asked)
    _, body = exchange.told([])
    assert b"<EMAIL_ADDRESS>" in body
    assert b"bob@" not in body


def test_a_whole_answer_is_blocked_by_a_verdict(make_path):
    exchange, _ = make_path(policy()).send(TEXT)
    exchange.told([])
    exchange.head(200, [(b"Content-Type", b"application/json")])
    exchange.body(answer("how to do harm"))
    refusal = exchange.told(UNSAFE)
    assert isinstance(refusal, Refusal)
    assert b"harm" not in refusal.body


def test_an_enforced_check_holds_a_stream_to_its_end_and_then_lets_the_same_bytes_go(make_path):
    chunks = [event({"role": "assistant", "content": ""}), event({"content": "Hello "}), event({"content": "you"})]
    exchange, out, asked = streaming(make_path(policy()), *chunks, b"data: [DONE]\n\n")
    assert out == [b"", b"", b"", b""]
    assert isinstance(asked, Ask)
    assert asked.meanwhile == b""
    assert texts(asked)[0] == "Hello you"
    assert exchange.told([]) == b"".join(chunks) + b"data: [DONE]\n\n"
    assert not exchange.cut


def test_a_held_stream_that_a_check_refuses_shows_only_its_opening_and_the_notice(make_path):
    opening = event({"role": "assistant", "content": ""})
    exchange, _, _ = streaming(make_path(policy()), opening, event({"content": "how to do harm"}), b"data: [DONE]\n\n")
    out = exchange.told(UNSAFE)
    assert exchange.cut
    assert out.startswith(opening)
    assert b"content_filter" in out
    assert b"harm" not in out
    assert trace(exchange).outcome == "blocked"


def test_a_held_stream_cut_by_a_local_rule_shows_nothing_that_no_check_saw(make_path):
    chunks = [event({"content": "some words "}), event({"content": "forbidden "}), event({"content": "x" * 50})]
    exchange, out, last = streaming(make_path(policy()), *chunks)
    assert exchange.cut
    assert b"some words" not in b"".join([*out, last])
    assert b"content_filter" in b"".join([*out, last])


def test_a_stream_is_held_for_a_check_that_cannot_answer_as_on_error_says(make_path):
    for on_error, shown in (("block", False), ("allow", True)):
        exchange, _, asked = streaming(make_path(policy(on_error=on_error)), event({"content": "Hello"}))
        assert (b"Hello" in exchange.told(asked.unanswered())) is shown
        assert trace(exchange).decisions[-1].entity == "CHECK_FAILED"


@pytest.mark.parametrize("options", [{"mode": "monitor"}, {"action": "alert"}])
def test_a_check_that_stops_nothing_holds_nothing(make_path, options):
    chunks = [event({"content": "Hello "}), event({"content": "you and me"})]
    exchange, out, asked = streaming(make_path(policy(**options)), *chunks, b"data: [DONE]\n\n")
    assert b"".join(out) + asked.meanwhile == b"".join(chunks) + b"data: [DONE]\n\n"
    assert exchange.told(UNSAFE) == b""
    assert not exchange.cut
    assert trace(exchange).decisions[-1].rule == "external:asks:model"


@pytest.mark.parametrize(("on_error", "passes"), [("block", False), ("allow", True)])
def test_a_stream_too_long_to_be_gathered_is_a_failed_check(make_path, on_error, passes):
    path = make_path(policy(on_error=on_error), response_limit=300)
    chunks = [event({"content": f"word{n} "}) for n in range(6)]
    exchange, out, asked = streaming(path, *chunks)
    assert exchange.cut is not passes
    assert not isinstance(asked, Ask)
    assert (b"word5" in b"".join([*out, asked])) is passes
    assert trace(exchange).decisions[-1].entity == "CHECK_FAILED"


def test_upstream_failing_in_a_held_stream_releases_nothing_unchecked(make_path):
    from akto_proxy.errors import UpstreamError

    exchange, _ = make_path(policy()).send({"stream": True, **TEXT})
    exchange.told([])
    exchange.head(200, SSE)
    exchange.chunk(event({"content": "half an answer "}))
    assert b"half" not in exchange.abort(UpstreamError("gone", reason="truncated"))


def test_strings_outside_lanes_are_asked_about_once(make_path):
    body = {"token": {"id": 1, "text": "Hi"}, "generated_text": None}
    last = {"token": {"id": 2, "text": " you"}, "generated_text": "Hi you", "note": "an aside"}
    chunks = [b"data: %b\n\n" % json.dumps(item).encode() for item in (body, last)]
    _, _, asked = streaming(make_path(policy()), *chunks)
    assert texts(asked) == ["Hi you", "note", "an aside"]
