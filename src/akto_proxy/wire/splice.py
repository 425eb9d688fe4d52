r"""Put other strings into JSON bytes and leave every other byte as it was.

A body is read as a tree, but written by splicing: string tokens are counted in the order of the document, and the n-th
is replaced. So numbers, white space, key order and untouched strings stay byte for byte, whatever a serialiser of ours
would have made of them. New strings are written in ASCII with `\u` escapes: some clients split lines on a raw U+2028.
What repeats an edited string in another form (its token id, its bytes, the tokens it was chosen from) is emptied.
The price is a pass in Python over the tokens of a body that is edited; clean bodies never come here.
"""

from __future__ import annotations

import json
import re
from typing import Final

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', re.DOTALL)
_SCALAR = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null', re.DOTALL)
_SHADOWS: Final = frozenset(
    b"bytes top_logprobs top_tokens token_ids output_ids prompt_token_ids tokens top_probs output_token_logprobs "
    b"input_token_logprobs output_top_logprobs input_top_logprobs".split()
)

NUMBER: Final = -(1 << 20)
"""In an event, `NUMBER - n` names the number that is the value of the key with ordinal n - 1; `splice` calls it -n."""


def encode(text: str) -> bytes:
    """A JSON string token in ASCII."""
    return json.dumps(text).encode("ascii")


class _Frame:
    """An open object or array: what its next value is called, whether an edit fell inside, what repeats the edit."""

    __slots__ = ("at", "edited", "ids", "is_object", "is_token", "key", "shadows", "start", "wants_key")

    def __init__(self, start: int, is_object: bool) -> None:
        self.start = start
        self.at = 0
        self.is_object = is_object
        self.is_token = False
        self.wants_key = is_object
        self.key = b""
        self.edited = False
        self.shadows: list[tuple[int, int, bytes]] = []
        self.ids: list[tuple[int, int, bytes]] = []


class _Splicer:
    """One pass over the tokens: collects (start, end, new bytes) and applies them at the end."""

    def __init__(self, data: bytes, edits: dict[int, str], shadows: bool) -> None:
        self.data = data
        self.edits = edits
        self.empty = shadows
        self.cuts: list[tuple[int, int, bytes]] = []
        self.frames = [_Frame(0, False)]
        self.ordinal = 0

    def run(self) -> bytes:
        for match in _TOKEN.finditer(self.data):
            first = self.data[match.start()]
            if first == 0x22:
                self._string(match.start(), match.end())
            elif first in b"{[":
                self.frames.append(_Frame(match.start(), first == 0x7B))
            elif first in b"}]":
                self._close(match.end())
            elif first == 0x2C:
                self.frames[-1].wants_key = self.frames[-1].is_object
                self.frames[-1].at += 1
            elif first != 0x3A:
                self._number(match.start(), match.end())
        return _apply(self.data, self.cuts)

    def _string(self, start: int, end: int) -> None:
        frame = self.frames[-1]
        new = self.edits.get(self.ordinal)
        self.ordinal += 1
        if new is not None:
            self.cuts.append((start, end, encode(new)))
            frame.edited = True
        if frame.wants_key:
            frame.key, frame.wants_key = self.data[start + 1 : end - 1], False
            frame.is_token = frame.is_token or frame.key == b"logprob"

    def _number(self, start: int, end: int) -> None:
        frame = self.frames[-1]
        # A number is named after its key: minus the key's ordinal (which is the last one counted), minus one. In a
        # list it is named after its place too.
        new = self.edits.get(-self.ordinal - (0 if frame.is_object else (frame.at + 1) << 32))
        if new is not None:
            self.cuts.append((start, end, encode(new)))
            frame.edited = True
        elif frame.is_object and frame.key == b"id":
            frame.ids.append((start, end, b"0"))

    def _close(self, end: int) -> None:
        frame = self.frames.pop()
        parent = self.frames[-1]
        if frame.is_token:  # only there `id` is a token's number and not somebody's identifier
            frame.shadows += frame.ids
        if self.empty and frame.edited:
            self.cuts += frame.shadows
        elif frame.is_object and parent.is_object:
            parent.shadows += frame.shadows  # `details` beside an edited `generated_text`
        # A list of tokens that was itself edited stays, with its edits; what repeats another string is emptied.
        if not frame.is_object and parent.key in _SHADOWS and not (frame.edited and parent.key == b"tokens"):
            parent.shadows.append((frame.start, end, b"[]"))
        parent.edited = parent.edited or frame.edited


def _apply(data: bytes, cuts: list[tuple[int, int, bytes]]) -> bytes:
    out: list[bytes] = []
    at = 0
    for start, end, new in sorted(cuts, key=lambda cut: (cut[0], -cut[1])):
        if start >= at:  # a cut inside an emptied array is gone with it
            out += (data[at:start], new)
            at = end
    out.append(data[at:])
    return b"".join(out)


def splice(data: bytes, edits: dict[int, str], *, shadows: bool) -> bytes:
    """Replace the n-th string tokens of valid JSON (keys count too), and with `shadows` empty what repeats them.

    A negative number -n means the number that is the value of the key with ordinal n - 1; -n - (k + 1) * 2**32 the
    k-th value of a list that n strings came before.
    """
    return _Splicer(data, edits, shadows).run()


def mend(old: str, new: str) -> str:
    """Make an edited JSON text valid again where a replacement stands in the place of a bare number.

    The text between scalars is looked up in order; a scalar that is no JSON any more becomes a string. Where the
    structure itself was edited the new text is returned as it is.
    """
    out: list[str] = []
    at = here = 0
    scalars = [match.span() for match in _SCALAR.finditer(old)]
    for start, end in [*scalars, (len(old), len(old))]:
        gap = old[here:start]
        last = start == len(old)
        found = len(new) - len(gap) if last and new.endswith(gap) else new.find(gap, at) if gap else at
        if found < 0 or (not out and found):
            return new
        out += (_scalar(new[at:found]), gap)
        at, here = found + len(gap), end
    return "".join(out) if at == len(new) else new


def _scalar(piece: str) -> str:
    return piece if not piece or _SCALAR.fullmatch(piece) else json.dumps(piece)
