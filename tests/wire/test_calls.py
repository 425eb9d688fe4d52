from __future__ import annotations

from typing import Any

import pytest

from akto_proxy.model import Direction, Role
from akto_proxy.wire.calls import calls
from akto_proxy.wire.tree import parse


def read(tree: Any, direction: Direction = Direction.RESPONSE, **how: bool) -> list[tuple[str, str, Role]]:
    return [(item.place, item.text, item.role) for item in calls(tree, direction, **how)]


def test_an_anthropic_call_is_given_whole_and_its_text_is_not():
    tree = {"role": "assistant", "content": [{"type": "tool_use", "name": "f", "input": {"a": {"b": [1]}}}]}
    expected = [("/messages/0/content/0/input", '{"a":{"b":[1]}}', Role.ASSISTANT)]
    assert read({"messages": [tree]}, Direction.REQUEST) == expected


def test_arguments_that_are_json_text_are_read_elsewhere():
    assert read({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}) == []


@pytest.mark.parametrize(("streamed", "at"), [(False, 0), (True, 3)])
def test_a_place_is_named_as_the_readers_of_bodies_and_of_events_name_it(streamed: bool, at: int):
    tree = {"message": {"tool_calls": [{"index": 3, "function": {"name": "f", "arguments": {}}}]}}
    found = [(f"/message/tool_calls/{at}/function/arguments", "{}", Role.ASSISTANT)]
    assert read(tree, streamed=streamed) == found


def test_a_field_that_no_protocol_knows_is_not_named():
    assert read({"agent-x": {"name": "f", "input": [1]}}) == [("/*/input", "[1]", Role.ASSISTANT)]


def test_arguments_with_a_key_that_came_twice_are_no_json():
    tree = parse(b'{"function":{"name":"f","arguments":{"a":1,"a":2}}}')[0]
    assert read(tree) == [("/function/arguments", "", Role.ASSISTANT)]
    outer = parse(b'{"name":"f","name":"g","input":{"a":1}}')[0]
    assert read(outer) == [("/input", '{"a":1}', Role.ASSISTANT)]


def test_an_object_without_a_name_is_no_call():
    assert read({"input": {"a": 1}, "arguments": [2]}) == []
