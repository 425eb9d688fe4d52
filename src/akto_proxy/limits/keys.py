"""Managed keys in force: one look in a table says whose key a request carries and whether it may pass.

The table is memory and is replaced whole when its file changes, so a check costs a hash and a look-up and asks nobody.
The caller's key ends here: what goes upstream carries the endpoint's own token instead, under every name a credential
can have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256

from akto_proxy.config.managed import ManagedKey
from akto_proxy.model import Caller

Headers = list[tuple[bytes, bytes]]
CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"api-key"))
_LONGEST = 256
"""Bytes of a credential that could be a key of ours; a longer one is not hashed."""


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a call may not pass: HTTP status, a stable word, and a sentence for the caller."""

    status: int
    reason: str
    message: str


MISSING = Denied(401, "key_missing", "A key of this proxy is needed: Authorization: Bearer akto-...")
UNKNOWN = Denied(401, "key_unknown", "This key is not known here, or was revoked. Ask for another one.")
EXPIRED = Denied(401, "key_expired", "This key has expired. Ask for another one.")


class KeyRing:
    """The keys in force.

    Args:
        keys: all keys, the dead ones too.
        now: Unix seconds.
    """

    def __init__(self, keys: Sequence[ManagedKey], now: Callable[[], float]) -> None:
        self._now = now
        self.replace(keys)

    def replace(self, keys: Sequence[ManagedKey]) -> None:
        """Use other keys from now on."""
        alive = [key for key in keys if not key.revoked]
        self._by_digest = {bytes.fromhex(key.digest): key for key in alive}
        self._by_id = {key.id: key for key in alive}

    def __len__(self) -> int:
        return len(self._by_id)

    def identity(self, credential: bytes) -> ManagedKey | None:
        """Whose key this header value is (`Bearer ` before it or not)."""
        text = credential[7:].strip() if credential[:7].lower() == b"bearer " else credential
        return self._by_digest.get(sha256(text).digest()) if len(text) <= _LONGEST else None

    def check(self, headers: Headers, endpoint: str) -> Denied | None:
        """Why a request with these headers may not go to `endpoint`, None when it may. The first credential counts."""
        for name, value in headers:
            if name.lower() in CREDENTIALS:
                return self._judge(self.identity(value), endpoint)
        return MISSING

    def _judge(self, key: ManagedKey | None, endpoint: str) -> Denied | None:
        if key is None:
            return UNKNOWN
        if key.expires and self._now() >= key.expires:
            return EXPIRED
        if key.endpoints and not any(fnmatchcase(endpoint, glob) for glob in key.endpoints):
            return Denied(403, "key_scope", "This key is not for this endpoint.")
        return None

    def permit(self, caller: Caller, model: str, *, asks: bool) -> str:
        """Why the caller's key may not use this model, "" when it may; `asks` says whether the call has a body.

        A body that names no model gets the endpoint's own, which nobody here can tell, so a key for some models only
        may not send it.
        """
        key = self._by_id.get(caller.key)
        if key is None:
            return UNKNOWN.message  # revoked since the door let it in
        if not key.models or not (asks or model):
            return ""
        if model and any(fnmatchcase(model, glob) for glob in key.models):
            return ""
        return "This key is not for this model." if model else "This key is for some models only: name one of them."


def exchanged(headers: Headers, token: bytes) -> Headers:
    """The headers for upstream: no credential of the caller, and the endpoint's token (b"" for none)."""
    kept = [pair for pair in headers if pair[0].lower() not in CREDENTIALS]
    if token:
        kept.append((b"authorization", b"Bearer " + token))
    return kept
