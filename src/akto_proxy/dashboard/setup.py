"""The first start: a one-time link with which the first administrator sets a password. Nothing is open before."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Callable

LASTS = 24 * 3600.0


class Setup:
    """Holds the hash of the one token, until it is used or too old. A restart makes a new one."""

    def __init__(self, clock: Callable[[], float], randomness: Callable[[int], bytes], *, needed: bool) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.token = randomness(24).hex() if needed else ""
        self._digest = _digest(self.token) if needed else b""
        self._until = clock() + LASTS

    @property
    def path(self) -> str:
        """The path of the link to print, empty where no setup is needed."""
        return f"/setup?token={self.token}" if self.token else ""

    def good(self, token: str) -> bool:
        """Whether this is the token, not used and not too old."""
        return bool(self._digest) and self._clock() < self._until and hmac.compare_digest(_digest(token), self._digest)

    def use(self, token: str) -> bool:
        """Use the token up; true for exactly one caller."""
        with self._lock:
            if not self.good(token):
                return False
            self._digest, self.token = b"", ""
            return True


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
