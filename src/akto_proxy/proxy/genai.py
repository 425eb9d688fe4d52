"""What OpenTelemetry's GenAI conventions call the operation of a route. Pure."""

from __future__ import annotations

from akto_proxy.model import Trace

_OPERATIONS = (
    ("embed", "embeddings"),
    ("rerank", "rerank"),
    ("completions", "text_completion"),
    ("generate", "text_completion"),
)


def operation(trace: Trace) -> str:
    """The GenAI operation of a route."""
    for part, name in _OPERATIONS:
        if part in trace.route or (part in trace.path and "chat" not in trace.path):
            return name
    return "chat"
