"""What the dashboard asks of parts that it does not know by type. Stores have their own faces in `store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from akto_proxy.config.managed import ManagedKey


class Notifier(Protocol):
    """Where alerts go. A test sends a fixed text through the channel as it is configured, to nowhere else."""

    def channels(self) -> Sequence[tuple[str, str]]:
        """Name and kind (`slack`, `webhook`, ...) of each configured channel, without addresses or secrets."""
        ...

    def test(self, name: str) -> str:
        """Send a test; what happened, in words without secrets."""
        ...


class Keys(Protocol):
    """The keys that this deployment issues to callers (`AUTH=managed`)."""

    def kept(self) -> Sequence[ManagedKey]:
        """All keys, also those that ended."""
        ...

    def issue(self, wanted: ManagedKey) -> str:
        """A new key; its text, which is kept nowhere."""
        ...

    def revoke(self, key_id: str, at: float) -> bool:
        """End a key for good; whether one of this id was in force."""
        ...
