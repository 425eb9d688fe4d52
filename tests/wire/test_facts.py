from __future__ import annotations

from typing import Any

import pytest

from akto_proxy.model import Usage
from akto_proxy.wire.facts import max_tokens, tool_names, truthy, usage


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 2}}, Usage(1, 2)),
        ({"usage": {"input_tokens": 1, "output_tokens": 2}}, Usage(1, 2)),
        ({"usage": {"prompt_tokens": 3, "total_tokens": 3}}, Usage(3, 0)),
        ([{"generated_text": "", "details": {"generated_tokens": 2, "input_length": 1}}], Usage(1, 2)),
        ({"response": {"usage": {"input_tokens": 1, "output_tokens": 2}}}, Usage(1, 2)),
        ({"message": {"usage": {"input_tokens": 1, "output_tokens": 2}}}, Usage(1, 2)),
        ({"prompt_eval_count": 1, "eval_count": 2}, Usage(1, 2)),
        ({"tokens_evaluated": 1, "tokens_predicted": 2}, Usage(1, 2)),
        ({"meta_info": {"prompt_tokens": 1, "completion_tokens": 2}}, Usage(1, 2)),
        ({"usage": None}, None),
        ({"usage": {"prompt_tokens": "many"}}, None),
        ([], None),
        ("text", None),
    ],
)
def test_usage_in_any_words(tree: Any, expected: Usage | None) -> None:
    assert usage(tree) == expected


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 5}, 5),
        ({"max_output_tokens": 5}, 5),
        ({"parameters": {"max_new_tokens": 5}}, 5),
        ({"options": {"num_predict": 5}}, 5),
        ({"sampling_params": {"max_new_tokens": 5}}, 5),
        ({"max_tokens": "5"}, 0),
        ({}, 0),
        ([], 0),
    ],
)
def test_max_tokens(tree: Any, expected: int) -> None:
    assert max_tokens(tree) == expected


def test_what_lenient_engines_take_as_true() -> None:
    assert all(truthy(value) for value in (True, 1, "true", "True", "1", "yes"))
    assert not any(truthy(value) for value in (False, 0, None, "false", "", [], {}))


def test_tools_offered_and_called() -> None:
    assert tool_names(
        {
            "tools": [{"type": "function", "function": {"name": "a"}}, {"name": "b"}, 5, {"name": 7}],
            "messages": [
                {"tool_calls": [{"function": {"name": "c"}}]},
                {"content": [{"type": "tool_use", "name": "d"}]},
            ],
            "input": [{"type": "function_call", "name": "e"}, "text"],
        }
    ) == ["a", "b", "c", "d", "e"]
    assert tool_names({"choices": [{"message": {"tool_calls": [{"function": {"name": "f"}}]}}]}) == ["f"]
    assert tool_names({"output": [{"type": "function_call", "name": "g"}]}) == ["g"]
    assert tool_names({"tools": "x", "messages": {"a": 1}}) == []
    assert tool_names([1]) == []
