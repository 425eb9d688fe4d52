"""A Trace as a real Akto ingestion server must get it, or it does not show up. Pure.

Every field is a string; `time` is whole seconds (milliseconds overflow there and become "now"); `source` must be a
value its parser knows; a JSON payload must be whole (a cut one is dropped), so what is cut or not JSON is wrapped; and
tokens are read from a top-level `usage`, without which characters are counted. Our verdict travels as `_guardrail`.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from akto_proxy.model import Action, Decision, Message, Severity, Trace, Usage

MAX_BATCH = 10_000_000
"""Characters of a batch: the server takes 10,485,760."""
MAX_STRING = 5_000_000
"""Characters of one string: the server takes 5,242,880."""
_HOST = re.compile(r"[^a-z0-9.\-:]+")
_BEHAVIOURS = {Action.ALLOW: "", Action.ALERT: "alert", Action.REDACT: "alert", Action.BLOCK: "block"}
"""Its words are block, alert, warn and approval: a redacted exchange passed, so it is an alert there."""
_INSTALLER = "x-akto-installer-"


def to_item(trace: Trace) -> dict[str, str]:
    """One element of `batchData`."""
    return {
        "path": trace.path,
        "method": trace.method,
        "requestHeaders": _json(_headers(trace, trace.request)),
        "responseHeaders": _json(_response_headers(trace)),
        "requestPayload": payload(trace.request, None),
        "responsePayload": payload(trace.response, trace.usage),
        "ip": trace.caller.ip or "0.0.0.0",  # noqa: S104 - "unknown", not an address to bind
        "destIp": "127.0.0.1",
        "time": str(int(trace.started)),
        "statusCode": str(trace.status or 499),
        "status": str(trace.status or 499),
        "type": "HTTP/1.1",
        "akto_account_id": "1000000",
        "akto_vxlan_id": "0",
        "is_pending": "false",
        "source": "MIRRORING",
        "tag": _json(_tags(trace)),
        "_guardrail": _json(_guardrail(trace)),
    }


def _headers(trace: Trace, message: Message) -> dict[str, str]:
    headers = {name.lower(): value for name, value in message.headers}
    headers["host"] = host(trace)
    # What we send as the payload is always JSON, also where the original was form data or an event stream.
    headers["content-type"] = "application/json"
    headers[f"{_INSTALLER}akto_message_id"] = trace.id
    if trace.caller.session:
        headers[f"{_INSTALLER}akto_session_id"] = trace.caller.session
    if trace.caller.user:
        headers[f"{_INSTALLER}user_email"] = trace.caller.user
    return headers


def _response_headers(trace: Trace) -> dict[str, str]:
    headers = {name.lower(): value for name, value in trace.response.headers}
    headers["content-type"] = "application/json"
    return headers


def host(trace: Trace) -> str:
    """The name the exchange shows up under: the agent where it says one, else the endpoint."""
    return _HOST.sub("-", (trace.caller.agent or trace.endpoint or "unknown").lower()).strip("-") or "unknown"


def _tags(trace: Trace) -> dict[str, str]:
    tags = {"gen-ai": "Gen AI", "source": "AGENTIC"}
    if trace.project:
        tags["project"] = trace.project
    return {**dict(trace.tags), **tags}


def payload(message: Message, usage: Usage | None) -> str:
    """A body as one whole JSON text, with the tokens on its top level where they are known."""
    value = _value(message)
    if usage is not None and "usage" not in value and (usage.prompt or usage.completion) and not usage.estimated:
        value["usage"] = {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion}
    made = _json(value)
    if len(made) <= MAX_STRING:
        return made
    # Escaping makes a text at most six times longer, so this always fits.
    return _json({"text": message.body[: MAX_STRING // 8], "truncated": True})


def _value(message: Message) -> dict[str, Any]:
    if message.encoding != "text":
        return {"note": "the body is not kept in the clear", "size": message.size}
    if not message.truncated:
        try:
            found = orjson.loads(message.body)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            return found
        if found is not None:
            return {"body": found}
    return {"text": message.body, "truncated": True} if message.truncated else {"text": message.body}


def _guardrail(trace: Trace) -> dict[str, Any]:
    worst = _worst(trace)
    if worst is None or trace.verdict is Action.ALLOW:
        return {"guardrailViolated": False, "guardrailAction": ""}
    return {
        "guardrailViolated": True,
        "guardrailAction": _BEHAVIOURS[trace.verdict],
        "guardrailReason": worst.reason or f"rule {worst.rule}",
        "guardrailPolicy": worst.policy,
        "guardrailRule": worst.rule,
        "guardrailSeverity": worst.severity.label.upper(),
    }


def _worst(trace: Trace) -> Decision | None:
    return max(trace.decisions, key=lambda made: (made.action, made.severity), default=None)


def to_event(trace: Trace) -> dict[str, Any] | None:
    """The body of `record_malicious_event`, None when nothing was held against the exchange."""
    worst = _worst(trace)
    if worst is None or worst.action is Action.ALLOW:
        return None
    envelope = to_item(trace)
    event = {
        "actor": trace.caller.user or trace.caller.ip or "unknown",
        "filterId": worst.policy,
        "detectedAt": str(int(trace.started)),
        "latestApiIp": trace.caller.ip,
        "latestApiEndpoint": trace.path,
        "latestApiMethod": trace.method,
        "latestApiCollectionId": 0,
        "latestApiPayload": _json({name: envelope[name] for name in _ENVELOPE}),
        "eventType": "EVENT_TYPE_SINGLE",
        "category": worst.category,
        "subCategory": worst.entity or worst.rule,
        "severity": max((made.severity for made in trace.decisions), default=Severity.MEDIUM).label.upper(),
        "type": "Rule-Based",
        "metadata": {
            "policyName": worst.policy,
            "ruleViolated": worst.rule,
            "riskScore": worst.score,
            "reason": worst.reason,
            "behaviour": _BEHAVIOURS[worst.action],
        },
        "successfulExploit": False,
        "label": "guardrail",
        "host": host(trace),
        "status": "ACTIVE",
        "contextSource": "AGENTIC",
        "sessionId": trace.caller.session,
    }
    return {"maliciousEvent": event}


_ENVELOPE = ("path", "method", "requestHeaders", "requestPayload", "responsePayload", "statusCode", "ip", "time")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
