"""Ask a checker outside: Akto's verdict API, or an OpenAI-compatible model such as a Llama Guard endpoint.

What cannot be answered is said, not guessed: a timeout, a refusal, a garbled or missing verdict becomes a finding of
entity `CHECK_FAILED`, and the policy's fail mode decides. A checker that keeps failing is left alone for a while, so
its outage costs a few timeouts and not one a call. The price: its recovery is seen up to five seconds late.

Safe against being led elsewhere (SSRF): the name is resolved once, every address must be public unless the policy says
`allow_private`, the connection goes to the very address that was checked, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httptools

from akto_proxy.model import Direction, Finding, Role, Segment
from akto_proxy.policy.clause import ExternalCheck, unanswered
from akto_proxy.policy.rules import External
from akto_proxy.proxy.counters import ExternalCounters

CACHE_SIZE = 4_096
MAX_ANSWER = 1 << 20
MAX_PIECES = 8  # questions for one body; a longer text is not half checked but counted as failed
OVERLAP = 200  # characters that neighbouring pieces share
MAX_FAILURES = 5
REST = 5.0  # seconds a failing checker is left alone
MAX_AT_ONCE = 64
_BLOCKING = ("block", "approval", "")
CERTAIN, LIKELY = 1.0, 0.7


class _NoVerdictError(Exception):
    """No verdict. The reason is a stable word."""


@dataclass(slots=True)
class _Health:
    failures: int = 0
    until: float = 0.0


class ExternalChecks:
    """The external checks of one worker, with their cache.

    Args:
        environ: where `token_env` names are looked up.
        clock: seconds that only grow.
        tls: the context for https checkers; the system's trust store if None, read at the first question.
    """

    def __init__(
        self, environ: Mapping[str, str], clock: Callable[[], float], tls: ssl.SSLContext | None = None
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._tls = tls
        self._cache: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._health: dict[str, _Health] = {}
        self._room = asyncio.Semaphore(MAX_AT_ONCE)
        self.counters = ExternalCounters()

    async def check(
        self, checks: Sequence[ExternalCheck], segments: Sequence[Segment], direction: Direction
    ) -> list[tuple[int, Finding]]:
        """What the checkers say of a body: findings without a span, each with the number of a segment.

        All are asked at once, so the slowest one's time-out is the longest that this takes.
        """
        answers = await asyncio.gather(*(self._one(check, segments, direction) for check in checks))
        return [answer for found in answers for answer in found]

    async def _one(
        self, check: ExternalCheck, segments: Sequence[Segment], direction: Direction
    ) -> list[tuple[int, Finding]]:
        numbers = [n for n, item in enumerate(segments) if item.role in check.roles and item.text.strip()]
        if not numbers:
            return []
        text = "\n".join(segments[number].text for number in numbers)
        scores = await self._scores(check, text, direction)
        found = []
        if score := max((score for score in scores if score is not None), default=0.0):
            found.append((numbers[0], Finding(0, 0, check.rule, check.entity, "external", score)))
        if None in scores:  # said beside what another piece showed: a failure must not hide it
            self.counters.failed += 1
            found.append((numbers[0], unanswered(check)))
        return found

    async def _scores(self, check: ExternalCheck, text: str, direction: Direction) -> list[float | None]:
        """The score of each piece of a text, None where there is no verdict."""
        try:
            cut = pieces(text, check.external)
        except _NoVerdictError:
            return [None]
        answers = await asyncio.gather(*(self._score(check, piece, direction) for piece in cut), return_exceptions=True)
        return [answer if isinstance(answer, float | int) else None for answer in answers]

    async def _score(self, check: ExternalCheck, text: str, direction: Direction) -> float:
        now = self._clock()
        key = _key(check, text, direction)
        kept = self._cache.get(key)
        if kept is not None and kept[0] > now:
            self.counters.cached += 1
            self._cache.move_to_end(key)
            return kept[1]
        score = await self._ask(check, text, direction)
        if check.external.cache_seconds:
            self._cache[key] = (now + check.external.cache_seconds, score)
            if len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)
        return score

    async def _ask(self, check: ExternalCheck, text: str, direction: Direction) -> float:
        health = self._health.setdefault(check.rule, _Health())
        if self._clock() < health.until:
            self.counters.rested += 1
            raise _NoVerdictError("resting")
        self.counters.asked += 1
        try:
            async with asyncio.timeout(check.external.timeout_ms / 1_000):
                async with self._room:
                    target, headers, body = question(check.external, text, direction, self._token(check.external))
                    answer = await self._post(check.external, target, headers, body)
            score = verdict(check.external, answer, direction)
        except (_NoVerdictError, TimeoutError, OSError, ValueError, httptools.HttpParserError) as error:
            health.failures += 1
            if health.failures >= MAX_FAILURES:
                health.until = self._clock() + REST
            raise _NoVerdictError(type(error).__name__) from None
        health.failures = 0
        return score

    def _token(self, external: External) -> str:
        token = self._environ.get(external.token_env, "") if external.token_env else ""
        if external.token_env and not token:
            raise _NoVerdictError("no token")
        if not token.isprintable():
            raise _NoVerdictError("token")
        return token

    async def _post(self, external: External, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        parts = urlsplit(external.url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        address = await resolve(host, port, private=external.allow_private)
        if secure and self._tls is None:
            self._tls = ssl.create_default_context()  # reads every authority of the system: only where one is needed
        reader, writer = await asyncio.open_connection(
            address, port, ssl=self._tls if secure else None, server_hostname=host if secure else None
        )
        try:
            lines = [f"POST {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)
            await writer.drain()
            return await _Answer().read(reader)
        finally:
            writer.close()


class _Answer:
    """An HTTP answer, read whole and bounded."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._done = False
        self._parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._size += len(data)
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._done = True

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """The body of a 2xx answer; anything else has no verdict."""
        while not self._done:
            data = await reader.read(65_536)
            if not data:
                break
            self._parser.feed_data(data)
            if self._size > MAX_ANSWER:
                raise _NoVerdictError("answer too large")
        if not self._size or not 200 <= self._parser.get_status_code() < 300:
            raise _NoVerdictError("status")
        return b"".join(self._parts)


