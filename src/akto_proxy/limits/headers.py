"""What a refused caller is told: `Retry-After`, and the `RateLimit` and `RateLimit-Policy` fields of the IETF draft."""

from __future__ import annotations

from akto_proxy.limits.book import Refused
from akto_proxy.limits.schema import Limit

_UNIT = {"requests": "requests", "bytes": "content-bytes", "concurrent": "concurrent-requests"}


def refused_headers(refused: Refused) -> list[tuple[bytes, bytes]]:
    """The header fields of a 429: the limits that counted this call. Others, and shadow limits, are the operator's
    business only.
    """
    counted = dict.fromkeys(limit.name for limit in refused.limits or (refused.limit,))
    by_name = {limit.name: limit for limit in (*refused.limits, refused.limit)}
    shown = [by_name[name] for name in counted if by_name[name].mode == "enforce"]
    policy = ", ".join(_policy(limit) for limit in shown)
    state = f'"{refused.limit.name}";r=0;t={refused.retry_after}'
    return [
        (b"retry-after", str(refused.retry_after).encode()),
        (b"ratelimit", state.encode()),
        (b"ratelimit-policy", policy.encode()),
    ]


def message(refused: Refused) -> str:
    """One sentence for a person."""
    limit = refused.limit
    span = "at the same time" if limit.count == "concurrent" else f"in {limit.per:g} s"
    count = limit.count.replace("_", " ").replace("concurrent", "calls")
    each = f" for each {' and '.join(limit.by)}" if limit.by else ""
    return (
        f"Limit '{limit.name}' is reached: {limit.limit:g} {count} {span}{each}. Try again in {refused.retry_after} s."
    )


def _policy(limit: Limit) -> str:
    unit = _UNIT.get(limit.count, limit.count.replace("_", "-"))
    window = f";w={limit.window}" if limit.window else ""
    quota = max(1, int(limit.limit))
    return f'"{limit.name}";q={quota};qu="{unit}"{window}'
