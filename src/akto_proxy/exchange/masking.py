"""Texts as they may be kept and shown: every finding, whatever a policy did with it, is its entity's label there."""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.model import Finding

SHOWN = frozenset(
    (
        "injection",
        "jailbreak",
        "harm",
        "code",
        "language",
        "gibberish",
        "sentiment",
        "refusal",
        "invisible",
        "limit",
        "tools",
    )
)
"""Categories whose findings say what a text is, not what must be hidden: an analyst has to see the attack."""


def masked(text: str, findings: Sequence[Finding]) -> str:
    """`text` with every finding that names a protected text replaced by its entity's label."""
    out: list[str] = []
    at = 0
    for finding in sorted(findings):
        if finding.category in SHOWN or finding.end <= max(at, finding.start):
            continue
        out += (text[at : max(at, finding.start)], f"<{finding.entity}>")
        at = finding.end
    out.append(text[at:])
    return "".join(out)
