"""Policies compiled: a PolicySet is frozen, has a version, and answers which plan a call gets.

A new set replaces the old one by a single assignment in the shell, so a call that began under one set ends under it.
Plans are cached by what the policies look at: if none names users, a thousand users share one plan. Within a set the
policies stand in the order of their names, so neither file order nor load order can change a decision.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from akto_proxy.errors import PolicyError
from akto_proxy.guard.rule import Rule
from akto_proxy.policy.catalogue import ENGINE, Known, Selector, detector_of, selector, with_detectors
from akto_proxy.policy.clause import Clause, clause, external_id
from akto_proxy.policy.custom import rules_of
from akto_proxy.policy.judgement import CLEAN, Edit, Judgement
from akto_proxy.policy.pattern import PatternError
from akto_proxy.policy.plan import Plan
from akto_proxy.policy.rules import DetectRule, ExternalRule
from akto_proxy.policy.schema import Policy
from akto_proxy.policy.scope import Matcher, Part, Scope
from akto_proxy.policy.terms import MAX_POLICIES

__all__ = ["CLEAN", "Edit", "Judgement", "Plan", "PolicySet", "Scope"]

K = TypeVar("K")
V = TypeVar("V")

MAX_KEYS = 4_096  # scopes remembered; the oldest goes first
MAX_PLANS = 512


class PolicySet:
    """All policies in force, ready to be asked."""

    def __init__(self, policies: Sequence[Policy], known: Mapping[str, Known]) -> None:
        self.all_policies: tuple[Policy, ...] = tuple(sorted(policies, key=lambda policy: policy.name))
        self.policies: tuple[Policy, ...] = tuple(policy for policy in self.all_policies if policy.enabled)
        _distinct(self.all_policies)
        self.version = _version(self.all_policies)
        self.known = with_detectors(known)
        custom: list[Rule] = []
        self._ids: dict[int, frozenset[str]] = {}
        self._clauses: list[tuple[Clause, ...]] = []
        for policy in self.policies:
            self._clauses.append(tuple(self._compile(policy, custom)))
        self.custom_rules: tuple[Rule, ...] = tuple(custom)
        self.custom: dict[str, Rule] = {rule.id: rule for rule in custom}
        self.known.update(self.custom)
        self.detectors = self._detectors()
        self._scopes = [_matchers(policy) for policy in self.policies]
        self._looked_at = _looked_at(self._scopes)
        self.sampled = any(policy.sample < 1.0 for policy in self.policies)
        """Whether `plan` has a use for a ticket."""
        self.everywhere = not self._looked_at and not self.sampled
        """Whether every call has the same plan, whatever its scope."""
        self._masks: dict[tuple[tuple[str, ...], ...], int] = {}
        self._plans: dict[int, Plan] = {}
        self._only: Plan | None = None

    def plan(self, scope: Scope, ticket: float = 0.0) -> Plan:
        """The plan of a call. `ticket` in [0, 1) draws the calls that a sampled policy checks; 0 draws all."""
        if self.everywhere:
            self._only = self._only or self.everything()
            return self._only
        key = tuple(tuple(part.read(scope)) for part in self._looked_at)
        mask = self._masks.get(key)
        if mask is None:
            mask = sum(1 << number for number in range(len(self.policies)) if self.applies(number, scope))
            _remember(self._masks, key, mask, MAX_KEYS)
        if self.sampled and ticket:
            for number, policy in enumerate(self.policies):
                if ticket >= policy.sample:
                    mask &= ~(1 << number)
        plan = self._plans.get(mask)
        if plan is None:
            chosen = [item for number, items in enumerate(self._clauses) if mask >> number & 1 for item in items]
            plan = Plan(chosen, self.known, self._ids)
            _remember(self._plans, mask, plan, MAX_PLANS)
        return plan

    def applies(self, number: int, scope: Scope) -> bool:
        """Whether the policy of this number (in `policies`) is in scope."""
        inside, outside = self._scopes[number]
        return inside.holds(scope) and not (outside and outside.holds(scope))

    def matchers(self, number: int) -> tuple[Matcher, Matcher | None]:
        """The scope and the exclusion of the policy of this number."""
        return self._scopes[number]

    def everything(self) -> Plan:
        """A plan of all policies in force, scopes left aside."""
        return Plan(list(self.clauses()), self.known, self._ids)

    def part(self, clauses: Sequence[Clause]) -> Plan:
        """A plan of some of the clauses of this set."""
        return Plan(clauses, self.known, self._ids)

    def rule_ids(self, item: Clause) -> frozenset[str]:
        """The detection rules and detectors whose findings this clause takes."""
        return self._ids[item.index]

    def unserved(self, loaded: Iterable[str]) -> list[str]:
        """The rules that name a detector which is not among the `loaded`: they would find nothing, so say it aloud."""
        there = {ENGINE, *loaded}
        lines = []
        for item in self.clauses():
            names = {detector_of(self.known[one]) for one in self._ids[item.index] if one in self.known}
            if missing := sorted(names - there):
                lines.append(f"{item.policy.name}, {item.name}: {', '.join(missing)} not loaded")
        return lines

    def missing(self, loaded: Iterable[str]) -> dict[str, tuple[str, frozenset[str]]]:
        """The detectors that rules ask for and that are not among the `loaded`: name to category and rule ids."""
        there = {ENGINE, *loaded}
        wanted = frozenset().union(*self._ids.values()) if self._ids else frozenset()
        asked = [item for item in self.known.values() if item.id in wanted and detector_of(item) not in there]
        names = dict.fromkeys(detector_of(item) for item in asked)
        return {
            name: (
                next(item.category for item in asked if detector_of(item) == name),
                frozenset(item.id for item in asked if detector_of(item) == name),
            )
            for name in names
        }

    def clauses(self) -> Iterable[Clause]:
        """Every clause of every policy in force."""
        return (item for items in self._clauses for item in items)

    def _compile(self, policy: Policy, custom: list[Rule]) -> Iterable[Clause]:
        made = 0
        for number, rule in enumerate(policy.rules):
            index = len(self._ids)
            own = rules_of(policy, number, made)
            made += len(own)
            custom.extend(own)
            try:
                chosen = self._selector(policy, number, own)
            except PatternError as error:
                raise PolicyError(f"policy {policy.name}, rules[{number}].{_key(rule)}: {error}") from None
            ids = chosen.names if isinstance(rule, ExternalRule) else {item.id for item in own}
            taken = [] if own else [item for item in self.known.values() if _taken(chosen, item)]
            self._ids[index] = frozenset(ids | {item.id for item in taken} | {detector_of(item) for item in taken})
            yield clause(index, policy, number, chosen, frozenset(item.category for item in taken))

    def _selector(self, policy: Policy, number: int, own: Sequence[Rule]) -> Selector:
        rule = policy.rules[number]
        if isinstance(rule, DetectRule):
            return selector(rule.detect, rule.but, self.known)
        if isinstance(rule, ExternalRule):
            return Selector(frozenset({external_id(policy, rule.id or f"rules[{number}]")}))
        return Selector(frozenset(item.id for item in own))

    def _detectors(self) -> frozenset[str]:
        """Names of the detectors that some policy needs, and the categories of those beside the engine."""
        wanted = frozenset().union(*self._ids.values()) if self._ids else frozenset()
        needed = [item for item in self.known.values() if item.id in wanted]
        others = frozenset(item.category for item in needed if detector_of(item) != ENGINE)
        return others | frozenset(detector_of(item) for item in needed)


def _matchers(policy: Policy) -> tuple[Matcher, Matcher | None]:
    return Matcher(policy.scope), Matcher(policy.exclude) if policy.exclude else None


def _key(rule: object) -> str:
    return "detect" if isinstance(rule, DetectRule) else ""


def _taken(chosen: Selector, item: Known) -> bool:
    return chosen.takes(item.id, item.entity, item.category, item.family)


def _distinct(policies: Sequence[Policy]) -> None:
    if len(policies) > MAX_POLICIES:
        raise PolicyError(f"more than {MAX_POLICIES} policies: join some")
    for first, second in pairwise(policies):
        if first.name == second.name:
            raise PolicyError(f"two policies are named {first.name!r}: rename one")


def _version(policies: Iterable[Policy]) -> str:
    text = json.dumps([policy.model_dump(mode="json") for policy in policies], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _looked_at(scopes: Iterable[tuple[Matcher, Matcher | None]]) -> tuple[Part, ...]:
    parts = {part.name: part for inside, outside in scopes for one in (inside, outside) if one for part in one.parts}
    return tuple(parts[name] for name in sorted(parts))


def _remember(cache: dict[K, V], key: K, value: V, most: int) -> None:
    if len(cache) >= most:
        del cache[next(iter(cache))]
    cache[key] = value
