"""Streams as the recorder keeps them are read as speeches."""

from __future__ import annotations

import pytest

from akto_proxy.dashboard.assembled import is_assembled, speeches
from akto_proxy.exchange.record import assembled


@pytest.mark.parametrize(
    ("lanes", "expected"),
    [
        ({"/token/text": "hi"}, [("text", "", "hi")]),
        ({"/choices/0/delta/content": "a", "/choices/1/delta/content": "b"}, [("text", "", "a"), ("text", "", "b")]),
        (
            {"/choices/0/delta/reasoning_content": "hm", "/choices/0/delta/content": "a"},
            [("text", "thinking", "hm"), ("text", "", "a")],
        ),
        (
            {
                "/choices/0/delta/tool_calls/0/function/name": "lookup",
                "/choices/0/delta/tool_calls/0/function/arguments": '{"id":1}',
                "/choices/0/delta/tool_calls/0/id": "call_1",
            },
            [("tool", "lookup", '{"id":1}')],
        ),
        ({"/choices/0/delta/tool_calls/0/function/name": "now"}, [("tool", "now", "{}")]),
        (
            {"/0/delta/text": "a", "/1/content_block/name": "f", "/1/delta/partial_json": "{}"},
            [("text", "", "a"), ("tool", "f", "{}")],
        ),
        ({"/0/0/0/response.output_text/delta": "a"}, [("text", "", "a")]),
        ({"/0/0/0/response.function_call_arguments/delta": "{}"}, [("tool", "", "{}")]),
        ({"/token/text": "a", "/top_tokens/0/text": "b"}, [("text", "", "a")]),
    ],
)
def test_each_lane_is_one_speech(lanes: dict[str, str], expected: list[tuple[str, str, str]]) -> None:
    kept = assembled(lanes, [], None)
    assert is_assembled(kept)
    assert list(speeches(kept)) == expected


def test_texts_without_lanes_are_one_speech_and_a_body_that_was_not_streamed_is_left_alone() -> None:
    assert list(speeches(assembled({}, ["a", "b"], None))) == [("text", "", "a\nb")]
    assert not is_assembled({"/token/text": "hi"})
