"""Akto's wire formats, as its connectors really send them, to our nouns and back. Pure.

Every field should be a string; real connectors also send numbers, objects and nulls, seconds and milliseconds, bare and
`{"body": ...}`-wrapped payloads, so all of these are read. In answers `Allowed` is false only where the caller must
block, `behaviour` always says what to do, and a payload is given back in the wrapping it came in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import orjson

from akto_proxy.collector.judge import Verdict
from akto_proxy.model import Action, Caller, Decision, Direction, Message, Mode, Severity, Trace, Usage

BEHAVIOURS = {Action.ALLOW: "allow", Action.ALERT: "alert", Action.REDACT: "mask", Action.BLOCK: "block"}
_ACTIONS = {"block": Action.BLOCK, "approval": Action.BLOCK, "mask": Action.REDACT, "redact": Action.REDACT}
_CREDENTIALS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-goog-api-key",
     "x-amz-security-token")
)  # fmt: skip
_SECRETIVE = ("token", "secret", "password", "apikey", "api-key", "credential")
_PREFIX = "x-akto-installer-"
_MAX_NAME = 512


@dataclass(frozen=True, slots=True)
class Item:
    """One record as a connector sent it, its strings made strings."""

    path: str
    method: str
    request: str
    response: str
    request_headers: Mapping[str, str]
    response_headers: Mapping[str, str]
    ip: str
    at: float
    status: int
    tags: Mapping[str, str]
    guardrail: Mapping[str, Any]


def item(data: Mapping[str, Any], now: float) -> Item:
    """Read one record tolerantly."""
    return Item(
        path=text(data.get("path")) or "/",
        method=(text(data.get("method")) or "POST").upper()[:16],
        request=text(data.get("requestPayload") if data.get("requestPayload") is not None else data.get("payload")),
        response=text(data.get("responsePayload")),
        request_headers=_strings(data.get("requestHeaders")),
        response_headers=_strings(data.get("responseHeaders")),
        ip=text(data.get("ip"))[:64],
        at=_time(data.get("time"), now),
        status=_number(data.get("statusCode")) or _number(data.get("status")) or 0,
        tags=_strings(data.get("tag")),
        guardrail=_object(data.get("_guardrail")),
    )


def text(value: Any) -> str:
    """A field as a string, whatever was sent."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, dict | list | bool) else str(value)


def _object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> Mapping[str, str]:
    return {str(key).lower()[:_MAX_NAME]: text(item) for key, item in list(_object(value).items())[:200]}


def _time(value: Any, now: float) -> float:
    """Unix seconds from seconds or milliseconds, a string or a number; `now` when it is neither."""
    try:
        at = float(value)
    except (TypeError, ValueError):
        return now
    at = at / 1000 if at > 1e11 else at
    return at if 0 < at < 1e11 else now


def _number(value: Any) -> int:
    """A count or a code; 0 for what is none or is larger than any."""
    try:
        found = int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0
    return found if 0 <= found < 1 << 40 else 0


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A payload without its `{"body": ...}` wrapping, and how to put one back on."""

    payload: str
    form: str = "bare"

    def wrap(self, payload: str) -> str:
        """The wrapping it came in, around another payload."""
        if self.form == "text":
            return orjson.dumps({"body": payload}).decode()
        if self.form == "object":
            try:
                return orjson.dumps({"body": orjson.loads(payload)}).decode()
            except orjson.JSONDecodeError:
                return orjson.dumps({"body": payload}).decode()
        return payload


def unwrap(payload: str) -> Wrapped:
    """Take `{"body": X}` off: X is a JSON text (LiteLLM) or an object (others); anything else is as it is."""
    data = _object(payload) if payload.lstrip()[:1] == "{" else {}
    if len(data) != 1 or "body" not in data:
        return Wrapped(payload)
    body = data["body"]
    return Wrapped(body, "text") if isinstance(body, str) else Wrapped(text(body), "object")


def result(verdict: Verdict, wrapped: Wrapped) -> dict[str, Any]:
    """A `guardrailsResult`."""
    worst = max(verdict.decisions, key=lambda found: (found.action, found.severity), default=None)
    changed = verdict.modified is not None and verdict.action is not Action.BLOCK
    return {
        "Allowed": verdict.action is not Action.BLOCK,
        "Modified": changed,
        "ModifiedPayload": wrapped.wrap(verdict.modified or "") if changed else "",
        "Reason": reason(worst) if worst is not None and worst.action > Action.ALLOW else "",
        "Metadata": _metadata(worst),
        "behaviour": BEHAVIOURS[verdict.action],
    }


def reason(decision: Decision) -> str:
    """Why, in words that hold no protected text."""
    words = f"Policy {decision.policy}: rule {decision.rule} ({decision.severity.label}) in the {decision.direction}"
    return f"{words}: {decision.reason}" if decision.reason else words


def _metadata(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {}
    return {
        "policy_name": decision.policy,
        "rule_violated": decision.rule,
        "severity": decision.severity.label.upper(),
        "category": decision.category,
        "controls": list(decision.controls),
    }


def merged(request: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    """Both sides in one answer: allowed only where both are; the other fields are the side's that objects."""
    lead = request if not request["Allowed"] or response["Allowed"] else response
    both = request["Allowed"] and response["Allowed"]
    return {**lead, "Allowed": both, "requestResult": request, "responseResult": response}


