"""A decision is explained in words that hold nothing of the text it is about."""

from __future__ import annotations

from dataclasses import replace

from akto_proxy.dashboard.reasons import reason
from akto_proxy.guard.rule import Rule
from akto_proxy.model import Action, Decision, Direction, Mode, Severity

MADE = Decision("pii", "iban", "pii", "IBAN_CODE", Severity.HIGH, Action.REDACT, Direction.RESPONSE, score=0.9)
RULE = Rule("iban", "IBAN_CODE", "pii", "x", validator="iban", keywords=("account",), yes=("DE89 3704",))


def test_what_was_looked_for_what_was_checked_and_what_was_done() -> None:
    text = reason(MADE, RULE)
    assert text.startswith("Found once in the answer, with a score of 0.90.")
    assert "such as “DE89 3704”, where its check digits or form are right and a word near it names it." in text
    assert text.endswith("Policy pii replaces it.")


def test_monitor_mode_says_what_enforcing_would_do() -> None:
    watched = replace(MADE, action=Action.ALERT, would=Action.BLOCK, mode=Mode.MONITOR, count=3)
    assert reason(watched, None) == (
        "Found 3 times in the answer, with a score of 0.90. "
        "Policy pii is in monitor mode; enforced, it refuses the call."
    )


def test_a_check_that_did_not_run_says_so_first() -> None:
    text = reason(replace(MADE, bypassed=True, reason="the detector did not answer"), None)
    assert text.startswith("The check could not run: the detector did not answer.")


def test_the_programs_own_reason_stands_instead_of_ours() -> None:
    assert reason(replace(MADE, reason="2 links to elsewhere"), None).startswith("2 links to elsewhere. Policy")
