"""What the dashboard asks of parts that it does not know by type. Stores have their own faces in `store`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Notifier(Protocol):
    """Where alerts go. A test sends a fixed text through the channel as it is configured, to nowhere else."""

    def channels(self) -> Sequence[tuple[str, str]]:
        """Name and kind (`slack`, `webhook`, ...) of each configured channel, without addresses or secrets."""
        ...

    def test(self, name: str) -> str:
        """Send a test; what happened, in words without secrets."""
        ...
