"""Local passwords: argon2id, a few at a time, with the same work for a name that does not exist."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST = 12
LONGEST = 200


class Passwords:
    """Hashes and checks. At most two checks run at once (64 MiB each), so sign-in cannot be used to fill the memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = threading.BoundedSemaphore(2)
        self._decoy = self._hasher.hash("not the password of anybody")

    def hash(self, password: str) -> str:
        """An encoded argon2id hash with its own salt."""
        with self._turns:
            return self._hasher.hash(password)

    def check(self, encoded: str, password: str) -> bool:
        """Whether the password is right. An empty `encoded` (no such account) costs the same and is never right."""
        with self._turns:
            try:
                return self._hasher.verify(encoded or self._decoy, password[:LONGEST]) and bool(encoded)
            except (VerificationError, InvalidHashError):
                return False

    @staticmethod
    def weakness(password: str, name: str = "") -> str:
        """Why a new password is not good enough, or nothing. Length is what counts; no rules about characters."""
        if len(password) < SHORTEST:
            return f"Use at least {SHORTEST} characters."
        if len(password) > LONGEST:
            return f"Use at most {LONGEST} characters."
        if len(set(password)) < 5 or (name and name.lower() in password.lower()):
            return "This is too easy to guess: use several unrelated words."
        return ""
