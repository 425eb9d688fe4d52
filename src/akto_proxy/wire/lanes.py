"""Read one JSON event of a stream: which strings are pieces of a running text (lanes), which stand alone.

Every string of the event is read. A table of places says only which are deltas: pieces of one text, joined over the
events in a lane named after its choice, tool call or content part. A string outside that table stands alone, as the
whole text does that several engines repeat in their last event.
"""

from __future__ import annotations

import re
from typing import Any, Final

from akto_proxy.errors import BodyError
from akto_proxy.wire.splice import NUMBER
from akto_proxy.wire.tables import KEYS, QUIET, SPOKEN_KEYS, quiet
from akto_proxy.wire.tree import MAX_DEPTH, Pairs, digits

Piece = tuple[str, str, "str | None", int]
"""Text, place, lane or None, ordinal of the string token in the event (`NUMBER - n`: the number behind the n-th)."""

_INDEXED: Final = frozenset(("choices", "tool_calls"))
_FLAT: Final = frozenset(
    ["tokens", "content", "refusal", "completion_probabilities", "output_token_logprobs", "input_token_logprobs"]
)
_LANE: Final = re.compile(
    r"/choices/\d+(?:/delta(?:/.*)?|/text|/logprobs/(?:tokens|.*/token)|/reasoning(?:_content)?)"
    r"|/token/text|/top_tokens/\d+/text|/delta(?:/.*)?|/(?:content|response|thinking|answer|output|completion)"
    r"|/message/(?:content|thinking|reasoning|reasoning_content)|/completion_probabilities/.*token"
    r"|/meta_info/\w+_token_logprobs|(?:/\d+)+/(?:response|transcript)\.[\w.]+(?:/delta|/logprobs/.*token)"
    r"|(?:/\d+)+/delta/\w+|/content_block/(?:text|thinking)|(?:/\d+)+/content_block/(?:text|thinking)"
)
_EVENT: Final = re.compile(r"(?:response|transcript)\.[a-z_.]{1,60}")
_MAX_PLACES: Final = 4096
_MAX_TRUSTED: Final = 64


class Lanes:
    """The reader of one stream's JSON events; it remembers what the stream has said so far, within limits."""

    __slots__ = ("_lanes", "_settled", "_trusted", "finish_reason")

    def __init__(self) -> None:
        self._lanes: dict[str, str | None] = {}
        self._trusted: set[str] = set()
        self._settled: dict[str, str] = {}
        self.finish_reason = ""

    def trust(self, text: str) -> None:
        """This text was checked and is clean: as a model name, a fingerprint or a field's name it is not read again."""
        if len(self._trusted) < _MAX_TRUSTED and len(text) <= 256:
            self._trusted.add(text)

    def read(self, tree: Any) -> list[Piece]:
        """The pieces of one event."""
        self.finish_reason = ""
        pieces: list[Piece] = []
        kind = type(tree)
        if kind is dict:
            self._object(tree, tree.items(), _root(tree), 0, 0, pieces)
        else:
            self._value(tree, "", "", 0, 0, pieces)
        return pieces

    def _value(self, node: Any, key: str, path: str, n: int, depth: int, pieces: list[Piece]) -> int:
        kind = type(node)
        if kind is dict:
            return self._object(node, node.items(), path, n, depth + 1, pieces)
        if kind is str:
            if node:
                pieces.append((node, path, self.lane(path), n))
            return n + 1
        if kind is list:
            return self._array(node, key, path, n, depth + 1, pieces)
        if kind is Pairs:
            return self._object(dict(node), node, path, n, depth + 1, pieces)
        return n

    def _object(self, node: dict[str, Any], items: Any, path: str, n: int, depth: int, pieces: list[Piece]) -> int:
        if depth > MAX_DEPTH:
            raise BodyError("an event is nested too deeply", reason="depth")
        settled = self._settled
        for key, value in items:
            n += 1
            inner = type(value)
            if inner is str:
                if settled.get(value) != key:
                    self._string(key, value, path, n, pieces)
                n += 1
            elif key not in KEYS:
                n = self._unknown(key, value, path, n, depth, pieces)
            elif inner is dict or inner is list or inner is Pairs:
                n = self._value(value, key, f"{path}/{key}", n, depth, pieces)
            elif (inner is int or inner is float) and key in SPOKEN_KEYS:
                _number(value, f"{path}/{key}", n, pieces)
        return n

    def _string(self, key: str, value: str, path: str, n: int, pieces: list[Piece]) -> None:
        code = KEYS.get(key)
        if code == 0:
            if value:
                place = f"{path}/{key}"
                pieces.append((value, place, self.lane(place), n))
        elif code is None:
            if key not in self._trusted:
                pieces.append((key, f"{path}/*key", None, n - 1))
            if value:
                pieces.append((value, f"{path}/*", self.lane(f"{path}/*"), n))
        elif (value not in self._trusted) if code == QUIET else not quiet(code, value):
            pieces.append((value, f"{path}/{key}", None, n))
        elif key == "finish_reason":
            self.finish_reason = value
        elif len(self._settled) < _MAX_TRUSTED:
            self._settled[value] = key  # the same id comes with every event: look at it once

    def _unknown(self, key: str, value: Any, path: str, n: int, depth: int, pieces: list[Piece]) -> int:
        if key not in self._trusted and not (key.isdigit() and len(key) < 7):
            pieces.append((key, f"{path}/*key", None, n - 1))
        if type(value) is int or type(value) is float:
            _number(value, f"{path}/*", n, pieces)
            return n
        return self._value(value, key, f"{path}/*", n, depth, pieces)

    def _array(self, node: list[Any], key: str, path: str, n: int, depth: int, pieces: list[Piece]) -> int:
        if depth > MAX_DEPTH:
            raise BodyError("an event is nested too deeply", reason="depth")
        if key in _FLAT and ("/logprobs" in path or "prob" in key):
            for child in node:
                n = self._value(child, key, path, n, depth, pieces)
            return n
        indexed = key in _INDEXED
        for at, child in enumerate(node):
            if indexed and type(child) is dict and type(child.get("index")) is int:
                at = child["index"]
            n = self._value(child, "", f"{path}/{at}", n, depth, pieces)
        return n

    def lane(self, place: str) -> str | None:
        """The lane of a place: its own name when pieces are joined there."""
        try:
            return self._lanes[place]
        except KeyError:
            lane = place if _LANE.fullmatch(place) else None
            if len(self._lanes) < _MAX_PLACES:
                self._lanes[place] = lane
            return lane


def _number(value: float, place: str, n: int, pieces: list[Piece]) -> None:
    text = digits(value)
    if text:
        pieces.append((text, place, None, NUMBER - n))


def _root(tree: dict[str, Any]) -> str:
    """Events of /v1/responses and of Anthropic say beside the delta which part it belongs to."""
    kind = tree.get("type")
    if type(kind) is not str:
        return ""
    if kind.startswith(("response.", "transcript.")):
        parts = (tree.get("output_index"), tree.get("content_index"), tree.get("summary_index"))
        name = kind.removesuffix(".delta") if _EVENT.fullmatch(kind) else "response.other"
        return "".join(f"/{part}" if type(part) is int else "/0" for part in parts) + f"/{name}"
    index = tree.get("index")
    return f"/{index}" if type(index) is int else ""
