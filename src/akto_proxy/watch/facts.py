"""What alert rules look at: a decision, an anomaly or the health of a part, in one form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from akto_proxy.model import Action, Direction, Severity, Trace
from akto_proxy.store.control import ProxyHealth
from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.observation import who

NAMES = frozenset(
    (
        "source", "kind", "severity", "action", "would", "category", "entity", "rule", "policy", "direction", "mode",
        "endpoint", "model", "caller", "key", "user", "team", "ip", "agent", "session", "subject", "score", "count",
        "bypassed", "lag", "lag_seconds", "dropped", "silent_seconds", "days_left", "proxy",
    )
)  # fmt: skip
"""Every name an expression may use."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `source` is `decision`, `anomaly` or `health`; `values` what expressions see."""

    source: str
    at: float
    title: str
    subject: str
    severity: Severity
    values: Mapping[str, Any] = field(default_factory=dict)
    expected: str = ""
    seen: str = ""
    since: float = 0.0
    score: float = 1.0
    trace_ids: tuple[str, ...] = ()


_DONE = {Action.BLOCK: "blocked", Action.REDACT: "redacted"}
_CAPITALS = frozenset(("iban", "bic", "ip", "mac", "url", "ssn", "itin", "nhs", "vat", "id", "pii", "us", "uk", "eu"))


def spoken(name: str) -> str:
    """An entity or rule as words: `PROMPT_INJECTION` is "Prompt injection", `IBAN_CODE` "IBAN code"."""
    words = [word.upper() if word in _CAPITALS else word for word in name.lower().replace("-", "_").split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def of_decisions(trace: Trace) -> Iterator[Fact]:
    """One fact for each decision of a trace. Its subject also says how a caller with a key names itself, which proves
    nothing, so nothing is grouped by it.
    """
    caller = trace.caller
    name = who(caller.key, caller.user, caller.ip)
    said = (caller.user or caller.agent)[:60] if caller.key else ""
    subject = f"caller {name}" + (f" ({said})" if said else "")
    shared = {
        "source": "decision",
        "endpoint": trace.endpoint,
        "model": trace.model,
        "caller": name,
        "key": caller.key,
        "user": caller.user,
        "team": caller.team,
        "ip": caller.ip,
        "agent": caller.agent,
        "session": caller.session,
        "subject": f"caller {name}",
    }
    for item in trace.decisions:
        done = _DONE.get(item.action, "noticed")
        title = f"Check {item.rule} could not run" if item.bypassed else f"{spoken(item.entity or item.rule)} {done}"
        values = shared | {
            "kind": item.rule,
            "severity": int(item.severity),
            "action": int(item.action),
            "would": int(item.would),
            "category": item.category,
            "entity": item.entity,
            "rule": item.rule,
            "policy": item.policy,
            "direction": item.direction.value,
            "mode": item.mode.value,
            "score": item.score,
            "count": item.count,
            "bypassed": item.bypassed,
        }
        where = "request" if item.direction is Direction.REQUEST else "answer"
        times = "" if item.count == 1 else f", {item.count} times"
        seen = f"rule {item.rule} of policy {item.policy}, in the {where}{times}"
        yield Fact(
            "decision", trace.started, title, subject, item.severity, values,
            seen=seen, score=item.score, trace_ids=(trace.id,),
        )  # fmt: skip


def of_anomaly(item: Anomaly) -> Fact:
    """The fact of an anomaly."""
    kind, _, name = item.subject.partition(" ")
    values = {
        "source": "anomaly",
        "kind": item.kind,
        "severity": int(item.severity),
        "endpoint": item.endpoint,
        "subject": item.subject,
        "score": item.score,
        "action": int(Action.ALERT),
    }
    if kind in ("caller", "agent", "session"):
        values[kind] = name
    if name.startswith(("key:", "user:", "ip:")):
        field_name, _, value = name.partition(":")
        values[field_name] = value
    title = f"Unusual {item.kind.replace('-', ' ')}"
    return Fact(
        "anomaly", item.at, title, item.subject, item.severity, values,
        item.expected, item.seen, item.since, item.score, item.trace_ids,
    )  # fmt: skip


def of_health(health: ProxyHealth, at: float) -> Fact:
    """What a proxy last said of itself."""
    silent = max(0.0, at - health.seen)
    values = {
        "source": "health",
        "kind": "proxy",
        "proxy": health.name,
        "subject": f"proxy {health.name}",
        "lag": health.lag,
        "lag_seconds": health.lag_seconds,
        "dropped": health.dropped,
        "silent_seconds": silent,
        "severity": int(Severity.HIGH),
    }
    seen = f"silent for {silent:.0f} s, {health.lag_seconds:.0f} s behind, {health.dropped} dropped"
    return Fact("health", at, "Proxy is not well", f"proxy {health.name}", Severity.HIGH, values, seen=seen)


def of_certificate(name: str, days_left: float, at: float) -> Fact:
    """A certificate and when it ends."""
    values = {
        "source": "health",
        "kind": "certificate",
        "subject": f"certificate {name}",
        "days_left": days_left,
        "severity": int(Severity.MEDIUM),
    }
    seen = f"{days_left:.1f} days left"
    return Fact("health", at, "Certificate ends soon", f"certificate {name}", Severity.MEDIUM, values, seen=seen)
