"""Why a decision was made, in words: what the rule looks for, what it checked, and what the policy says about it."""

from __future__ import annotations

from akto_proxy.guard.rule import Rule
from akto_proxy.model import Action, Decision, Direction, Mode

ACTS = {
    Action.ALLOW: "lets it pass",
    Action.ALERT: "only tells about it",
    Action.REDACT: "replaces it",
    Action.BLOCK: "refuses the call",
}


LEARNED = {
    "prompt-injection": "A learned detector read this text as an attempt to override the assistant's instructions.",
    "system-prompt-extraction": "A learned detector read this text as an attempt to get the hidden instructions.",
    "jailbreak": "A learned detector read this text as an attempt to talk the model out of its limits.",
    "person": "A learned detector read this as the name of a person.",
    "location": "A learned detector read this as the name of a place.",
    "organization": "A learned detector read this as the name of an organisation.",
}
"""What a finding of a learned detector means: it has no pattern that could be shown."""


def reason(decision: Decision, rule: Rule | None) -> str:
    """A few sentences. `rule` is the shipped rule of the decision, None for a policy's own. Holds no protected text:
    the example is the rule's own, from the tables that ship.
    """
    return " ".join(part for part in (_found(decision), _looked(decision, rule), _policy(decision)) if part)


def _found(decision: Decision) -> str:
    if decision.bypassed:
        return f"The check could not run: {decision.reason or 'no reason was given'}."
    if decision.reason:
        return f"{decision.reason[:1].upper()}{decision.reason[1:].rstrip('.')}."
    times = "once" if decision.count == 1 else f"{decision.count} times"
    where = "request" if decision.direction is Direction.REQUEST else "answer"
    return f"Found {times} in the {where}, with a score of {decision.score:.2f}."


def _looked(decision: Decision, rule: Rule | None) -> str:
    if rule is None:
        return LEARNED.get(decision.rule, "")
    checks = []
    if rule.validator:
        checks.append("its check digits or form are right")
    if rule.context_required or rule.keywords:
        checks.append("a word near it names it")
    example = f"The rule looks for texts such as \u201c{rule.yes[0][:80]}\u201d" if rule.yes else ""
    if example and checks:
        return f"{example}, where {' and '.join(checks)}."
    return f"{example}." if example else ""


def _policy(decision: Decision) -> str:
    if decision.mode is Mode.MONITOR and decision.would is not decision.action:
        return f"Policy {decision.policy} is in monitor mode; enforced, it {ACTS[decision.would]}."
    return f"Policy {decision.policy} {ACTS[decision.action]}."
