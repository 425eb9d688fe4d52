"""Reversible tokens put back in the answer to the caller they were made for.

A token's form is a rule of the matching engine (docs/decisions/0002), so a stream holds back a half token exactly as it
holds back half a secret; here its finding becomes an edit that takes the original out of the exchange's own vault.
A token that this exchange did not give out stays as it is: nobody can ask for another caller's texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from akto_proxy.guard.rule import Rule
from akto_proxy.model import Finding
from akto_proxy.policy.compile import Edit, Judgement

RESTORE = "restore"
"""The replacement of an edit that puts an original back."""

TOKEN_RULE = Rule(
    id="reversible-token",
    entity="TOKEN",
    category="token",
    pattern=r"<[A-Z][A-Z0-9_]{0,60}_[a-z2-7]{10}>",
    score=1.0,
    yes=("<EMAIL_ADDRESS_abcdefghij>",),
    no=("<EMAIL_ADDRESS>",),
    source="guard/replace.py",
)


def split(findings: Sequence[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Findings for the policy, and those of tokens."""
    tokens = [finding for finding in findings if finding.rule == TOKEN_RULE.id]
    return [finding for finding in findings if finding.rule != TOKEN_RULE.id], tokens


def restored(judgement: Judgement, tokens: dict[int, list[Finding]]) -> Judgement:
    """The judgement with edits that put originals back, by segment; an edit of the policy's own wins over them."""
    edits = dict(judgement.edits)
    for number, findings in tokens.items():
        own = list(edits.get(number, ()))
        for finding in findings:
            if not any(edit.start < finding.end and finding.start < edit.end for edit in own):
                own.append(Edit(finding.start, finding.end, RESTORE, finding, ""))
        edits[number] = tuple(sorted(own, key=lambda edit: edit.start))
    return replace(judgement, edits=edits)
