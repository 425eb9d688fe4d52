from __future__ import annotations

import pytest

from akto_proxy.model import Direction, Role, Segment
from akto_proxy.policy.checks import Tally, link_taken, tool_hits
from akto_proxy.policy.rules import Links, ToolsRule

CALLS = "/choices/0/message/tool_calls"


def segments(*pairs: tuple[str, str]) -> list[Segment]:
    return [Segment(text, place, Role.ASSISTANT, Direction.RESPONSE) for place, text in pairs]


def hits(tools: dict, found: list[Segment], tally: Tally | None = None) -> list[tuple[int, str]]:
    rule = ToolsRule.model_validate({"tools": tools})
    return [(number, finding.rule) for number, finding in tool_hits(0, rule, found, tally or Tally())]


@pytest.mark.parametrize(
    "place",
    [
        "/tools/0/function/name",
        f"{CALLS}/1/function/name",
        "/choices/0/delta/tool_calls/0/function/name",
        "/choices/0/message/function_call/name",
        "/messages/1/content/0/name",
        "/output/2/name",
    ],
)
def test_a_forbidden_tool_is_found_wherever_tools_are_named(place):
    assert hits({"forbid": ["delete_*"]}, segments((place, "delete_user"))) == [(0, "tool:name")]
    assert hits({"allow": ["search"]}, segments((place, "delete_user"))) == [(0, "tool:name")]
    assert hits({"allow": ["search"]}, segments((place, "search"))) == []


def test_a_name_elsewhere_is_no_tool():
    assert hits({"allow": ["search"]}, segments(("/messages/0/name", "ann"))) == []


def test_arguments_must_keep_the_tools_schema_in_either_order():
    schema = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
    name, arguments = (f"{CALLS}/0/function/name", "pay"), f"{CALLS}/0/function/arguments"
    tools = {"arguments": {"pay": schema}}
    assert hits(tools, segments(name, (arguments, '{"id": 3}'))) == []
    assert hits(tools, segments(name, (arguments, '{"id": "x"}'))) == [(1, "tool:arguments")]
    assert hits(tools, segments((arguments, "not json"), name)) == [(0, "tool:arguments")]


def test_calls_are_counted_over_a_session_but_offers_are_not():
    call, offer = (f"{CALLS}/0/function/name", "a"), ("/tools/0/function/name", "a")
    assert hits({"max_calls": 1}, segments(call, offer, offer)) == []
    assert hits({"max_calls": 1}, segments(call, call)) == [(1, "tool:calls")]
    assert hits({"max_calls": 1}, segments(call), Tally(earlier_calls=1)) == [(0, "tool:calls")]


def test_a_limit_tells_once_where_it_was_passed(plan, policy):
    made = plan(policy(rules=[{"limit": {"characters": 5}, "action": "block"}]))
    tally = Tally()
    actions = [
        made.judge_one(Role.ASSISTANT, Direction.RESPONSE, "/x", (), "abc", tally).action.label for _ in range(4)
    ]
    assert actions == ["allow", "block", "allow", "allow"]


@pytest.mark.parametrize(
    ("links", "link", "taken"),
    [
        ({"deny": ["evil.com"]}, "https://evil.com/x", True),
        ({"deny": ["evil.com"]}, "https://a.EVIL.com.:8080/x", True),
        ({"deny": ["evil.com"]}, "https://good.com@evil.com/x", True),
        ({"deny": ["evil.com"]}, "evil.com/path", True),
        ({"deny": ["evil.com"]}, "https://evil.com.good.org/x", False),
        ({"deny": ["evil.com"]}, "https://notevil.com/x", False),
        ({"deny": ["*.zip"]}, "https://a.zip", True),
        ({"allow": ["good.org"]}, "https://api.good.org/x", False),
        ({"allow": ["good.org"]}, "https://other.net?good.org", True),
        ({"allow": ["good.org"]}, "https://", True),
    ],
)
def test_hosts_are_read_as_a_browser_reads_them(links, link, taken):
    assert link_taken(Links.model_validate(links), link) is taken
