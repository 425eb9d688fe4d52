"""Where a proxy pulls its policy from: our collector (by ETag) or a real Akto control plane (whole list, each time).

Both answer with a text and something that tells it from the next; what the text means is decided elsewhere. Akto has
no ETag, so its list is fetched whole and compared by content, as its own clients do.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

import httpx

MAX_ANSWER = 8 << 20
"""Characters of a policy text, or of Akto's list, that are read at most."""


class SourceError(Exception):
    """The source gave no policy. The message is one sentence that names what to do, without any secret."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source has now: its text, what tells it from another (`tag`), and the version number if it has one."""

    text: str
    tag: str
    number: int = 0


class PolicySource(Protocol):
    """Somewhere a policy can be pulled from."""

    name: str

    async def fetch(self, tag: str) -> Fetched | None:
        """What is there, None where that is still what `tag` names or nothing was set. Raises SourceError."""
        ...


class CollectorPolicies:
    """Our collector's `/v1/policy`. `client` carries the time-outs."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: str) -> None:
        self.name = base_url.rstrip("/")
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def fetch(self, tag: str) -> Fetched | None:
        """The version in force at the collector."""
        headers = {**self._headers, **({"if-none-match": tag} if tag else {})}
        answer = await _ask(self._client, "GET", f"{self.name}/v1/policy", self.name, headers=headers)
        if answer.status_code in (204, 304):
            return None
        number = answer.headers.get("x-policy-version", "")
        if answer.status_code != 200 or not number.isdigit():
            raise _problem(self.name, answer.status_code)
        return Fetched(answer.text, answer.headers.get("etag", ""), int(number))


class AktoPolicies:
    """Akto's `fetchGuardrailPolicies`. The token goes bare, as its filter wants."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: str) -> None:
        self.name = base_url.rstrip("/")
        self._client = client
        self._headers = {"authorization": token, "content-type": "application/json"}

    async def fetch(self, tag: str) -> Fetched | None:
        """Akto's list, as JSON text."""
        url = f"{self.name}/api/fetchGuardrailPolicies"
        answer = await _ask(self._client, "POST", url, self.name, headers=self._headers, content=b"{}")
        if answer.status_code != 200:
            raise _problem(self.name, answer.status_code)
        found = sha256(answer.content).hexdigest()[:16]
        return None if found == tag else Fetched(answer.text, found)


async def _ask(client: httpx.AsyncClient, method: str, url: str, name: str, **arguments: Any) -> httpx.Response:
    try:
        answer = await client.request(method, url, **arguments)
    except httpx.TimeoutException:
        raise SourceError(f"{name} did not answer in time; the last policy stays in force") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kind = type(error).__name__
        raise SourceError(f"{name} cannot be reached ({kind}); the last policy stays in force") from None
    if len(answer.content) > MAX_ANSWER:
        raise SourceError(f"{name} sent more than {MAX_ANSWER} bytes of policy; split or shorten it")
    return answer


def _problem(name: str, status: int) -> SourceError:
    if status in (401, 403):
        return SourceError(f"{name} refuses the token ({status}); check AKTO_API_TOKEN (scope ingest or guard)")
    if status in (404, 405):
        return SourceError(f"{name} has no policies to pull ({status}); check its URL and POLICY_SOURCE")
    return SourceError(f"{name} gave no policy ({status}); the last policy stays in force")
