"""What is said of an incident: names, numbers and ids, never a prompt, an answer or a matched value.

A caller names its own user, model and session, so every name is made harmless before it is shown: no line breaks, no
mark-up, no mention of a whole channel, bounded.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from akto_proxy.model import Severity
from akto_proxy.watch.desk import Notice

_MARKUP = re.compile(r"[<>&|*_`~\[\]()#@\\{}$\"]")
_EVENTS = {
    "opened": "New incident",
    "again": "Incident goes on",
    "worse": "Incident got worse",
    "escalated": "Nobody took this incident",
    "resolved": "Incident is over",
    "test": "Test",
}


def plain(text: str, limit: int = 200) -> str:
    """A text that is nothing but a text, on one line."""
    printable = "".join(char if char.isprintable() else " " for char in text[: limit * 2])
    return " ".join(_MARKUP.sub(" ", printable).split())[:limit]


def title(notice: Notice) -> str:
    """One line."""
    incident = notice.incident
    return f"[{incident.severity.label}] {_EVENTS.get(notice.event, notice.event)}: {plain(incident.title)}"


def facts(notice: Notice) -> list[tuple[str, str]]:
    """Name and value of what is known."""
    incident, alert = notice.incident, notice.alert
    rows = [("Subject", plain(incident.subject)), ("Alerts", str(incident.count)), ("Since", moment(incident.opened))]
    if alert is not None:
        rows += [("Expected", plain(alert.expected)), ("Seen", plain(alert.seen))]
        rows += [("Endpoint", plain(dict(alert.labels).get("endpoint", "")))]
    if incident.trace_ids:
        rows.append(("Trace", incident.trace_ids[-1]))
    rows.append(("Incident", incident.id))
    return [(name, value) for name, value in rows if value]


def body(notice: Notice, link: str = "") -> str:
    """Some lines."""
    lines = [title(notice), "", *(f"{name}: {value}" for name, value in facts(notice))]
    return "\n".join([*lines, *([f"{link}/incidents/{notice.incident.id}"] if link else [])])


def moment(at: float) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


COLOURS = {
    Severity.LOW: "#6b7280",
    Severity.MEDIUM: "#d97706",
    Severity.HIGH: "#dc2626",
    Severity.CRITICAL: "#7f1d1d",
}
"""For channels that show one."""
