"""A kept body as a chat: who said what, in order, for every engine's form, streamed or not.

Reading is for showing only, so it is forgiving: what has no known form is shown as the JSON or text it is, never left
out. Nothing here decides anything; the guard read the same bytes with `wire`, which is strict. The trade-off is a
second, smaller reader of bodies, so that the pages work for traces from other connectors too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from akto_proxy.dashboard.assembled import is_assembled, speeches
from akto_proxy.model import Message

MAX_TURNS = 200
MAX_CHARS = 60_000
"""Characters shown of one turn; the raw body below it has the rest."""

_DELTA_KEYS = ("content", "reasoning_content", "reasoning", "text", "response", "generated_text")


@dataclass(frozen=True, slots=True)
class Turn:
    """One speech. `kind` is `text`, `tool` (a call or its arguments) or `data` (JSON, shown in monospace)."""

    role: str
    text: str
    kind: str = "text"
    name: str = ""


def turns(message: Message, role: str) -> tuple[Turn, ...]:
    """The turns of one direction; `role` names who speaks where the body does not say (`user` or `assistant`)."""
    if message.encoding != "text" or not message.body.strip():
        return ()
    body = message.body
    found: list[Turn]
    if _is_stream(body):
        found = _of_stream(body)
    else:
        value = _json(body)
        found = list(_of_value(value, role)) if value is not None else [Turn(role, body)]
    return tuple(_shown(turn) for turn in found[:MAX_TURNS] if turn.text)


def _shown(turn: Turn) -> Turn:
    if len(turn.text) <= MAX_CHARS:
        return turn
    text = turn.text[:MAX_CHARS] + f" … {len(turn.text) - MAX_CHARS} more characters"
    return Turn(turn.role, text, turn.kind, turn.name)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_stream(body: str) -> bool:
    head = body.lstrip()[:7].lower()
    if head.startswith(("data:", "event:", ": ", "id:", "retry:")):
        return True
    lines = body.strip().splitlines()
    return len(lines) > 1 and lines[0].startswith("{") and lines[0].endswith("}") and _json(lines[0]) is not None


def _of_stream(body: str) -> list[Turn]:
    lanes: dict[tuple[str, str], list[str]] = {}
    for line in body.splitlines():
        text = line.removeprefix("data:").strip() if line.startswith("data:") else line.strip()
        event = _json(text) if text.startswith("{") else None
        if isinstance(event, dict):
            for lane, piece in _deltas(event):
                lanes.setdefault(lane, []).append(piece)
    found = [Turn("assistant", "".join(pieces), kind, name) for (kind, name), pieces in lanes.items()]
    return found or [Turn("assistant", body, "data")]


def _deltas(event: dict[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    """The pieces of text of one event with the lane each belongs to."""
    for choice in _dicts(event.get("choices")):
        delta = _dict(choice.get("delta")) or choice
        index = str(choice.get("index") or "")
        yield from _texts(delta, index)
        for call in _dicts(delta.get("tool_calls")):
            function = _dict(call.get("function"))
            lane = ("tool", f"{index}{call.get('index') or ''}")
            yield lane, str(function.get("name") or "") + (" " if function.get("name") else "")
            yield lane, str(function.get("arguments") or "")
    token = event.get("token")
    if isinstance(token, dict) and not token.get("special"):
        yield ("text", ""), str(token.get("text") or "")
    if isinstance(event.get("delta"), dict):
        yield from _texts(event["delta"], str(event.get("index") or ""))
    if isinstance(event.get("error"), dict | str):
        yield ("data", "error"), _error(event["error"])
    if isinstance(event.get("message"), dict) and event.get("type") is None:
        yield from _texts(event["message"], "")
    elif not ({"choices", "token", "delta", "message"} & event.keys()):
        yield from _texts(event, "")


def _texts(value: dict[str, Any], index: str) -> Iterator[tuple[tuple[str, str], str]]:
    for key in _DELTA_KEYS:
        if isinstance(value.get(key), str):
            yield ("text", f"{index}{'thinking' if 'reason' in key else ''}"), value[key]


def _of_value(value: Any, role: str) -> Iterator[Turn]:
    if isinstance(value, str):
        yield Turn(role, value)
        return
    if isinstance(value, list):
        yield from _of_list(value, role)
        return
    if not isinstance(value, dict):
        yield Turn(role, json.dumps(value), "data")
        return
    if is_assembled(value) and (told := list(speeches(value))):
        yield from (Turn("assistant", text, kind, name) for kind, name, text in told)
        return
    reader = next((read for key, read in _FORMS if key in value), None)
    found = list(reader(value, role)) if reader else []
    yield from found or [Turn(role, json.dumps(value, indent=2, ensure_ascii=False), "data")]


def _of_list(value: list[Any], role: str) -> Iterator[Turn]:
    for item in value:
        if isinstance(item, dict) and "generated_text" in item:
            yield from _of_value(item["generated_text"], role)
        elif isinstance(item, str):
            yield Turn(role, item)
        else:
            yield Turn(role, json.dumps(value, indent=2, ensure_ascii=False)[:MAX_CHARS], "data")
            return


def _messages(value: dict[str, Any], role: str) -> Iterator[Turn]:
    system = value.get("system")
    if system:
        yield from _parts(system, "system")
    for message in _dicts(value.get("messages")):
        yield from _message(message, str(message.get("role") or role))


def _message(message: dict[str, Any], role: str) -> Iterator[Turn]:
    for key in ("reasoning_content", "reasoning"):
        if isinstance(message.get(key), str):
            yield Turn(role, message[key], name="thinking")
    yield from _parts(message.get("content"), role, str(message.get("name") or ""))
    for call in _dicts(message.get("tool_calls")):
        function = _dict(call.get("function"))
        arguments = function.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        yield Turn(role, text, "tool", str(function.get("name") or "tool call"))


def _parts(content: Any, role: str, name: str = "") -> Iterator[Turn]:
    if isinstance(content, str):
        yield Turn(role, content, name=name)
        return
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            yield Turn(role, part, name=name)
        elif isinstance(part, dict):
            yield _part(part, role, name)


def _part(part: dict[str, Any], role: str, name: str) -> Turn:
    if isinstance(part.get("text"), str):
        return Turn(role, part["text"], name=name)
    if part.get("type") == "tool_use":
        return Turn(role, json.dumps(part.get("input"), ensure_ascii=False), "tool", str(part.get("name") or ""))
    if part.get("type") == "tool_result":
        content = part.get("content")
        return Turn("tool", content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))
    return Turn(role, f"[{part.get('type') or 'part'} not shown]", "data", name)


def _choices(value: dict[str, Any], role: str) -> Iterator[Turn]:
    for choice in _dicts(value.get("choices")):
        message = choice.get("message")
        if isinstance(message, dict):
            yield from _message(message, str(message.get("role") or "assistant"))
        elif isinstance(choice.get("text"), str):
            yield Turn("assistant", choice["text"])


def _inputs(value: dict[str, Any], role: str) -> Iterator[Turn]:
    content = value.get("inputs", value.get("input"))
    if isinstance(content, str):
        yield Turn(role, content)
    elif isinstance(content, list) and all(isinstance(item, str) for item in content):
        for item in content:
            yield Turn(role, item)
    elif isinstance(content, list):
        yield from _messages({"messages": content}, role)
    elif content is not None:
        yield Turn(role, json.dumps(content, indent=2, ensure_ascii=False), "data")


def _plain(key: str) -> Any:
    def read(value: dict[str, Any], role: str) -> Iterator[Turn]:
        content = value[key]
        if isinstance(content, dict):
            yield from _message(content, str(content.get("role") or role))
        elif isinstance(content, str):
            yield Turn(role, content)
        elif isinstance(content, list):
            yield from _parts(content, role)

    return read


def _refusal(value: dict[str, Any], role: str) -> Iterator[Turn]:
    yield Turn("proxy" if role == "assistant" else role, _error(value["error"]), name="error")


def _error(error: Any) -> str:
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return str(error["message"])
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)


_FORMS = (
    ("messages", _messages),
    ("choices", _choices),
    ("inputs", _inputs),
    ("input", _inputs),
    ("generated_text", _plain("generated_text")),
    ("prompt", _plain("prompt")),
    ("message", _plain("message")),
    ("response", _plain("response")),
    ("content", _plain("content")),
    ("error", _refusal),
    ("text", _plain("text")),
    ("query", _plain("query")),
)
"""The key that tells a form, strongest first, and its reader."""


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
