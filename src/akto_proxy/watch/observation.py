"""What the watch looks at of one exchange: numbers, names and a fingerprint of the prompt; never a text.

A Summary (one line of the store) is enough for most detectors; a whole Trace adds what was found where, how near the
threshold it was, and the prompt's fingerprint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from akto_proxy.light import light
from akto_proxy.model import Action, Decision, Direction, Trace
from akto_proxy.store.face import Summary

_WORDS = re.compile(r"[\w']{2,32}")
_PRODUCT = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")
_MAX_WORDS = 1000
_MAX_TEXT = 20_000
_REFUSED = frozenset(("refused", "limited"))
_COUNTRY = frozenset(("cf-ipcountry", "x-country-code", "cloudfront-viewer-country", "x-geo-country"))
_SENSITIVE = frozenset(("pii", "secrets", "leak"))
NEAR = 0.6
"""A detector's score below this, where nothing was blocked, came near without being sure."""


@light
@dataclass(frozen=True, slots=True)
class Observation:
    """One exchange as the watch sees it."""

    id: str
    at: float
    endpoint: str
    who: str
    key: str = ""
    ip: str = ""
    agent: str = ""
    session: str = ""
    model: str = ""
    tool: str = ""
    country: str = ""
    client: str = ""
    tokens: int = 0
    seconds: float = 0.0
    error: bool = False
    blocked: bool = False
    redacted: bool = False
    flagged: bool = False
    bypassed: bool = False
    risk: float = 0.0
    near: int = 0
    leaks: int = 0
    entities: tuple[str, ...] = ()
    prompt: int = 0
    """A 64-bit fingerprint that differs little for texts that differ little. Only of prompts that something was held
    against, because only variants of those are looked for, and it costs more than all the rest; else 0.
    """


def of_trace(trace: Trace) -> Observation:
    """All there is to see of a whole trace."""
    headers = {name.lower(): value for name, value in trace.request.headers}
    decisions = trace.decisions
    caller = trace.caller
    blocked = trace.verdict is Action.BLOCK or trace.outcome in _REFUSED
    near = sum(
        item.score < NEAR and item.action < Action.BLOCK and item.category not in _SENSITIVE for item in decisions
    )
    objected = (blocked or near) and trace.request.encoding == "text"
    return Observation(
        id=trace.id,
        at=trace.started,
        endpoint=trace.endpoint,
        who=who(caller.key, caller.user, caller.ip),
        key=caller.key,
        ip=caller.ip,
        agent=caller.agent,
        session=caller.session,
        model=trace.model,
        tool=next((value for name, value in trace.tags if name == "tool"), ""),
        country=next((headers[name][:2].upper() for name in _COUNTRY if name in headers), ""),
        client=product(headers.get("user-agent", "")),
        tokens=trace.usage.prompt + trace.usage.completion,
        seconds=trace.timing.total / 1e6,
        error=trace.outcome.startswith("upstream_"),
        blocked=blocked,
        redacted=trace.verdict is Action.REDACT,
        flagged=bool(decisions),
        bypassed=any(item.bypassed for item in decisions),
        risk=max((_risk(item) for item in decisions if item.category not in _SENSITIVE), default=0.0),
        near=near,
        leaks=sum(
            item.count for item in decisions if item.direction is Direction.RESPONSE and item.category in _SENSITIVE
        ),
        entities=tuple({item.entity for item in decisions if item.entity}),
        prompt=fingerprint(trace.request.body) if objected else 0,
    )


def of_summary(line: Summary) -> Observation:
    """What one line of the store shows."""
    return Observation(
        id=line.id,
        at=line.started,
        endpoint=line.endpoint,
        who=who(line.key, line.user, line.ip),
        key=line.key,
        ip=line.ip,
        agent=line.agent,
        session=line.session,
        model=line.model,
        tokens=line.prompt_tokens + line.completion_tokens,
        seconds=line.total_us / 1e6,
        error=line.outcome.startswith("upstream_"),
        blocked=line.verdict is Action.BLOCK or line.outcome in _REFUSED,
        redacted=line.verdict is Action.REDACT,
        flagged=bool(line.rules),
        bypassed=line.bypassed,
        risk=0.2 * int(line.severity or 0) if line.verdict is Action.BLOCK else 0.0,
    )


def who(key: str, user: str, ip: str) -> str:
    """The caller's name for the watch: its credential if it has one, for that cannot be made up."""
    return f"key:{key}" if key else f"user:{user}" if user else f"ip:{ip}"


def product(agent: str) -> str:
    """The program of a User-Agent, without versions, so that an update is not a stranger."""
    found = _PRODUCT.match(agent)
    return re.split(r"[/\d]", found[0])[0].lower() if found else ""


def fingerprint(text: str) -> int:
    """SimHash of the words: near-duplicates differ in few of its 64 bits."""
    words = _WORDS.findall(text[:_MAX_TEXT].lower())[:_MAX_WORDS]
    if len(words) < 4:
        return 0
    hashes = b"".join(
        blake2b(f"{first} {second}".encode(), digest_size=8).digest() for first, second in pairwise(words)
    )
    bits = np.unpackbits(np.frombuffer(hashes, dtype=np.uint8).reshape(-1, 8), axis=1)
    return int.from_bytes(np.packbits(2 * bits.sum(axis=0, dtype=np.int64) > len(bits)).tobytes(), "big")


def _risk(item: Decision) -> float:
    return min(1.0, item.score) * int(item.severity) / 4
