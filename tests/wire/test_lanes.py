from __future__ import annotations

import json
from typing import Any

import pytest

from akto_proxy.errors import BodyError
from akto_proxy.wire.lanes import Lanes

CHAT = {"index": 1, "delta": {"content": "t"}}


@pytest.mark.parametrize(
    ("tree", "lane"),
    [
        ({"choices": [CHAT]}, "/choices/1/delta/content"),
        ({"choices": [{"index": 0, "text": "t"}]}, "/choices/0/text"),
        ({"choices": [{"index": 0, "delta": {"reasoning_content": "t"}}]}, "/choices/0/delta/reasoning_content"),
        ({"choices": [{"index": 0, "delta": {"refusal": "t"}}]}, "/choices/0/delta/refusal"),
        (
            {"choices": [{"index": 2, "delta": {"tool_calls": [{"index": 3, "function": {"arguments": "t"}}]}}]},
            "/choices/2/delta/tool_calls/3/function/arguments",
        ),
        ({"choices": [{"index": 0, "logprobs": {"content": [{"token": "t"}]}}]}, "/choices/0/logprobs/content/token"),
        ({"choices": [{"index": 0, "logprobs": {"tokens": ["t"]}}]}, "/choices/0/logprobs/tokens"),
        ({"token": {"id": 5, "text": "t"}, "index": 9}, "/token/text"),
        ({"top_tokens": [{"text": "t"}]}, "/top_tokens/0/text"),
        ({"message": {"content": "t"}, "done": False}, "/message/content"),
        ({"response": "t", "done": False}, "/response"),
        ({"content": "t", "stop": False}, "/content"),
        ({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "t"}}, "/1/delta/text"),
        ({"type": "content_block_delta", "index": 1, "delta": {"partial_json": "t"}}, "/1/delta/partial_json"),
        (
            {"type": "response.output_text.delta", "output_index": 1, "content_index": 2, "delta": "t"},
            "/1/2/0/response.output_text/delta",
        ),
        (
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "t"},
            "/1/0/0/response.function_call_arguments/delta",
        ),
        (
            {"type": "response.output_text.delta", "logprobs": [{"token": "t"}]},
            "/0/0/0/response.output_text/logprobs/0/token",
        ),
        ({"type": "transcript.text.delta", "delta": "t"}, "/0/0/0/transcript.text/delta"),
        ({"generated_text": "t"}, None),
        ({"type": "response.output_text.done", "text": "t"}, None),
        ({"type": "response.completed", "response": {"output": [{"content": [{"text": "t"}]}]}}, None),
        ({"choices": [{"index": 0, "message": {"content": "t"}}]}, None),
        ({"error": {"message": "t"}}, None),
        ({"message": "t"}, None),
        ({"id": "t t"}, None),
        ({"x": {"y": "t"}}, None),
        (["t"], None),
        ("t", None),
    ],
)
def test_every_string_is_read_and_deltas_have_a_lane(tree: Any, lane: str | None) -> None:
    pieces = [piece for piece in Lanes().read(tree) if piece[0] in ("t", "t t")]
    assert [piece[2] for piece in pieces] == [lane]


def test_what_is_not_text_is_left_out() -> None:
    tree = {
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "choices":
        [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
    }  # fmt: skip
    lanes = Lanes()
    for _ in range(2):
        assert lanes.read(tree) == []
        assert lanes.finish_reason == "stop"


def test_a_model_name_is_read_until_it_is_trusted() -> None:
    lanes = Lanes()
    assert [piece[1] for piece in lanes.read({"model": "m", "system_fingerprint": "f"})] == [
        "/model",
        "/system_fingerprint",
    ]
    lanes.trust("m")
    assert [piece[1] for piece in lanes.read({"model": "m", "system_fingerprint": "f"})] == ["/system_fingerprint"]
    assert [piece[0] for piece in lanes.read({"content": "m", "model": "other"})] == ["m", "other"]


def test_names_of_fields_are_texts() -> None:
    assert [piece[:3] for piece in Lanes().read({"jane@x.com": "", "a b": 1, "7": [], "c d": {}})] == [
        ("jane@x.com", "/*key", None), ("a b", "/*key", None), ("c d", "/*key", None),
    ]  # fmt: skip


def test_depth_is_bounded() -> None:
    for deep in ("[" * 80 + "]" * 80, '{"a":' * 80 + "1" + "}" * 80):
        with pytest.raises(BodyError):
            Lanes().read(json.loads(deep))