def to_trace(
    found: Item, verdicts: Mapping[Direction, Verdict], *, trace_id: str, connector: str, enforced: bool
) -> Trace:
    """The record as a Trace. Bodies are kept only as their verdict says they may be.

    `enforced` says that the caller asked for a verdict and acts on it; otherwise decisions are what would have been.
    """
    decisions = tuple(made for verdict in verdicts.values() for made in verdict.decisions)
    if not enforced:
        decisions = tuple(_observed(made) for made in decisions)
    decisions += _foreign(found.guardrail)
    verdict = max((made.action for made in decisions), default=Action.ALLOW)
    headers = found.request_headers
    sent, got = _object(unwrap(found.request).payload), _object(unwrap(found.response).payload)
    return Trace(
        id=trace_id,
        started=found.at,
        endpoint=headers.get("host", "") or connector or "unknown",
        method=found.method,
        path=found.path,
        route="akto",
        engine="",
        status=found.status,
        outcome="blocked" if verdict is Action.BLOCK else "redacted" if verdict is Action.REDACT else "ok",
        verdict=verdict,
        upstream_status=found.status,
        proxy=f"akto:{connector}" if connector else "akto",
        model=text(sent.get("model"))[:_MAX_NAME],
        streamed=sent.get("stream") is True,
        caller=_caller(headers, found),
        usage=_usage(_object(got.get("usage")), found),
        request=_message(headers, found.request, verdicts.get(Direction.REQUEST)),
        response=_message(found.response_headers, found.response, verdicts.get(Direction.RESPONSE)),
        decisions=decisions,
        tags=tuple(sorted(found.tags.items())[:50]),
    )


def _observed(made: Decision) -> Decision:
    return replace(made, action=min(made.action, Action.ALERT), would=made.action, mode=Mode.MONITOR)


def _caller(headers: Mapping[str, str], found: Item) -> Caller:
    session = headers.get(f"{_PREFIX}akto_session_id", "") or headers.get("x-session-id", "")
    return Caller(
        ip=found.ip,
        user=headers.get(f"{_PREFIX}user_email", "")[:_MAX_NAME],
        agent=(found.tags.get("agent_name", "") or found.tags.get("bot-name", ""))[:_MAX_NAME],
        session=session if len(session) <= 100 else sha256(session.encode()).hexdigest(),
    )


def _usage(usage: Mapping[str, Any], found: Item) -> Usage:
    if not usage:
        return Usage(len(found.request) // 4, len(found.response) // 4, estimated=True)
    prompt = _number(usage.get("prompt_tokens", usage.get("input_tokens")))
    return Usage(prompt, _number(usage.get("completion_tokens", usage.get("output_tokens"))))


def _message(headers: Mapping[str, str], payload: str, verdict: Verdict | None) -> Message:
    kept = verdict.masked if verdict is not None and payload else None
    return Message(
        tuple((name, value[:4096]) for name, value in headers.items() if not _credential(name)),
        kept or "",
        "text" if kept is not None or not payload else "none",
        len(payload.encode()),
    )


def _credential(name: str) -> bool:
    return name in _CREDENTIALS or any(part in name for part in _SECRETIVE)


def _foreign(guardrail: Mapping[str, Any]) -> tuple[Decision, ...]:
    """What a guard at the sender decided (`_guardrail`), as a decision."""
    if guardrail.get("guardrailViolated") not in (True, "true"):
        return ()
    severity = text(guardrail.get("guardrailSeverity")).upper()
    return (
        Decision(
            policy=text(guardrail.get("guardrailPolicy"))[:_MAX_NAME] or "akto",
            rule=text(guardrail.get("guardrailRule"))[:_MAX_NAME] or "akto",
            category="akto",
            entity="",
            severity=Severity[severity] if severity in Severity.__members__ else Severity.MEDIUM,
            action=_ACTIONS.get(text(guardrail.get("guardrailAction")).lower(), Action.ALERT),
            direction=Direction.REQUEST,
        ),
    )


def stable_id(found: Item, random: bytes) -> str:
    """A time-ordered id: the same for the same message sent twice, when the sender named it; else new.

    One exchange may come several times on purpose: the request, then both sides, and a stream again and again as it
    grows. These are different records: only the last has the whole answer, and any may have the verdict that counts.
    """
    name = found.request_headers.get(f"{_PREFIX}akto_message_id", "")
    if name:
        parts = (name, found.path, f"{found.at:.3f}", found.request, found.response)
        random = sha256("\n".join(parts).encode("utf-8", "replace")).digest()[:10]
    noise = int.from_bytes(random[:10], "big")
    high = (int(found.at * 1000) & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | noise >> 64 & 0x0FFF
    return f"{high:016x}{1 << 63 | noise & 0x3FFF_FFFF_FFFF_FFFF:016x}"


def batch_items(data: object, now: float) -> Sequence[Item]:
    """The records of an `ingestData` body.

    Raises:
        ValueError: there is no `batchData` list of objects.
    """
    rows = data.get("batchData") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError('expected {"batchData": [{...}, ...]}')
    return [item(row, now) for row in rows]
