"""A streamed answer as our proxies keep it, read as speeches: each lane of the stream is one running text.

`exchange.record.assembled` keeps a stream's texts under the names of their places (`/token/text`,
`tool_calls/0/function/arguments`). This is its reader for showing. The trade-off is the same as in `conversation`: a
place that is not known is shown as text rather than left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Speech = tuple[str, str, str]
"""Kind (`text` or `tool`), name (of a tool, or `thinking`), text."""

_REPEATS = ("logprobs", "top_tokens", "completion_probabilities", "meta_info")
"""Parts of places whose texts say again, token by token, what the answer's own place says."""
_IDS = ("/id", "/type", "/role", "/signature", "/index", "/call_id")
_ARGUMENTS = ("/function/arguments", "/function_call/arguments", "/partial_json", "function_call_arguments")
_NAMES = ("/function/name", "/function_call/name", "/content_block/name", "/item/name")


def is_assembled(value: Any) -> bool:
    """Whether this is a stream as a proxy keeps it."""
    return isinstance(value, dict) and value.get("streamed") is True


def speeches(value: dict[str, Any]) -> Iterator[Speech]:
    """What was said, lane by lane, in the order in which the lanes began."""
    names = {_call(place): text for place, text in _lanes(value) if place.endswith(_NAMES)}
    for place, text in _lanes(value):
        if any(part in place for part in _REPEATS) or place.endswith((*_IDS, *_NAMES)):
            continue
        bare = place.removesuffix("/delta")
        if bare.endswith(_ARGUMENTS):
            yield "tool", names.get(_call(bare), ""), text
        else:
            yield "text", "thinking" if "reason" in bare or "think" in bare else "", text
    spoken = {_call(place) for place, _ in _lanes(value) if place.removesuffix("/delta").endswith(_ARGUMENTS)}
    yield from (("tool", name, "{}") for call, name in names.items() if call not in spoken)


def _call(place: str) -> str:
    """What a call's name and its arguments have in common."""
    for end in (*_NAMES, *_ARGUMENTS):
        if place.endswith(end):
            return place.removesuffix(end).removesuffix("/delta")
    return place


def _lanes(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for place, text in value.items():
        if (place.startswith("/") or place == "text") and isinstance(text, str) and text:
            yield place, text
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        message = choice.get("message") if isinstance(choice, dict) else None
        for field, text in message.items() if isinstance(message, dict) else ():
            if field != "role" and isinstance(text, str) and text:
                yield f"/choices/{choice.get('index', 0)}/{field}", text
