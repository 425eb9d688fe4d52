"""What a page's address says about which traces: query parameters to a store's Filter, and back.

The same names are used by pages, the JSON API, saved views and exports, so that any view can be shared as a link.
Unknown or malformed values filter nothing rather than fail: a link from elsewhere must open.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

from akto_proxy.model import Action, Severity
from akto_proxy.store.face import Filter

RANGES: Mapping[str, float] = {"15m": 900, "1h": 3600, "24h": 86400, "7d": 604800, "30d": 2592000, "all": 0}
WORDS = (
    "user",
    "key",
    "team",
    "agent",
    "ip",
    "session",
    "project",
    "endpoint",
    "route",
    "engine",
    "model",
    "outcome",
    "sensitivity",
    "rule",
    "category",
    "entity",
    "policy",
    "direction",
    "text",
)
"""Parameters that are the fields of a Filter, by the same name."""

MAX_VALUE = 300


@dataclass(frozen=True, slots=True)
class Conditions:
    """A Filter with the words it came from (`asked`), to be kept in links."""

    where: Filter
    asked: dict[str, str]
    since: str

    @property
    def others(self) -> dict[str, str]:
        """What is asked besides the time."""
        return {key: value for key, value in self.asked.items() if key not in ("since", "from", "to")}

    def before(self) -> Filter:
        """The same for the time of equal length just before."""
        span = self.where.until - self.where.since
        return replace(self.where, since=self.where.since - span, until=self.where.since)


def conditions(params: Mapping[str, str], now: float, *, default: str = "24h") -> Conditions:
    """Read query parameters. `since` is one of RANGES, or `from` and `to` are Unix seconds or ISO 8601 (UTC)."""
    asked = {key: value.strip()[:MAX_VALUE] for key, value in params.items() if value.strip()}
    since = asked.get("since", default)
    since = since if since in RANGES else default
    start, end = _around(RANGES[since], now)
    if "from" in asked or "to" in asked:
        since, start, end = "", _moment(asked.get("from", "")), _moment(asked.get("to", ""))
    words = {key: asked[key] for key in WORDS if key in asked}
    where = Filter(
        since=start,
        until=end,
        verdicts=tuple(action for action in Action if action.label in asked.get("verdict", "").split(",")),
        severity=next((level for level in Severity if level.label == asked.get("severity")), None),
        bypassed={"yes": True, "no": False}.get(asked.get("bypassed", "")),
        status=_status(asked.get("status", "")),
        **words,
    )
    known = {*WORDS, "since", "from", "to", "verdict", "severity", "bypassed", "status"}
    kept = {key: value for key, value in asked.items() if key in known}
    return Conditions(where, kept, since)


def _around(span: float, now: float) -> tuple[float, float]:
    """The last `span` seconds, widened to whole hours (up to an hour: minutes), which a store answers from rollups."""
    if not span:
        return 0.0, 0.0
    step = 60.0 if span <= 3600 else 3600.0
    return (now - span) // step * step, (now // step + 1) * step


def step_for(where: Filter, now: float, *, buckets: int = 60) -> float:
    """A round number of seconds that cuts the time into about so many buckets."""
    span = max(60.0, (where.until or now) - (where.since or now - 30 * 86400))
    rounds = (10, 30, 60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800)
    return float(next((step for step in rounds if span / step <= buckets), 2592000))


def _status(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 0


def _moment(text: str) -> float:
    """Unix seconds, or what a date field of a page says (read as UTC); 0 where it is neither."""
    try:
        value = float(text)
    except ValueError:
        try:
            value = dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()
        except (ValueError, OverflowError):
            return 0.0
    return value if 0 <= value < 1e11 else 0.0
