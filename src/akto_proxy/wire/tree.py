"""Read JSON: a tree with every duplicate key kept, and every string of it as a leaf with its place and role.

A reader behind us may take the first of two equal keys while we take the last, so a tree that had duplicates holds
`Pairs` in place of a dict, and both values are read. Most bodies are exactly what our own serialiser would write, so
`dumps(tree) == data` proves in half a microsecond that nothing was lost; else the keys are counted in the bytes; only
a body that fails both is parsed again by a parser that shows each pair.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

from akto_proxy.errors import BodyError
from akto_proxy.model import Role
from akto_proxy.wire import splice
from akto_proxy.wire.tables import (
    ADDRESS_KEYS,
    ENCODED,
    HEADS,
    KEY_ROLES,
    KEYS,
    ROLES,
    SPOKEN_KEYS,
    TOKEN_KEYS,
    TOKEN_LISTS,
    TYPE_ROLES,
    is_base64,
    is_encoded_text,
    media_type,
    quiet,
)

Leaf = tuple[str, str, Role, int]
"""Text, place, role, and the ordinal of its string token (negative: the number behind the key of that ordinal)."""

MAX_DEPTH: Final = 64
MAX_ELEMENTS: Final = 200_000
_MAX_SEARCH: Final = 10_000_000
_MAX_NESTING: Final = 3  # JSON in a string in JSON in a string
_LONG_NUMBER: Final = 9_999_999  # shorter numbers are no card, phone or account number
_WITHHELD: Final = "[REDACTED]"
_LARGE: Final = 1 << 20
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_IN_LIST: Final = 1 << 32
"""A number in a list is named by its place there, times this, and the count of strings before it, negative."""


class Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object in which some key came twice: its pairs in the order of the document."""

    __slots__ = ()


def parse(data: bytes) -> tuple[Any, bool]:
    """The tree of a JSON text, with `Pairs` where keys came twice, and whether any did.

    Raises:
        ValueError: it is not JSON.
        BodyError: it is nested too deeply.
    """
    if len(data) > _LARGE:
        _check_structure(data)
    try:
        tree = orjson.loads(data)
        if orjson.dumps(tree) == data.strip() or _marks(data) == _keys(tree, 0):
            return tree, False
    except orjson.JSONDecodeError:
        pass  # our parser is stricter than some engines': NaN, lone surrogates
    tree = _parse_exactly(data)
    return tree, has_duplicates(tree)


def _check_structure(data: bytes) -> None:
    """Millions of empty lists in a large body would cost thirty times its size as objects: count before parsing."""
    most = 2 * MAX_ELEMENTS
    if data.count(b"[") + data.count(b"{") > most or data.count(b",") > 10 * most:
        bare = _STRING.sub(b"", data)
        if bare.count(b"[") + bare.count(b"{") > most or bare.count(b",") > 10 * most:
            raise BodyError(f"the body has more than {most} elements", reason="elements", status=413)


def _marks(data: bytes) -> int:
    """At least the number of keys in the source: each is followed by `":` once white space is gone."""
    return data.translate(None, b" \t\r\n").count(b'":')


