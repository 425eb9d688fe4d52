"""The cases of a policy file, run: a text goes through the same scan and the same judging as traffic.

Scopes are left aside: a case asks what the rules make of a text, `explain` asks who they apply to. Results name the
case and what differed; the text itself is the file's own, so spans may be shown to the person who wrote it.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from akto_proxy.model import Finding, Segment
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.judgement import Judgement
from akto_proxy.policy.outside import Ask, concluded, question
from akto_proxy.policy.schema import Case, PolicyFile

Scan = Callable[[Sequence[Segment], frozenset[str]], Sequence[Sequence[Finding]]]
"""Findings of segments under the enabled rule ids: `Scanner.scan`."""


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what differed from what it expects; no problem: it passed.

    `unasked`: a check outside would have a say and was not asked.
    """

    case: Case
    problems: tuple[str, ...]
    unasked: bool = False


def run_cases(file: PolicyFile, policies: PolicySet, scan: Scan, ask: Ask | None = None) -> list[Result]:
    """The results of the cases of `file` under `policies` (normally its own). Without `ask` nobody outside is asked."""
    plan = policies.everything()
    results = []
    for case in file.cases:
        segment = Segment(case.input, case.place or "/case", case.speaker, case.direction)
        judged = plan.judge([segment], scan([segment], plan.enabled(case.direction)))
        asked = question(plan, [segment], judged)
        if asked is not None and ask is not None:
            judged = concluded(plan, asked, ask([asked])[0], judged)
        results.append(Result(case, tuple(check(case, judged)), asked is not None and ask is None))
    return results


def check(case: Case, judged: Judgement) -> Iterable[str]:
    """What differs between a case and its judgement, in sentences."""
    if judged.action is not case.expect:
        rules = ", ".join(sorted({f"{item.policy}/{item.rule}" for item in judged.decisions})) or "nothing found"
        yield f"expected {case.expect.label}, got {judged.action.label} ({rules})"
    if case.spans is not None:
        got = [(edit.start, edit.end) for edit in judged.edits.get(0, ())]
        wanted, missing = _wanted(case)
        yield from missing
        if got != wanted:
            yield f"expected spans {wanted}, got {got}"
    if case.policy is not None and case.policy not in {item.policy for item in judged.decisions}:
        yield f"expected a decision of policy {case.policy}"


def _wanted(case: Case) -> tuple[list[tuple[int, int]], list[str]]:
    spans: list[tuple[int, int]] = []
    missing: list[str] = []
    after = 0
    for span in case.spans or ():
        if not isinstance(span, str):
            spans.append((span[0], span[1]))
            continue
        start = case.input.find(span, after)
        if start < 0:
            missing.append("a span is not a part of the input (spans stand in the order of the text)")
            continue
        after = start + len(span)
        spans.append((start, after))
    return sorted(spans), missing


def junit(results: Sequence[tuple[str, Result]]) -> str:
    """JUnit XML of results, each with the name of its file."""
    failed = sum(bool(result.problems) for _, result in results)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuite name="policy" tests="{len(results)}" failures="{failed}">',
    ]
    for name, result in results:
        title = f'<testcase classname="{_xml(name)}" name="{_xml(result.case.name)}"'
        if result.problems:
            lines.append(f'{title}><failure message="{_xml("; ".join(result.problems))}"/></testcase>')
        else:
            lines.append(f"{title}/>")
    return "\n".join([*lines, "</testsuite>", ""])


def _xml(text: str) -> str:
    return html.escape("".join(char if char.isprintable() else "?" for char in text))
