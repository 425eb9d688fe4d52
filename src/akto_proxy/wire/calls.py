"""Tool calls whose arguments are a JSON object and not JSON text: Anthropic's `input`, Ollama's `arguments`.

Their strings are read like all others; here each call's arguments are given whole, because a schema is about the whole.
The price is a second walk over the tree, paid only where a policy has a schema for some tool's arguments.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from akto_proxy.model import Direction, Role, Segment
from akto_proxy.wire.tables import KEY_ROLES, KEYS
from akto_proxy.wire.tree import Pairs, role_of

MAX_CALLS: Final = 4_096
_HOLDERS: Final = ("arguments", "input")
_INDEXED: Final = frozenset(("choices", "tool_calls"))


def calls(tree: Any, direction: Direction, *, streamed: bool = False) -> list[Segment]:
    """The arguments of each call, as JSON text, at the place where they stand; those that are JSON text are left out.

    Where a key came twice in the arguments the text is empty, which is no JSON: nobody knows which of the two counts.
    `streamed` names places as events do, by the index that an item of `choices` and `tool_calls` gives itself.
    """
    found: list[Segment] = []
    _walk(tree, "", Role.USER if direction is Direction.REQUEST else Role.ASSISTANT, (direction, streamed), found)
    return found


def _walk(node: Any, path: str, role: Role, how: tuple[Direction, bool], found: list[Segment], key: str = "") -> None:
    # The tree was read before, which refuses one that is too deep to walk.
    if type(node) is list:
        for at, child in enumerate(node):
            if how[1] and key in _INDEXED and type(child) is dict and type(child.get("index")) is int:
                at = child["index"]
            _walk(child, f"{path}/{at}", role, how, found)
    elif type(node) is dict or type(node) is Pairs:
        whole = dict(node)
        role = role_of(whole, role) if "role" in whole or "type" in whole else role
        for name, value in node.items() if type(node) is dict else node:
            if type(value) not in (dict, list, Pairs):
                continue
            place = f"{path}/{name if name in KEYS else '*'}"
            if name in _HOLDERS and type(whole.get("name")) is str and len(found) < MAX_CALLS:
                found.append(Segment(_text(value), place, role, how[0]))
            else:
                _walk(value, place, KEY_ROLES.get(name, role), how, found, name)


def _text(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # `Pairs` within
        return ""
