"""One incident in the form each service takes: Slack, Teams, PagerDuty Events v2, Opsgenie, JSON, CEF and OCSF."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from akto_proxy.model import Severity
from akto_proxy.watch.desk import Notice
from akto_proxy.watch.notify import text
from akto_proxy.watch.notify.schema import Channel

PRODUCT = "akto-agent-proxy"
_OCSF_SEVERITY = {Severity.LOW: 2, Severity.MEDIUM: 3, Severity.HIGH: 4, Severity.CRITICAL: 5}
_CEF_SEVERITY = {Severity.LOW: 3, Severity.MEDIUM: 5, Severity.HIGH: 8, Severity.CRITICAL: 10}
_PAGER = {Severity.LOW: "info", Severity.MEDIUM: "warning", Severity.HIGH: "error", Severity.CRITICAL: "critical"}
_GENIE = {Severity.LOW: "P4", Severity.MEDIUM: "P3", Severity.HIGH: "P2", Severity.CRITICAL: "P1"}


@dataclass(frozen=True, slots=True)
class Post:
    """An HTTP request to make. Its URL may hold a secret: never log it."""

    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


def post(channel: Channel, notice: Notice, now: float, nonce: str) -> Post:
    """What to send on a channel of an HTTP kind."""
    return _POSTS[channel.kind](channel, notice, now, nonce)


def _slack(channel: Channel, notice: Notice, _now: float, _nonce: str) -> Post:
    fields = [{"title": name, "value": value, "short": len(value) < 40} for name, value in text.facts(notice)]
    attachment: dict[str, Any] = {
        "color": text.COLOURS[notice.incident.severity],
        "fields": fields,
        "fallback": text.title(notice),
    }
    if channel.link:
        attachment["title"] = "Open"
        attachment["title_link"] = f"{channel.link}/incidents/{notice.incident.id}"
    data = {"text": text.title(notice), "attachments": [attachment], "unfurl_links": False}
    return Post(channel.address, orjson.dumps(data))


def _teams(channel: Channel, notice: Notice, _now: float, _nonce: str) -> Post:
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": text.title(notice), "weight": "Bolder", "wrap": True},
            {"type": "FactSet", "facts": [{"title": name, "value": value} for name, value in text.facts(notice)]},
        ],
    }
    if channel.link:
        url = f"{channel.link}/incidents/{notice.incident.id}"
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return Post(channel.address, orjson.dumps({"type": "message", "attachments": [attachment]}))


def _pagerduty(channel: Channel, notice: Notice, _now: float, _nonce: str) -> Post:
    data: dict[str, Any] = {
        "routing_key": channel.key,
        "event_action": "resolve" if notice.event == "resolved" else "trigger",
        "dedup_key": notice.incident.id,
    }
    if notice.event != "resolved":
        data["payload"] = {
            "summary": text.title(notice)[:1024],
            "source": text.plain(notice.incident.subject) or PRODUCT,
            "severity": _PAGER[notice.incident.severity],
            "component": PRODUCT,
            "class": notice.alert.kind if notice.alert else "incident",
            "custom_details": dict(text.facts(notice)),
        }
    if channel.link and notice.event != "resolved":
        data["links"] = [{"href": f"{channel.link}/incidents/{notice.incident.id}", "text": "Incident"}]
    return Post(channel.address, orjson.dumps(data))


def _opsgenie(channel: Channel, notice: Notice, _now: float, _nonce: str) -> Post:
    headers = (("content-type", "application/json"), ("authorization", f"GenieKey {channel.key}"))
    if notice.event == "resolved":
        url = f"{channel.address.rstrip('/')}/{notice.incident.id}/close?identifierType=alias"
        return Post(url, orjson.dumps({"source": PRODUCT}), headers)
    data = {
        "message": text.title(notice)[:130],
        "alias": notice.incident.id,
        "description": text.body(notice, channel.link),
        "priority": _GENIE[notice.incident.severity],
        "source": PRODUCT,
        "details": dict(text.facts(notice)),
    }
    return Post(channel.address, orjson.dumps(data), headers)


def _webhook(channel: Channel, notice: Notice, now: float, nonce: str) -> Post:
    """Signed: `x-akto-signature: v1=HMAC-SHA256(secret, timestamp "." id "." body)`.

    A receiver refuses a timestamp older than five minutes and an id it has seen, so a copied call is worth nothing.
    """
    data = orjson.dumps(ocsf(notice, now) if channel.form == "ocsf" else plain_json(notice, now))
    stamp = str(int(now))
    headers = (
        ("content-type", "application/json"),
        ("x-akto-timestamp", stamp),
        ("x-akto-id", nonce),
        ("x-akto-signature", f"v1={sign(channel.key, stamp, nonce, data)}"),
    )
    return Post(channel.address, data, headers)


def sign(secret: str, stamp: str, nonce: str, data: bytes) -> str:
    """The signature of a webhook call."""
    return hmac.new(secret.encode(), f"{stamp}.{nonce}.".encode() + data, sha256).hexdigest()


def verify(secret: str, stamp: str, nonce: str, data: bytes, signature: str, now: float, seen: set[str]) -> bool:
    """What a receiver does: the right key, not older than five minutes, not seen before."""
    wanted = f"v1={sign(secret, stamp, nonce, data)}"
    fresh = stamp.isdigit() and abs(now - int(stamp)) <= 300 and nonce not in seen
    if not (hmac.compare_digest(wanted.encode(), signature.encode()) and fresh):
        return False
    seen.add(nonce)
    return True


def plain_json(notice: Notice, now: float) -> dict[str, Any]:
    """The product's own form."""
    incident, alert = notice.incident, notice.alert
    return {
        "event": notice.event,
        "at": now,
        "incident": {
            "id": incident.id,
            "fingerprint": incident.fingerprint,
            "title": incident.title,
            "subject": incident.subject,
            "severity": incident.severity.label,
            "state": incident.state.value,
            "opened": incident.opened,
            "updated": incident.updated,
            "count": incident.count,
            "trace_ids": list(incident.trace_ids[-10:]),
        },
        "alert": {
            "id": alert.id,
            "kind": alert.kind,
            "expected": alert.expected,
            "seen": alert.seen,
            "since": alert.since,
            "labels": dict(alert.labels),
        }
        if alert
        else None,
    }