def _keys(node: Any, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if type(node) is dict:
        return len(node) + sum(_keys(child, depth + 1) for child in node.values() if type(child) in _CONTAINERS)
    if type(node) is list:
        return sum(_keys(child, depth + 1) for child in node if type(child) in _CONTAINERS)
    return 0


def _parse_exactly(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except RecursionError:
        raise _too_deep() from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Pairs:
    tree = dict(pairs)
    return tree if len(tree) == len(pairs) else Pairs(pairs)


def has_duplicates(tree: Any) -> bool:
    """True when some object of the tree had a key twice."""
    if type(tree) is Pairs:
        return True
    children = tree.values() if type(tree) is dict else tree if type(tree) is list else ()
    return any(has_duplicates(child) for child in children)


def _too_deep() -> BodyError:
    return BodyError(f"the body is nested more than {MAX_DEPTH} levels deep", reason="depth")


_CONTAINERS: Final = frozenset((dict, list, Pairs))


class Reading:
    """The leaves of one JSON text, and how to write it again with other leaves."""

    __slots__ = (
        "data",
        "elements",
        "joined",
        "keys",
        "leaves",
        "media",
        "nested",
        "nesting",
        "shadows",
        "tails",
        "tokens",
    )

    def __init__(self, data: bytes, tree: Any, role: Role, *, shadows: bool = False, nesting: int = 0) -> None:
        self.data = data
        self.leaves: list[Leaf] = []
        self.keys: dict[int, str] = {}
        self.media: list[str] = []
        self.tokens = ""
        self.shadows = shadows
        self.nesting = nesting
        self.elements = 0
        self.tails: dict[int, str] = {}
        self.joined: dict[int, list[int]] = {}
        self.nested: dict[int, Reading] = {}
        self._value(tree, "", "", role, 0, 0)
        if b"\\" in data and b"\\u" in data:  # the first is six times as fast, and nearly always the answer
            self.leaves = [(_sound(text), place, role, n) for text, place, role, n in self.leaves]

    def _value(self, node: Any, key: str, path: str, role: Role, n: int, depth: int) -> int:
        """Read one value; n counts the string tokens before it. Returns the count behind it."""
        kind = type(node)
        if kind is dict:
            return self._object(node, node.items(), path, role, n, depth + 1)
        if kind is str:
            self._text(node, key, path, role, n)
            return n + 1
        if kind is list:
            return self._array(node, key, path, role, n, depth + 1)
        if kind is Pairs:
            return self._object(dict(node), node, path, role, n, depth + 1)
        return n

    def _object(self, node: dict[str, Any], items: Any, path: str, role: Role, n: int, depth: int) -> int:
        self.elements += len(items)
        if depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise self._excess(depth)
        if "role" in node or "type" in node:
            role = role_of(node, role)
        for key, value in items:
            n += 1
            inner = type(value)
            if key not in KEYS:
                n = self._unknown(key, value, path, role, n, depth)
            elif inner is str:
                self._known(key, value, path, KEY_ROLES.get(key, role), n)
                n += 1
            elif inner is dict or inner is list or inner is Pairs:
                n = self._value(value, key, f"{path}/{key}", KEY_ROLES.get(key, role), n, depth)
            elif (inner is int or inner is float) and key in SPOKEN_KEYS:
                self._number(value, f"{path}/{key}", role, -n)
        return n

    def _number(self, value: float, path: str, role: Role, ordinal: int) -> None:
        text = digits(value)
        if text:
            self.leaves.append((text, path, role, ordinal))

    def _known(self, key: str, value: str, path: str, role: Role, n: int) -> None:
        """A string in a field that some protocol knows."""
        kind = KEYS[key]
        if kind and quiet(kind, value):
            if kind == ENCODED and key in _OPAQUE:
                self.tokens = self.tokens or _OPAQUE[key]
        elif value:
            head = value[:6]
            if head[0] in _OPENERS or ":" in head or head[:5] in HEADS:
                self._text(value, key, f"{path}/{key}", role, n)
            else:
                self.leaves.append((value, f"{path}/{key}", role, n))

    def _unknown(self, key: str, value: Any, path: str, role: Role, n: int, depth: int) -> int:
        """A field that no protocol knows: its name is text, and so is a long number in it.

        The name is not part of any place, because places are logged.
        """
        if not (key.isdigit() and len(key) < 7):  # vLLM names tokens by their number
            self._text(key, "", f"{path}/*key", role, n - 1)
        before = len(self.leaves)
        if type(value) is int or type(value) is float:
            self._number(value, f"{path}/*", role, -n)
        else:
            n = self._value(value, "", f"{path}/*", role, n, depth)
        if type(value) is not dict and type(value) is not Pairs:
            self._name(key, f"{path}/*", before)
        return n

    def _name(self, key: str, path: str, before: int) -> None:
        """Keep what the field of the latest leaves is called: of a string or number in it, and of those in its list."""
        for at in range(before, len(self.leaves)):
            place = self.leaves[at][1]
            if place == path or place.rpartition("/")[0] == path:
                self.keys.setdefault(at, key)

    def _array(self, node: list[Any], key: str, path: str, role: Role, n: int, depth: int) -> int:
        kinds = set(map(type, node))
        if int in kinds and key in TOKEN_KEYS:
            self.tokens = self.tokens or "token_ids"
        if kinds <= _NUMBERS:
            if int in kinds and not _are_short(node, kinds):
                self._numbers(node, path, role, n)
            return n
        self.elements += len(node)
        if depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise self._excess(depth)
        before = len(self.leaves)
        for at, child in enumerate(node):
            if type(child) is int:
                self._number(child, f"{path}/{at}", role, -n - (at + 1) * _IN_LIST)
            else:
                n = self._value(child, key, f"{path}/{at}", role, n, depth)
        if key in TOKEN_LISTS and len(self.leaves) > before + 1 and _are_tokens(node, key):
            self._join(before, path)
        return n

    def _numbers(self, node: list[Any], path: str, role: Role, n: int) -> None:
        """The long ones of a list of numbers."""
        for at, child in enumerate(node):
            if type(child) is int:
                self._number(child, f"{path}/{at}", role, -n - (at + 1) * _IN_LIST)

    def _join(self, before: int, path: str) -> None:
        """Make one leaf of the tokens of a list: a secret is spread over several of them."""
        tokens = [leaf for leaf in self.leaves[before:] if "/top_" not in leaf[1][len(path) :]]
        others = [leaf for leaf in self.leaves[before:] if "/top_" in leaf[1][len(path) :]]
        self.leaves[before:] = others
        self.keys = {at: key for at, key in self.keys.items() if at < before}  # the others have moved
        self.joined[len(self.leaves)] = [leaf[3] for leaf in tokens]
        self.leaves.append(("".join(leaf[0] for leaf in tokens), path, Role.ASSISTANT, -1))

    def _excess(self, depth: int) -> BodyError:
        if depth > MAX_DEPTH:
            return _too_deep()
        return BodyError(f"the body has more than {MAX_ELEMENTS} elements", reason="elements", status=413)

    def _text(self, value: str, key: str, path: str, role: Role, n: int) -> None:
        if value[:5].lower() in _HEADS_LOWER and self._medium(value, key, path, role, n):
            return
        if not value:
            return
        index = len(self.leaves)
        self.leaves.append((value, path, role, n))
        if value[:1] in _OPENERS and "\\" in value and self.nesting < _MAX_NESTING:
            self._inner(value, index, path, role)

    def _medium(self, value: str, key: str, path: str, role: Role, n: int) -> bool:
        """A data URL (only its head is text), base64 of a medium (no text), or an address that may be fetched."""
        lower = value[:5].lower()
        if lower == "data:":
            return self._data_url(value, path, role, n)
        if lower in _ADDRESSES:
            if key in ADDRESS_KEYS:
                self.media.append(value)
            return False
        kind = media_type(value)
        if kind:
            self.media.append(f"data:{kind};base64,")
        return bool(kind)

    def _data_url(self, value: str, path: str, role: Role, n: int) -> bool:
        head, comma, payload = value.partition(",")
        textual = head[5:10].lower() == "text/" or "json" in head or "xml" in head
        if not comma or not head.lower().endswith(";base64") or textual or not is_base64(payload):
            return False
        if is_encoded_text(payload):
            return False
        self.media.append(head + ",")
        self.tails[len(self.leaves)] = "," + payload
        self.leaves.append((head, path, role, n))
        return True

    def _inner(self, value: str, index: int, path: str, role: Role) -> None:
        """JSON in a string: what its escapes hide from a reader of the string is read by itself."""
        try:
            data = value.encode()
            inner = Reading(data, parse(data)[0], role, nesting=self.nesting + 1)
        except ValueError:
            return
        self.nested[index] = inner
        search = len(value) * len(inner.leaves) < _MAX_SEARCH  # a larger one is read whole instead of searched
        for at, (text, place, _, _) in enumerate(inner.leaves):
            if not search or text not in value:
                if at in inner.keys:
                    self.keys[len(self.leaves)] = inner.keys[at]
                self.leaves.append((text, f"{path}#{place}", role, at))
                self.nested[len(self.leaves) - 1] = inner

    def write(self, edits: dict[int, str]) -> bytes:
        """The JSON text with other leaves, keyed by their index in `leaves`."""
        own: dict[int, str] = {}
        inner: dict[int, dict[int, str]] = {}
        outer = self._outer()
        for index, new in edits.items():
            if index in self.nested and outer[id(self.nested[index])] != index:
                inner.setdefault(outer[id(self.nested[index])], {})[self.leaves[index][3]] = new
            else:
                own[index] = new + self.tails.get(index, "")
        for index in {*inner, *(own.keys() & self.nested.keys())}:
            own[index] = self.nested[index].merged(own.get(index), inner.get(index, {}))
        for index, new in own.items():
            own[index] = _mended(self.leaves[index][0], new)
        ordinals: dict[int, str] = {}
        for index, new in own.items():
            first, *rest = self.joined.get(index) or [self.leaves[index][3]]
            ordinals.update(dict.fromkeys(rest, ""))
            ordinals[first] = new
        return splice.splice(self.data, ordinals, shadows=self.shadows)

    def _outer(self) -> dict[int, int]:
        """For each nested reading the index of the string it is in: the first that was filed under it."""
        outer: dict[int, int] = {}
        for index, reading in self.nested.items():
            outer.setdefault(id(reading), index)
        return outer

    def merged(self, text: str | None, edits: dict[int, str]) -> str:
        """This text after `edits` of its leaves, and, when the whole was edited to `text` too, both together.

        A leaf that both changed is withheld, because neither edit alone is known to be enough.
        """
        if text is None:
            return self.write(edits).decode()
        if not edits:
            return text
        try:
            data = text.encode()
            other = Reading(data, parse(data)[0], Role.USER, nesting=self.nesting)
        except ValueError:
            return _WITHHELD
        if len(other.leaves) != len(self.leaves):
            return _WITHHELD
        both = {at: new if other.leaves[at][0] == self.leaves[at][0] else _WITHHELD for at, new in edits.items()}
        return other.write(both).decode()


_NUMBERS: Final = frozenset((int, float, bool, type(None)))
_OPENERS: Final = frozenset("{[")
_ADDRESSES: Final = frozenset(("http:", "https", "file:"))
_HEADS_LOWER: Final = frozenset(head.lower() for head in HEADS)
_OPAQUE: Final = {"file_data": "document", "prompt_embeds": "embeddings", "input_embeds": "embeddings"}


def digits(value: float) -> str:
    """A number long enough for a card or a phone as the text of its digits, "" for any other."""
    return str(int(value)) if abs(value) > _LONG_NUMBER and value == value // 1 else ""


def _are_short(node: list[Any], kinds: set[type]) -> bool:
    """No number is long: embeddings and token ids are thousands of numbers, so this is asked of all at once."""
    return type(None) not in kinds and min(node) >= -_LONG_NUMBER and max(node) <= _LONG_NUMBER


def _sound(text: str) -> str:
    """A lone surrogate (half of a character, by a JSON escape) becomes U+FFFD, so that every text can be encoded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def _are_tokens(node: list[Any], key: str) -> bool:
    """Tokens as strings, as objects with their `logprob`, or as SGLang's [logprob, id, text]."""
    first = node[0]
    if type(first) is dict:
        return "logprob" in first
    return key == "tokens" if type(first) is str else key.endswith("_token_logprobs")


def role_of(node: dict[str, Any], role: Role) -> Role:
    """Who an object speaks for, by its `role` or `type`; `role` where it does not say."""
    said = node.get("role")
    if type(said) is str and said in ROLES:
        return ROLES[said]
    kind = node.get("type")
    return TYPE_ROLES.get(kind, role) if type(kind) is str else role


def _mended(old: str, new: str) -> str:
    if old[:1] not in _OPENERS or not _is_json(old) or _is_json(new):
        return new
    return splice.mend(old, new)


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
