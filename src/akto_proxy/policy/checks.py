"""Checks that look at a body rather than at words in it: its size, its tools, the hosts of its links.

They run here, beside the judging, because they need no matching engine. Tools are told by their place in a body
(`/tools/0/function/name`, `/choices/0/message/tool_calls/0/function/name`, ...); a tool named elsewhere is not seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from akto_proxy.model import Finding, Segment
from akto_proxy.policy.arguments import valid
from akto_proxy.policy.rules import Limit, LimitRule, Links, Tools, ToolsRule

CHARACTERS_PER_TOKEN = 4  # the usual estimate for English text; model.Usage marks it as one
MAX_ARGUMENTS = 1 << 20
MAX_CALLS = 4_096  # names remembered of one body or stream

_NAME = re.compile(
    r"/(?:function|function_call|custom|item|content_block|(?:tools|content|output|input)/\d+"
    r"|response\.function_call_arguments\.done)/name$"
)
_OFFERED = re.compile(r"/(?:tools|functions)/\d+/|^/tool_choice/")
_ARGUMENTS = re.compile(
    r"/(?:(?:function|function_call|item|(?:content|output|input)/\d+|response\.(?:function|mcp)_call_arguments\.done)"
    r"/arguments|(?:custom|item|(?:content|output|input)/\d+|response\.custom_tool_call_input\.done)/input"
    r"|delta/partial_json|response\.(?:(?:function|mcp)_call_arguments|custom_tool_call_input)/delta)$"
)
_AGAIN = re.compile(r"/response\.(?!output_item\.done/)")  # events of a stream that tell a call once more
_OF_ITEM = re.compile(
    r"^(/\d+)/\d+/\d+/response\.(?:output_item|(?:function|mcp)_call|custom_tool_call)[a-z_.]*(?:/item)?$"
)
_FREE = ("/input", "/response.custom_tool_call_input/delta")
_HOST = re.compile(r"(?i)^(?:[a-z][a-z0-9+.-]*:)?(?://)?(?:[^/?#@]*@)?(\[[0-9a-f:.]+\]|[^/?#:@]+)")


@dataclass(slots=True)
class Tally:
    """What one body (or one stream, piece by piece) has shown so far. Belongs to the caller of `judge_one`.

    Counts are kept for each clause, so that one policy's counting never moves another's. A chat request carries its
    conversation, so its tool calls are those of the session; give `earlier_calls` where something else knows more.
    """

    earlier_calls: int = 0
    matches: dict[int, int] = field(default_factory=dict)
    characters: dict[int, int] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)
    told: set[tuple[int, str]] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)


Hit = tuple[int, Finding]


def limit_hits(index: int, rule: LimitRule, segments: Sequence[Segment], tally: Tally) -> Iterator[Hit]:
    """Findings of a size limit, once a body: at the segment that passed it."""
    total = tally.characters.get(index, 0)
    for number, segment in enumerate(segments):
        total += len(segment.text)
        for name, most in _bounds(rule.limit):
            if total > most and (index, name) not in tally.told:
                tally.told.add((index, name))
                yield number, Finding(0, 0, f"limit:{name}", "SIZE_LIMIT", "limit")
    tally.characters[index] = total


def _bounds(limit: Limit) -> Iterator[tuple[str, int]]:
    if limit.characters is not None:
        yield "characters", limit.characters
    if limit.tokens is not None:
        yield "tokens", limit.tokens * CHARACTERS_PER_TOKEN


def tool_hits(index: int, rule: ToolsRule, segments: Sequence[Segment], tally: Tally) -> Iterator[Hit]:
    """Findings of tools that may not be offered or called, of wrong arguments and of too many calls."""
    tools = rule.tools
    # Names first: in JSON a call's arguments may stand before its name; in a stream its name came earlier.
    named = tally.names
    for item in segments:
        if _NAME.search(item.place) and len(named) < MAX_CALLS:
            named[_call(item.place)] = item.text
    for number, segment in enumerate(segments):
        if _NAME.search(segment.place):
            if not tool_allowed(tools, segment.text):
                yield number, _tool("tool:name")
            once = _OFFERED.search(segment.place) is None and _AGAIN.search(segment.place) is None
            if once and _counted(index, tools, tally):
                yield number, _tool("tool:calls")
        elif tools.arguments and _ARGUMENTS.search(segment.place):
            name = named.get(_call(segment.place), "")
            free = segment.place.endswith(_FREE)
            if name in tools.arguments and not arguments_valid(tools, name, segment.text, free=free):
                yield number, _tool("tool:arguments")


def is_call(place: str) -> bool:
    """Whether a string at this place is a tool's name or the arguments of a call."""
    return _NAME.search(place) is not None or _ARGUMENTS.search(place) is not None


def _call(place: str) -> str:
    """What the name and the arguments of one call have in common in their places."""
    holder = place.rpartition("/")[0].removesuffix("/content_block").removesuffix("/delta")
    found = _OF_ITEM.match(holder)  # a stream of /v1/responses names the tool in one event, its arguments in others
    return found[1] if found else holder


def _counted(index: int, tools: Tools, tally: Tally) -> bool:
    """Count a call; whether it is one too many."""
    calls = tally.calls[index] = tally.calls.get(index, 0) + 1
    return tools.max_calls is not None and tally.earlier_calls + calls > tools.max_calls


def _tool(rule: str) -> Finding:
    return Finding(0, 0, rule, "TOOL_CALL", "tool")


def tool_allowed(tools: Tools, name: str) -> bool:
    """Whether a tool of this name may be offered and called."""
    if any(fnmatchcase(name, glob) for glob in tools.forbid):
        return False
    return not tools.allow or any(fnmatchcase(name, glob) for glob in tools.allow)


def arguments_valid(tools: Tools, name: str, text: str, *, free: bool = False) -> bool:
    """Whether the JSON text of a call's arguments keeps the tool's schema.

    What is no JSON does not, nor does JSON that names a key twice: which of the two the tool takes is not known here.
    `free` text (the input of a custom tool) that is no JSON is judged as a string.
    """
    if len(text) > MAX_ARGUMENTS:
        return False
    try:
        return valid(tools.arguments[name], json.loads(text, object_pairs_hook=_once))
    except ValueError:
        return free and valid(tools.arguments[name], text)
    except RecursionError:
        return False


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a key came twice")
    return made


def link_taken(links: Links, link: str) -> bool:
    """Whether a link leads where it may not. What names no host is taken: it cannot be vouched for."""
    found = _HOST.match(link)
    host = found.group(1).rstrip(".").lower() if found else ""
    if not host:
        return True
    if any(_hosted(host, wanted) for wanted in links.deny):
        return True
    return bool(links.allow) and not any(_hosted(host, wanted) for wanted in links.allow)


def _hosted(host: str, wanted: str) -> bool:
    wanted = wanted.lower().rstrip(".")
    if "*" in wanted or "?" in wanted:
        return fnmatchcase(host, wanted)
    return host == wanted or host.endswith("." + wanted)
