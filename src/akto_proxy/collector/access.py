"""Who may send, and how much: API tokens, and a budget of records and bytes for each.

A token comes as `Authorization: <token>` (Akto's connectors send it bare), `Authorization: Bearer <token>` or
`x-api-key`. There is no fallback: what cannot be checked is refused. Tokens never appear in an answer or a log.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from akto_proxy.collector.problem import Problem
from akto_proxy.store.control import ControlStore, Token

INGEST = "ingest"
GUARD = "guard"
_MAX_TOKEN = 8192
_LOCAL = Token("local", "this deployment", INGEST, 0.0)


@dataclass(slots=True)
class _Budget:
    records: float
    bytes: float
    at: float


class Access:
    """Checks tokens and keeps their budgets. `local` is a secret of this deployment itself, accepted without a token.

    `records` and `size` are allowed each second and token, with ten seconds' worth as burst; 0 is no limit.
    """

    def __init__(
        self, control: ControlStore, *, now: Callable[[], float], local: str = "", records: int = 0, size: int = 0
    ) -> None:
        self._control, self._now, self._local = control, now, local
        self._records, self._size = records, size
        self._budgets: dict[str, _Budget] = {}

    async def check(self, request: Request, *scopes: str) -> Token:
        """The token of a request.

        Raises:
            Problem: 401 without a good token, 403 where its scope does not reach.
        """
        secret = _secret(request)
        if not secret:
            raise Problem(401, "a token is needed: Authorization: <token>", headers={"www-authenticate": "Bearer"})
        if self._local and hmac.compare_digest(secret.encode(), self._local.encode()):
            return _LOCAL
        token = await asyncio.to_thread(self._control.token, secret, self._now())
        if token is None:
            message = "the token is unknown, revoked or expired; make one in the dashboard: Settings, API tokens"
            raise Problem(401, message, headers={"www-authenticate": "Bearer"})
        if token.scope not in scopes:
            raise Problem(403, f"the token's scope does not reach here; needed: {' or '.join(scopes)}")
        return token

    def spend(self, token: Token, records: int, size: int) -> None:
        """Take from the token's budget. This deployment's own shippers are not limited.

        Raises:
            Problem: 429 with the seconds to wait.
        """
        if token.id == _LOCAL.id or not (self._records or self._size):
            return
        now = self._now()
        budget = self._budgets.setdefault(token.id, _Budget(self._records * 10.0, self._size * 10.0, now))
        passed, budget.at = max(0.0, now - budget.at), now
        budget.records = min(self._records * 10.0, budget.records + passed * self._records)
        budget.bytes = min(self._size * 10.0, budget.bytes + passed * self._size)
        waits = [-left / rate for left, rate in ((budget.records, self._records), (budget.bytes, self._size)) if rate]
        wait = max(waits, default=0.0)
        if wait > 0:
            headers = {"retry-after": str(int(wait) + 1)}
            raise Problem(429, "this token sent more than its share; slow down", headers=headers)
        budget.records -= records
        budget.bytes -= size


def _secret(request: Request) -> str:
    value = request.headers.get("authorization", "") or request.headers.get("x-api-key", "")
    scheme, _, rest = value.strip().partition(" ")
    secret = rest.strip() if scheme.lower() == "bearer" else value.strip()
    return secret if len(secret) <= _MAX_TOKEN else ""
