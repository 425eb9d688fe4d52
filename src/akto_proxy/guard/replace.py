"""What stands in place of redacted text: a label, a mask, a keyed hash, a token that can be turned back, a surrogate.

All are a function of the text and a key handed in, so the same value is replaced alike wherever it occurs and a model
can still tell two values apart. Trade-off: that equality is visible too; the key makes it useless outside this
deployment, and label, mask and remove do not show it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

from akto_proxy.guard.surrogate import surrogate

KINDS = ("label", "mask", "hash", "token", "surrogate", "remove")
_SHOWN = 4  # characters a mask leaves, where at least twice as many stay hidden or the text is an 8-digit number
_TOKEN = 10  # letters of a token's own part: 50 bits, so that two values of one deployment do not meet
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def replace(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    """`text` with each span (start, end, what stands there instead) replaced. Spans do not overlap."""
    parts: list[str] = []
    at = 0
    for start, end, instead in sorted(spans):
        parts += (text[at:start], instead)
        at = max(at, end)
    parts.append(text[at:])
    return "".join(parts)


class Vault:
    """The tokens given out to one caller and what they stand for. Keeps `limit` at most; what does not fit counts."""

    def __init__(self, limit: int = 4096) -> None:
        self._limit = limit
        self._texts: dict[str, str] = {}
        self.dropped = 0

    def put(self, token: str, text: str) -> bool:
        """Remember a token; false when the vault is full."""
        if token not in self._texts and len(self._texts) >= self._limit:
            self.dropped += 1
            return False
        self._texts[token] = text
        return True

    def get(self, token: str) -> str | None:
        """What a token stands for."""
        return self._texts.get(token)

    def __len__(self) -> int:
        return len(self._texts)


class Replacer:
    """Renders replacements under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def render(self, kind: str, entity: str, text: str, vault: Vault | None = None) -> str:
        """What stands in place of `text`; a token can be turned back only through the `vault` it was put into."""
        if kind == "remove":
            return ""
        if kind == "mask":
            return mask(text)
        if kind == "hash":
            return f"<{entity}:{self._digest(entity, text).hex()[:12]}>"
        if kind == "token":
            return self._token(entity, text, vault)
        if kind == "surrogate":
            return surrogate(self._key, entity, text)
        return f"<{entity}>"

    def _token(self, entity: str, text: str, vault: Vault | None) -> str:
        digest = self._digest("token:" + entity, text)
        token = f"<{entity}_{''.join(_LETTERS[byte & 31] for byte in digest[:_TOKEN])}>"
        if vault is not None and not vault.put(token, text):
            return f"<{entity}>"
        return token

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self._key, f"{purpose}\0{text}".encode("utf-8", "replace"), hashlib.sha256).digest()


def mask(text: str) -> str:
    """Letters and digits as `*`; the last four stay where there are at least eight of them."""
    places = [place for place, char in enumerate(text) if char.isalnum()]
    shown = set(places[-_SHOWN:]) if len(places) >= 2 * _SHOWN else set()
    hidden = set(places) - shown
    return "".join("*" if place in hidden else char for place, char in enumerate(text))
