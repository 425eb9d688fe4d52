"""Who is signed in: random tokens in cookies, their hashes here, an end by idleness and one by age.

Only the SHA-256 of a token is kept, looked up whole, so neither a leaked dump nor a shared prefix opens a session. They
live in the server's memory, bounded; a restart signs everybody out, which is the price of keeping no bearer on disk.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

IDLE = 8 * 3600.0
OLDEST = 7 * 86400.0
KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """A sign-in. `id` is the hash of the token and may be shown; the token itself is only in the cookie."""

    id: str
    user: str
    began: float
    seen: float
    ip: str = ""
    agent: str = ""
    csrf: str = ""


class Sessions:
    """All sign-ins of this server. Safe from any thread."""

    def __init__(self, clock: Callable[[], float], randomness: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = randomness
        self._secret = randomness(32)
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, user: str, *, ip: str = "", agent: str = "") -> str:
        """Sign `user` in; the token for the cookie."""
        token = self._random(32).hex()
        now = self._clock()
        with self._lock:
            self._open[_hash(token)] = Session(_hash(token), user, now, now, ip, agent[:200], self._csrf(token))
            while len(self._open) > KEPT:
                self._open.popitem(last=False)
        return token

    def find(self, token: str) -> Session | None:
        """The session of a token, if it is still good; being asked for keeps it from going idle."""
        now = self._clock()
        with self._lock:
            session = self._open.get(_hash(token))
            if session is None:
                return None
            if now - session.seen > IDLE or now - session.began > OLDEST:
                del self._open[session.id]
                return None
            self._open[session.id] = session = replace(session, seen=now)
            return session

    def end(self, session_id: str) -> None:
        """Sign out."""
        with self._lock:
            self._open.pop(session_id, None)

    def end_all(self, user: str, *, keep: str = "") -> int:
        """Sign `user` out everywhere (but for session `keep`), as after a new password or role; how many ended."""
        with self._lock:
            gone = [key for key, session in self._open.items() if session.user == user and key != keep]
            for key in gone:
                del self._open[key]
        return len(gone)

    def of(self, user: str = "") -> tuple[Session, ...]:
        """Open sessions, of one user or of all, last used first."""
        with self._lock:
            found = [session for session in self._open.values() if user in ("", session.user)]
        return tuple(sorted(found, key=lambda session: -session.seen))

    def _csrf(self, token: str) -> str:
        return hmac.new(self._secret, token.encode(), hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
