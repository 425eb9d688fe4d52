"""What the dashboard asks of the parts it is joined with, beside the TraceStore: small Protocols and plain records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. `source` is `local` (has a password here) or `oidc`."""

    name: str
    role: str
    password: str = ""
    source: str = "local"
    disabled: bool = False
    created: float = 0.0
    seen: float = 0.0


@dataclass(frozen=True, slots=True)
class AuditNote:
    """One line of the audit log: who did what to what, from where. Never holds protected text."""

    at: float
    actor: str
    action: str
    subject: str = ""
    detail: str = ""
    ip: str = ""


class Accounts(Protocol):
    """People and the log of what they did."""

    def people(self) -> Sequence[Person]:
        """Everybody, by name."""
        ...

    def person(self, name: str) -> Person | None:
        """One account, by its exact name."""
        ...

    def keep_person(self, person: Person) -> None:
        """Add or replace by name."""
        ...

    def note(self, note: AuditNote) -> None:
        """Append to the audit log."""
        ...


@dataclass(frozen=True, slots=True)
class ProxyHealth:
    """What one proxy says of itself. `lag` is the number of traces on its disk that were not shipped yet."""

    name: str
    seen: float
    version: str = ""
    policy_version: str = ""
    lag: int = 0
    lag_seconds: float = 0.0
    dropped: int = 0


class Health(Protocol):
    """Where the state of proxies and shippers comes from."""

    def proxies(self) -> Sequence[ProxyHealth]:
        """All known, by name."""
        ...
