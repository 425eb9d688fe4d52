"""Who called: read from the request's head, bounded, and without ever keeping the credential.

The key is a keyed hash of the whole Authorization value, so two callers never share one (a cache keyed by a token's
first characters once let one user into another's session). Names come from headers that callers set themselves:
they label traffic and select policies, they prove nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Protocol

from akto_proxy.exchange.face import Headers
from akto_proxy.model import Caller


class Holder(Protocol):
    """Who holds a key that this proxy issued: what may be believed of a caller, unlike its headers."""

    @property
    def id(self) -> str:
        """The key's public name."""
        ...

    @property
    def team(self) -> str:
        """The team it was issued to."""
        ...

    @property
    def user(self) -> str:
        """The user it was issued to; empty: the caller's own word counts."""
        ...


LONGEST = 128
"""Characters of a caller-set value that are kept: enough for a UUID or an e-mail, too few to smuggle a body."""

_FIELDS: dict[bytes, str] = {
    b"x-user-id": "user",
    b"x-akto-installer-user_email": "user",
    b"x-team-id": "team",
    b"x-agent-id": "agent",
    b"x-agent-name": "agent",
    b"x-session-id": "session",
    b"x-conversation-id": "session",
    b"x-akto-installer-akto_session_id": "session",
}
_CREDENTIAL = "credential"
_FORWARDED = "forwarded"
_READ = {
    **_FIELDS,
    **dict.fromkeys((b"authorization", b"x-api-key", b"api-key"), _CREDENTIAL),
    b"x-forwarded-for": _FORWARDED,
}
"""What a header says of its caller: a field, or one of the two words above."""


class Callers:
    """Makes a Caller of a request head.

    Args:
        key: secret of this deployment that the credential is hashed with.
        trusted: networks whose `X-Forwarded-For` is believed.
        holder: who holds the key in a credential's header, where this proxy issues keys.
    """

    def __init__(
        self, key: bytes, trusted: Sequence[str] = (), holder: Callable[[bytes], Holder | None] | None = None
    ) -> None:
        self._holder = holder
        self._key = key
        self._trusted = tuple(ip_network(entry, strict=False) for entry in trusted)
        self._hashes: dict[bytes, str] = {}

    def read(self, headers: Headers, ip: str) -> Caller:
        """The caller of a request with these headers from peer address `ip`."""
        found = {"ip": ip}
        credential = b""
        for name, value in headers:
            what = _READ.get(name.lower())
            if what is None:
                continue
            if what == _CREDENTIAL:
                credential = credential or value
                found.setdefault("key", self._hash(value))
            elif what == _FORWARDED:
                found["ip"] = self._forwarded(value, found["ip"])
            else:
                found.setdefault(what, printable(value))
        caller = Caller(**found)
        return caller if self._holder is None else _believed(caller, self._holder(credential))

    def _hash(self, credential: bytes) -> str:
        known = self._hashes.get(credential)
        if known is None:
            if len(self._hashes) >= 4096:  # callers may send a new token each time: the cache must not grow with them
                self._hashes.clear()
            known = hmac.new(self._key, credential, sha256).hexdigest()[:16]
            self._hashes[credential] = known
        return known

    def _forwarded(self, value: bytes, peer: str) -> str:
        """The nearest hop that is not one of our own proxies; each entry is believed only if the next one is ours."""
        ip = peer
        for hop in reversed(value.decode("latin-1").split(",")):
            if not self._is_trusted(ip):
                break
            try:
                ip = str(ip_address(hop.strip()))
            except ValueError:
                break
        return ip

    def _is_trusted(self, ip: str) -> bool:
        try:
            address = ip_address(ip)
        except ValueError:
            return False
        return any(address in network for network in self._trusted)


def _believed(caller: Caller, holder: Holder | None) -> Caller:
    """The caller as its key says; without a key that is known it belongs to no team, whatever it writes."""
    if holder is None:
        return replace(caller, team="")
    return replace(caller, key=holder.id, team=holder.team, user=holder.user or caller.user)


def printable(value: bytes) -> str:
    """A caller-set header value as bounded, printable text."""
    text = value[: LONGEST * 4].decode("utf-8", "replace")[:LONGEST]
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)