async def resolve(host: str, port: int, *, private: bool) -> str:
    """The address to connect to. Every address of the name must be allowed, so that none can be chosen by luck."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(item[4][0]) for item in found]
    if not addresses:
        raise _NoVerdictError("no address")
    if not private and not all(public(address) for address in addresses):
        raise _NoVerdictError("private address")
    return addresses[0]


def public(address: str) -> bool:
    """Whether an address is one of the public internet, also inside an IPv6 wrapping."""
    ip: Any = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None) or _translated(ip)
    return bool((inner or ip).is_global and not (inner or ip).is_multicast)


def _translated(ip: Any) -> Any:
    """The IPv4 address in an IPv6 one that NAT64 translates (RFC 6052, 64:ff9b::/96), None for any other."""
    return ipaddress.ip_address(int(ip) & 0xFFFFFFFF) if ip.version == 6 and int(ip) >> 32 == 0x64FF9B << 64 else None


def pieces(text: str, external: External) -> list[str]:
    """The text in pieces a checker takes, neighbours overlapping."""
    size = external.max_characters
    if len(text) <= size:
        return [text]
    step = max(1, size - OVERLAP)
    found = [text[start : start + size] for start in range(0, len(text) - OVERLAP, step)]
    if len(found) > MAX_PIECES:
        raise _NoVerdictError("too long")
    return found


def question(external: External, text: str, direction: Direction, token: str) -> tuple[str, dict[str, str], bytes]:
    """Target, headers and body of the question to a checker."""
    parts = urlsplit(external.url)
    headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "akto-agent-proxy"}
    if external.kind == "akto":
        payload = json.dumps({"body": text})
        answered = direction is Direction.RESPONSE
        body: dict[str, Any] = {
            "path": "/",
            "method": "POST",
            "requestPayload": "{}" if answered else payload,
            "responsePayload": payload if answered else "",
            "contextSource": "AGENTIC",
        }
        if token:
            headers["authorization"] = token
        return _akto_target(parts.path, direction), headers, json.dumps(body).encode()
    role = Role.USER if direction is Direction.REQUEST else Role.ASSISTANT
    messages = [{"role": "system", "content": external.instructions}] if external.instructions else []
    # A model asked about an answer sees it as text to judge, unless (Llama Guard) it knows conversations itself.
    messages.append({"role": "user" if external.instructions else role.value, "content": text})
    asked = {"model": external.model or "default", "messages": messages, "max_tokens": 64, "temperature": 0}
    if token:
        headers["authorization"] = f"Bearer {token}"
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), headers, json.dumps(asked).encode()


def _akto_target(path: str, direction: Direction) -> str:
    """Where Akto answers: `/api/validate/request|response` if the URL names that API, else `/api/http-proxy`."""
    base, found, _ = path.partition("/api/validate")
    if found:
        return f"{base}/api/validate/{direction.value}"
    side = "guardrails" if direction is Direction.REQUEST else "response_guardrails"
    return (
        f"{path.removesuffix('/api/http-proxy').rstrip('/')}/api/http-proxy?{side}=true&akto_connector=akto-agent-proxy"
    )


def verdict(external: External, answer: bytes, direction: Direction) -> float:
    """The score of an answer: 0 for nothing found, 0.7 for a milder, 1 for a certain finding."""
    try:
        data = json.loads(answer)
        return _akto(data, direction) if external.kind == "akto" else _openai(external, data)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise _NoVerdictError("garbled") from None


def _openai(external: External, data: Any) -> float:
    said = data["choices"][0]["message"]["content"].strip().lower()
    if not said:
        raise _NoVerdictError("empty")
    return CERTAIN if said.startswith(tuple(word.lower() for word in external.unsafe)) else 0.0


def _akto(data: Any, direction: Direction) -> float:
    result = data["data"]["guardrailsResult"] if "data" in data else data  # /api/validate answers with the result alone
    result = result.get("requestResult" if direction is Direction.REQUEST else "responseResult") or result
    if result.get("failOpen"):
        raise _NoVerdictError("fail open")
    allowed = result["Allowed"] if "Allowed" in result else result["allowed"]
    behaviour = str(result.get("behaviour") or result.get("Behaviour") or "").lower()
    if not isinstance(allowed, bool):
        raise _NoVerdictError("garbled")
    if not allowed:
        return CERTAIN if behaviour in _BLOCKING else LIKELY
    return LIKELY if result.get("Modified") or result.get("modified") else 0.0


def _key(check: ExternalCheck, text: str, direction: Direction) -> bytes:
    """A key that tells questions apart and holds no text."""
    asked = (check.rule, check.external.model_dump_json(), direction.value, text)
    digest = hashlib.blake2b(digest_size=16)
    for part in asked:
        digest.update(f"{len(part)}:".encode() + part.encode("utf-8", "replace"))
    return digest.digest()
