"""What of two plans is not in both: the clauses whose answer can move a verdict.

A replay asks these alone first. Where they find nothing, what both plans share gives both the same verdict, whatever it
is, so nothing else need be read. That is exact: a rule that finds nothing by itself displaces no other's finding.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from akto_proxy.policy.clause import Clause
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.plan import Plan

_SILENT = {"name", "description", "message", "response_message", "severity", "controls"}
_PLACE = {"rules", "scope", "exclude", "sample", "enabled"}  # a plan is of clauses that were found to apply


class Differences:
    """The parts of plans of two PolicySets that differ, remembered by pair."""

    def __init__(self, old: PolicySet, new: PolicySet) -> None:
        self._old, self._new = old, new
        self._keys = {id(item): _meaning(item) for policies in (old, new) for item in policies.clauses()}
        self._parts: dict[tuple[int, int], tuple[Plan, Plan]] = {}
        self._kept: list[Plan] = []  # so that no id is given to another plan

    def parts(self, before: Plan, after: Plan) -> tuple[Plan, Plan]:
        """Of each of two plans the clauses that the other lacks."""
        key = (id(before), id(after))
        if key not in self._parts:
            if len(self._parts) >= 4_096:
                self._parts.clear()
                self._kept.clear()
            self._kept += (before, after)
            self._parts[key] = (
                self._old.part(self._only(before.clauses, after.clauses)),
                self._new.part(self._only(after.clauses, before.clauses)),
            )
        return self._parts[key]

    def _only(self, mine: Sequence[Clause], others: Sequence[Clause]) -> list[Clause]:
        left = Counter(self._keys[id(item)] for item in others)
        only = []
        for item in mine:
            key = self._keys[id(item)]
            if left[key]:
                left[key] -= 1
            else:
                only.append(item)
        return only


def _meaning(item: Clause) -> str:
    """All of a clause that can change a verdict."""
    policy = item.policy.model_dump(mode="json", exclude=_SILENT | _PLACE)
    rule = item.rule.model_dump(mode="json", exclude=_SILENT - {"name", "message", "response_message"} | {"id"})
    kind = type(item.rule).__name__
    return json.dumps([kind, rule, policy, sorted(item.directions), sorted(item.roles), item.steps], sort_keys=True)
