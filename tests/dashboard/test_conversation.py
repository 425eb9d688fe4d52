"""Kept bodies of every engine read as a chat, and what has no known form is shown as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.dashboard.conversation import MAX_CHARS, turns
from akto_proxy.model import Message

STREAM = (
    'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[{"delta":{"content":"b"}}]}\n\ndata: [DONE]'
)


def said(body: object, role: str = "user") -> list[tuple[str, str, str]]:
    text = body if isinstance(body, str) else json.dumps(body)
    return [(turn.role, turn.text, turn.kind) for turn in turns(Message((), text), role)]


@pytest.mark.parametrize(
    ("body", "role", "expected"),
    [
        ({"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": [{"text": "b"}]}]}, "user",
         [("system", "a", "text"), ("user", "b", "text")]),
        ({"inputs": "a"}, "user", [("user", "a", "text")]),
        ({"inputs": ["a", "b"]}, "user", [("user", "a", "text"), ("user", "b", "text")]),
        ({"prompt": "a"}, "user", [("user", "a", "text")]),
        ([{"generated_text": "a"}], "assistant", [("assistant", "a", "text")]),
        ({"choices": [{"message": {"role": "assistant", "content": "a"}}]}, "assistant", [("assistant", "a", "text")]),
        ({"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}}]},
         "assistant", [("assistant", "{}", "tool")]),
        ({"error": {"message": "no"}}, "assistant", [("proxy", "no", "text")]),
        ('data: {"token":{"text":"He"}}\n\ndata: {"token":{"text":"llo"}}\n\n', "assistant",
         [("assistant", "Hello", "text")]),
        (STREAM, "assistant", [("assistant", "ab", "text")]),
        ({"odd": 1}, "user", [("user", '{\n  "odd": 1\n}', "data")]),
        ("just text", "user", [("user", "just text", "text")]),
    ],
)  # fmt: skip
def test_each_form_reads_as_who_said_what(body: object, role: str, expected: list[tuple[str, str, str]]) -> None:
    assert said(body, role) == expected


def test_long_speech_is_cut_and_says_by_how_much() -> None:
    ((_, text, _),) = said({"inputs": "x" * (MAX_CHARS + 7)})
    assert text.endswith("… 7 more characters")


KEYS = st.sampled_from(["messages", "choices", "inputs", "content", "text", "error", "delta", "token", "role", "x"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


@given(JSON)
def test_any_json_can_be_shown(value: object) -> None:
    for body in (json.dumps(value), f"data: {json.dumps(value)}\n\n"):
        for turn in turns(Message((), body), "user"):
            assert isinstance(turn.text, str)