def ocsf(notice: Notice, now: float) -> dict[str, Any]:
    """OCSF 1.3, Detection Finding (class 2004)."""
    incident, alert = notice.incident, notice.alert
    activity = {"opened": 1, "test": 99, "resolved": 3}.get(notice.event, 2)
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200400 + activity,
        "activity_id": activity,
        "time": int(now * 1000),
        "severity_id": _OCSF_SEVERITY[incident.severity],
        "severity": incident.severity.label.capitalize(),
        "status_id": {"open": 1, "acknowledged": 2, "resolved": 4}[incident.state.value],
        "count": incident.count,
        "message": text.title(notice),
        "start_time": int(incident.opened * 1000),
        "metadata": {"version": "1.3.0", "product": {"name": PRODUCT, "vendor_name": PRODUCT}, "uid": incident.id},
        "finding_info": {
            "uid": incident.id,
            "title": text.plain(incident.title),
            "desc": text.plain(f"expected {alert.expected}; seen {alert.seen}", 400) if alert else "",
            "types": [alert.kind if alert else "incident"],
            "related_events": [{"uid": item} for item in incident.trace_ids[-10:]],
        },
        "resources": [{"name": text.plain(incident.subject)}] if incident.subject else [],
    }


def cef(notice: Notice, now: float) -> str:
    """Common Event Format, version 0."""
    incident, alert = notice.incident, notice.alert
    kind = alert.kind if alert else "incident"
    head = "|".join(
        _cef_head(part)
        for part in (PRODUCT, PRODUCT, "1", kind, text.title(notice), str(_CEF_SEVERITY[incident.severity]))
    )
    pairs = {
        "rt": str(int(now * 1000)),
        "externalId": incident.id,
        "cnt": str(incident.count),
        "suser": text.plain(incident.subject),
        "act": notice.event,
        "cs1Label": "expected",
        "cs1": text.plain(alert.expected) if alert else "",
        "cs2Label": "seen",
        "cs2": text.plain(alert.seen) if alert else "",
    }
    return f"CEF:0|{head}|" + " ".join(f"{name}={_cef_value(value)}" for name, value in pairs.items() if value)


def syslog(channel: Channel, notice: Notice, now: float, host: str) -> bytes:
    """An RFC 5424 line: facility 13 (log audit)."""
    level = {Severity.LOW: 5, Severity.MEDIUM: 4, Severity.HIGH: 3, Severity.CRITICAL: 2}[notice.incident.severity]
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    said = cef(notice, now)
    if channel.form != "cef":
        said = orjson.dumps(ocsf(notice, now) if channel.form == "ocsf" else plain_json(notice, now)).decode()
    return f"<{13 * 8 + level}>1 {stamp} {text.plain(host, 64) or '-'} {PRODUCT} - {notice.event} - {said}".encode()


def _cef_head(part: str) -> str:
    return part.replace("\\", "\\\\").replace("|", "\\|")


def _cef_value(part: str) -> str:
    return part.replace("\\", "\\\\").replace("=", "\\=").replace("\n", "\\n")


_POSTS: dict[str, Callable[[Channel, Notice, float, str], Post]] = {
    "slack": _slack,
    "teams": _teams,
    "pagerduty": _pagerduty,
    "opsgenie": _opsgenie,
    "webhook": _webhook,
}
