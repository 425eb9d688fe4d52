"""What a real Akto server reads: for every trace a record that its parser keeps."""

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Trace, Usage
from akto_proxy.proxy.akto_form import MAX_STRING, host, payload, to_event, to_item

TRACE = Trace("1" * 32, 1_780_531_200.9, "E.Example:8080", "POST", "/v1/chat", "r", "v", 200, "ok")
SEEN = ("block", "alert", "warn", "approval", "")
"""Words its `guardrailAction` may have."""

texts = st.text(max_size=40)
messages = st.builds(
    Message,
    st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    texts | st.just('{"a": 1}') | st.just("[1]") | st.just('{"usage": 5}'),
    st.sampled_from(["text", "base64", "none"]),
    st.integers(0, 10**6),
    st.booleans(),
)
decisions = st.builds(
    Decision, texts, texts, texts, texts, st.sampled_from(Severity), st.sampled_from(Action), st.sampled_from(Direction)
)
traces = st.builds(
    lambda verdict, status, caller, request, response, usage, made, tags, started: replace(
        TRACE, verdict=verdict, status=status, caller=caller, request=request, response=response, usage=usage,
        decisions=tuple(made), tags=tuple(tags), started=started,
    ),
    st.sampled_from(Action), st.integers(0, 599), st.builds(Caller, texts, texts, texts, texts, texts, texts), messages,
    messages, st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6), st.booleans()),
    st.lists(decisions, max_size=3), st.lists(st.tuples(texts, texts), max_size=3), st.floats(0, 4e9),
)  # fmt: skip


def whole(text: str) -> dict[str, Any]:
    found = orjson.loads(text)
    assert isinstance(found, dict)
    return found


@settings(max_examples=200, deadline=None)
@given(traces)
def test_for_every_trace_the_record_is_one_that_its_parser_keeps(trace: Trace):
    item = to_item(trace)
    assert all(type(value) is str for value in item.values()), "every field is a string"
    assert re.fullmatch(r"\d{1,10}", item["time"]), "whole seconds: milliseconds overflow there"
    assert 100 <= int(item["statusCode"]) < 600 or item["statusCode"] == str(trace.status)
    assert item["source"] == "MIRRORING"
    headers = whole(item["requestHeaders"])
    assert headers["content-type"] == whole(item["responseHeaders"])["content-type"] == "application/json"
    assert re.fullmatch(r"[a-z0-9.\-:]+", headers["host"])
    for name in ("requestPayload", "responsePayload", "tag", "_guardrail"):
        assert item[name].startswith("{")
        assert item[name].endswith("}")
        whole(item[name])
    assert whole(item["tag"])["source"] == "AGENTIC", "a caller's tag cannot change what the record is"
    assert whole(item["_guardrail"])["guardrailAction"] in SEEN
    event = to_event(trace)
    if event is not None:
        assert event["maliciousEvent"]["metadata"]["behaviour"] in SEEN
        orjson.dumps(event)


def test_tokens_are_on_the_top_level_unless_they_are_a_guess():
    answer = Message((), '{"choices": []}', "text", 15)
    assert whole(payload(answer, Usage(3, 4)))["usage"] == {"prompt_tokens": 3, "completion_tokens": 4}
    assert "usage" not in whole(payload(answer, Usage(3, 4, estimated=True)))
    own = Message((), '{"usage": {"input_tokens": 9}}', "text", 30)
    assert whole(payload(own, Usage(3, 4)))["usage"] == {"input_tokens": 9}, "what the model server said stays"


@pytest.mark.parametrize("letter", ["x", "\x00", "\U0001f600"])
def test_a_long_body_is_cut_inside_a_whole_record(letter: str):
    made = payload(Message((), letter * 2_000_000, "text", 1), None)
    made_longer = payload(Message((), letter * 6_000_000, "text", 1), None)
    assert max(len(made), len(made_longer)) <= MAX_STRING
    assert whole(made_longer)["truncated"] is True


def test_a_sealed_body_is_said_and_not_sent():
    assert whole(payload(Message((), "c2VhbGVk", "base64", 77), None)) == {
        "note": "the body is not kept in the clear",
        "size": 77,
    }


def test_the_agent_names_the_exchange_where_it_says_one():
    assert host(TRACE) == "e.example:8080"
    assert host(replace(TRACE, caller=Caller(agent="My Agent!"))) == "my-agent"
    assert host(replace(TRACE, endpoint="???")) == "unknown"
