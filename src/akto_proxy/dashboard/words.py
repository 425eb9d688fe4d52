"""The words of the pages that come from a fixed set: navigation, verdicts, outcomes, roles, ranges, explanations."""

from __future__ import annotations

from typing import Any

from akto_proxy.dashboard.roles import Need


def _item(key: str, label: str, href: str, icon: str, need: Need = Need.READ) -> dict[str, Any]:
    return {"key": key, "label": label, "href": href, "icon": icon, "need": need}


NAV: tuple[dict[str, Any], ...] = (
    {
        "label": "Observe",
        "items": (_item("overview", "Overview", "/", "overview"), _item("traces", "Traces", "/traces", "traces")),
    },
    {
        "label": "Decide",
        "items": (
            _item("activity", "Guardrail activity", "/activity", "activity"),
            _item("incidents", "Incidents", "/incidents", "incidents"),
            _item("policies", "Policies", "/policies", "policies"),
            _item("limits", "Limits", "/limits", "limits"),
        ),
    },
    {
        "label": "Know",
        "items": (
            _item("endpoints", "Endpoints", "/endpoints", "endpoints"),
            _item("callers", "Callers", "/callers", "callers"),
            _item("reports", "Reports", "/reports", "reports"),
        ),
    },
    {"label": "Run", "items": (_item("settings", "Settings", "/settings/people", "settings", Need.ADMIN),)},
)

VERDICT = {"allow": "Allowed", "alert": "Alerted", "redact": "Redacted", "block": "Blocked"}

OUTCOME = {
    "ok": "Allowed",
    "blocked": "Blocked",
    "redacted": "Redacted",
    "refused": "Refused",
    "limited": "Rate limited",
    "upstream_unauthorized": "Model: 401",
    "upstream_forbidden": "Model: 403",
    "upstream_not_found": "Model: 404",
    "upstream_paused": "Model paused",
    "upstream_scaled_to_zero": "Model asleep",
    "upstream_error": "Model error",
    "upstream_unreachable": "Model unreachable",
    "upstream_timeout": "Model timed out",
    "client_gone": "Caller left",
}

OUTCOME_HELP = {
    "refused": "The proxy refused the request itself: the route is not served, or its form or size is not acceptable.",
    "limited": "A rate limit or budget was reached. The model was not called.",
    "upstream_unauthorized": "The model server did not accept the Hugging Face token (401).",
    "upstream_forbidden": "The token is good but has no access to this endpoint (403).",
    "upstream_not_found": "The model server has no such route or model (404).",
    "upstream_paused": "The endpoint is paused in Hugging Face. Resume it there.",
    "upstream_scaled_to_zero": "The endpoint was asleep and did not wake up in time.",
    "upstream_error": "The model server answered with an error.",
    "upstream_unreachable": "No connection to the model server: address, network or certificate.",
    "upstream_timeout": "The model server did not answer in time.",
    "client_gone": "The caller closed the connection before the answer was complete.",
}

ROLES = {"viewer": "Viewer", "analyst": "Analyst", "editor": "Policy editor", "admin": "Administrator"}

RANGES = (("15m", "15 min"), ("1h", "1 h"), ("24h", "24 h"), ("7d", "7 d"), ("30d", "30 d"))

SPEAKERS = {
    "user": "User",
    "assistant": "Assistant",
    "system": "System",
    "developer": "Developer",
    "tool": "Tool",
    "function": "Tool",
    "proxy": "Agent Proxy",
}


def all_words() -> dict[str, Any]:
    """What templates see as `words`."""
    return {
        "nav": NAV,
        "verdict": VERDICT,
        "outcome": OUTCOME,
        "outcome_help": OUTCOME_HELP,
        "roles": ROLES,
        "ranges": RANGES,
        "speakers": SPEAKERS,
    }
