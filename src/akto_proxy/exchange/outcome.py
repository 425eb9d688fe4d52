"""What an upstream answer says of the endpoint, in one stable word.

Hugging Face's gateway answers 400 for a paused endpoint and 503 for one scaled to zero, so the status alone misleads:
the body's fixed sentence is looked for too. The answer itself is passed on as it is; only the trace is told apart.
"""

from __future__ import annotations

from akto_proxy.errors import UpstreamError

OUTCOMES = (
    "ok",
    "alerted",
    "redacted",
    "blocked",
    "refused",
    "limited",
    "upstream_unauthorized",
    "upstream_forbidden",
    "upstream_not_found",
    "upstream_paused",
    "upstream_scaled_to_zero",
    "upstream_error",
    "upstream_unreachable",
    "upstream_timeout",
    "client_gone",
)
"""Every word a trace's `outcome` may hold, so that it can be a metric label."""

OURS = frozenset(("refused", "limited"))
"""Outcomes of calls that the proxy itself did not let through, whatever a policy said: their verdict is `block`."""

UNREACHED = frozenset(("unreachable", "dns", "tls", "certificate"))
"""The reasons of an UpstreamError that mean no connection was made: the words `proxy` raises."""


def of_answer(status: int, body: bytes) -> str:
    """The outcome of an upstream answer with this status and (the first bytes of) this body; "" when it is fine.

    Sentences: Hugging Face's gateway, as recorded (`The endpoint is paused`; `SERVICE_UNAVAILABLE` at once while
    scaled to zero).
    """
    if status < 400:
        return ""
    head = body[:2048]
    if status == 400 and b"endpoint is paused" in head:
        return "upstream_paused"
    if status == 503 and (b"SERVICE_UNAVAILABLE" in head or b"Service Unavailable" in head):
        return "upstream_scaled_to_zero"
    named = {401: "upstream_unauthorized", 403: "upstream_forbidden", 404: "upstream_not_found"}
    return named.get(status, "upstream_error" if status >= 500 else "")


def of_failure(error: UpstreamError) -> tuple[int, str, str]:
    """Status for the caller, outcome and message, of an upstream that gave no answer."""
    if "timeout" in error.reason:
        return 504, "upstream_timeout", "The model endpoint did not answer in time."
    if error.reason in UNREACHED:
        return 502, "upstream_unreachable", f"The model endpoint cannot be reached ({error.reason})."
    return 502, "upstream_error", f"The model endpoint's answer could not be read ({error.reason})."
