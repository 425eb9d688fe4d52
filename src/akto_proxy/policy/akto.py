"""Akto's guardrail policies (`fetchGuardrailPolicies`) in our words, and a list of all that has no word here.

A field is mapped, named as unmapped, or known to say nothing about guarding; nothing is dropped in silence. Akto's
policies need no examples for a regex, ours do: one is made from the pattern itself and checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from akto_proxy.errors import PolicyError
from akto_proxy.guard.syntax import parse
from akto_proxy.policy.pattern import compiled
from akto_proxy.policy.sample import shortest
from akto_proxy.policy.schema import Policy

ACTIONS = {
    "block": "block",
    "alert": "alert",
    "monitor": "alert",
    "mask": "redact",
    "warn": "alert",
    "approval": "block",
}
CONFIDENCE = {"HIGH": 0.4, "MEDIUM": 0.5, "LOW": 0.85}
"""Akto's level says how easily a detector fires, ours the least score."""

PII: dict[str, tuple[str, ...]] = {
    "email": ("EMAIL_ADDRESS",),
    "phone_number": ("PHONE_NUMBER",),
    "ssn": ("US_SSN",),
    "ip": ("IP_ADDRESS",),
    "ip_address": ("IP_ADDRESS",),
    "credit_card": ("CREDIT_CARD",),
    "credit_card_cap": ("CREDIT_CARD",),
    "iban": ("IBAN_CODE",),
    "address": ("LOCATION",),
    "complete_address": ("LOCATION",),
    "jwt": ("secrets",),
    "password": ("secrets",),
    "secret": ("secrets",),
    "token": ("secrets",),
    "database": ("secrets",),
    "heroku": ("secrets",),
}
HARM: dict[str, tuple[str, ...]] = {
    "hate": ("harm-s10",),
    "insults": ("harm-s10", "harm-s5"),
    "sexual": ("harm-s3", "harm-s4", "harm-s12"),
    "violence": ("harm-s1", "harm-s9"),
    "misconduct": ("harm-s2",),
}
SILENT = frozenset(
    (
        *("_id", "id", "hexId", "createdBy", "updatedBy", "createdTimestamp", "updatedTimestamp"),
        *("source", "sourceHash", "contextSource", "modelConfigs", "enterpriseLicenseComplianceCategories"),
        *("name", "description", "severity", "behaviour", "active", "blockedMessage", "applyToResponses"),
        *("applyToAllServers", "applyOnRequest", "applyOnResponse"),
    )
)
"""Fields read elsewhere or that say nothing about guarding."""


@dataclass(slots=True)
class Imported:
    """Policies in our words and, by policy name, what could not be said in them."""

    policies: list[Policy] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)


class _Notes:
    """Collects what could not be mapped in one policy."""

    def __init__(self, name: str, names: frozenset[str]) -> None:
        self.name = name
        self.names = names
        self.lines: list[str] = []

    def add(self, key: str, why: str) -> None:
        self.lines.append(f"{self.name}: {key}: {why}")

    def known(self, targets: Iterable[str], key: str) -> list[str]:
        """Those targets that some rule here has; the others are noted."""
        targets = list(targets)
        missing = [target for target in targets if target not in self.names]
        if missing:
            self.add(key, f"no detector for {', '.join(missing)} is installed")
        return [target for target in targets if target in self.names]


def import_policies(payload: Mapping[str, Any], names: frozenset[str]) -> Imported:
    """The policies of a `fetchGuardrailPolicies` answer. `names` are the names our detectors have (the vocabulary).

    Raises:
        PolicyError: the answer has no list `guardrailPolicies`.
    """
    items = payload.get("guardrailPolicies")
    if not isinstance(items, list):
        raise PolicyError("fetchGuardrailPolicies: expected a list under `guardrailPolicies`")
    imported = Imported()
    used: set[str] = set()
    for number, item in enumerate(items):
        if not isinstance(item, Mapping):
            imported.unmapped.append(f"guardrailPolicies[{number}]: expected an object")
            continue
        notes = _Notes(_slug(str(item.get("name") or f"policy-{number}"), used), names)
        rules = [rule for key, value in item.items() for rule in _rules(key, value, item, notes)]
        _add(imported, item, rules, notes)
    return imported


def _add(imported: Imported, item: Mapping[str, Any], rules: list[dict[str, Any]], notes: _Notes) -> None:
    head = _head(item, notes)
    if rules:
        try:
            imported.policies.append(Policy.model_validate(head | {"rules": rules}))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            notes.add(".".join(map(str, first["loc"])), first["msg"])
    else:
        notes.add("(policy)", "none of its detectors can be mapped")
    imported.unmapped.extend(notes.lines)


def _slug(name: str, used: set[str]) -> str:
    base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:56] or "policy"
    slug, number = f"akto-{base}", 2
    while slug in used:
        slug, number = f"akto-{base}-{number}"[:64], number + 1
    used.add(slug)
    return slug


def _head(item: Mapping[str, Any], notes: _Notes) -> dict[str, Any]:
    asked, answered = item.get("applyOnRequest", True), item.get("applyOnResponse", False)
    behaviour = str(item.get("behaviour") or "block").lower()
    if behaviour in ("approval", "warn"):
        notes.add("behaviour", f"`{behaviour}` is not known here: `{ACTIONS[behaviour]}` is used")
    head: dict[str, Any] = {
        "name": notes.name,
        "description": str(item.get("description") or "")[:2_000],
        "severity": str(item.get("severity") or "medium").lower(),
        "action": ACTIONS.get(behaviour, "block"),
        "enabled": bool(item.get("active", True)) and bool(asked or answered),
        "direction": "both" if asked and answered else "response" if answered else "request",
        "message": str(item.get("blockedMessage") or "")[:500],
        "allow": [_phrase(phrase) for phrase in item.get("ignorePhrases") or () if isinstance(phrase, Mapping)],
    }
    servers = item.get("selectedAgentServersV2") or item.get("selectedMcpServersV2")
    if servers and not item.get("applyToAllServers"):
        globs = [str(server.get("name") or server.get("id") or "") for server in servers if isinstance(server, Mapping)]
        head["scope"] = {"endpoints": [glob for glob in globs if glob]}
    return head


def _phrase(phrase: Mapping[str, Any]) -> dict[str, Any]:
    key = "regex" if phrase.get("isRegex") else "phrase"
    return {key: str(phrase.get("phrase") or ""), "case_sensitive": bool(phrase.get("caseSensitive"))}


def _rules(key: str, value: Any, item: Mapping[str, Any], notes: _Notes) -> list[dict[str, Any]]:
    if key in SILENT or key in ("ignorePhrases", "selectedAgentServersV2", "selectedMcpServersV2") or not value:
        return []
    if isinstance(value, Mapping) and value.get("enabled") is False:
        return []
    reader = READERS.get(key)
    if reader is None:
        notes.add(key, "this field has no counterpart here")
        return []
    return reader(value, notes)


def _pii(value: Any, notes: _Notes) -> list[dict[str, Any]]:
    rules = []
    for item in value if isinstance(value, list) else ():
        kind = str(item.get("type") if isinstance(item, Mapping) else item).lower()
        targets = PII.get(kind) or (("secrets",) if kind.startswith("aws_") else ())
        if not targets:
            notes.add("piiTypes", f"`{kind[:40]}` has no counterpart here")
        elif chosen := notes.known(targets, "piiTypes"):
            behaviour = str(item.get("behavior") or "block") if isinstance(item, Mapping) else "block"
            least = int(item.get("minMatchCount") or 1) if isinstance(item, Mapping) else 1
            rules.append({"detect": chosen, "action": ACTIONS.get(behaviour.lower(), "block"), "min_matches": least})
    return rules


def _regexes(value: Any, notes: _Notes) -> list[dict[str, Any]]:
    rules = []
    for number, item in enumerate(value if isinstance(value, list) else ()):
        pattern = str(item.get("pattern") or "") if isinstance(item, Mapping) else str(item)
        behaviour = str(item.get("behavior") or "block") if isinstance(item, Mapping) else "block"
        try:
            example = shortest(parse(pattern))
            if compiled(pattern).search(example) is None:
                raise PolicyError("no example of it could be made: write the rule here by hand")
        except PolicyError as error:
            notes.add(f"regexPatternsV2[{number}]", str(error))
            continue
        action = ACTIONS.get(behaviour.lower(), "block")
        rules.append({"regex": pattern, "action": action, "match": [example], "no_match": [""]})
    return rules


def _topics(value: Any, notes: _Notes) -> list[dict[str, Any]]:
    rules = []
    for item in value if isinstance(value, list) else ():
        name = _slug(str(item.get("topic") or "topic"), set()).removeprefix("akto-")
        phrases = [str(phrase)[:200] for phrase in item.get("samplePhrases") or () if str(phrase).strip()]
        if phrases:
            notes.add("deniedTopics", f"`{name}` is matched by its sample phrases only, not by its meaning")
            rules.append({"topic": name, "phrases": phrases, "description": str(item.get("description") or "")[:500]})
        else:
            notes.add("deniedTopics", f"`{name}` has no sample phrases")
    return rules


def _filtering(value: Any, notes: _Notes) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    harmful = value.get("harmfulCategories") or {}
    for name, targets in HARM.items():
        level = str(harmful.get(name) or "NONE").upper()
        if level in CONFIDENCE and (chosen := notes.known(targets, f"harmfulCategories.{name}")):
            rules.append({"detect": chosen, "confidence": CONFIDENCE[level]})
    attacks = str((value.get("promptAttacks") or {}).get("level") or "NONE").upper()
    if attacks in CONFIDENCE and (chosen := notes.known(("injection", "jailbreak"), "promptAttacks")):
        rules.append({"detect": chosen, "confidence": CONFIDENCE[attacks], "direction": "request"})
    code = str((value.get("code") or {}).get("level") or "NONE").upper()
    if code in CONFIDENCE and (chosen := notes.known(("code",), "code")):
        rules.append({"detect": chosen, "confidence": CONFIDENCE[code]})
    return rules


def _detects(*targets: str, action: str | None = None) -> Callable[[Any, _Notes], list[dict[str, Any]]]:
    def read(value: Any, notes: _Notes) -> list[dict[str, Any]]:
        chosen = notes.known(targets, "/".join(targets))
        rule: dict[str, Any] = {"detect": chosen}
        score = value.get("confidenceScore") if isinstance(value, Mapping) else None
        if isinstance(score, int | float) and score > 0:
            rule["confidence"] = min(1.0, score / 100 if score > 1 else score)
        if action:
            rule["action"] = action
        return [rule] if chosen else []

    return read


def _tokens(value: Any, _: _Notes) -> list[dict[str, Any]]:
    limit = value.get("threshold") if isinstance(value, Mapping) else None
    return [{"limit": {"tokens": int(limit or 4_096)}}]


def _anomaly(value: Any, notes: _Notes) -> list[dict[str, Any]]:
    if value.get("errorLimit"):
        notes.add("anomalyDetection.errorLimit", "errors a session are not counted by a policy here")
    limit = value.get("toolCallLimit")
    return [{"tools": {"max_calls": int(limit)}}] if limit else []


def _hosts(value: Any, notes: _Notes) -> list[dict[str, Any]]:
    hosts = []
    for item in value if isinstance(value, list) else ():
        text = str(item.get("pattern") or item.get("host") or "") if isinstance(item, Mapping) else str(item)
        host, slash, _ = text.removeprefix("https://").removeprefix("http://").partition("/")
        if slash:
            notes.add("blockedHosts", "the path is left out: the whole host is denied")
        if host:
            hosts.append(host)
    return [{"links": {"deny": hosts}}] if hosts else []


READERS: dict[str, Callable[[Any, _Notes], list[dict[str, Any]]]] = {
    "piiTypes": _pii,
    "regexPatternsV2": _regexes,
    "regexPatterns": _regexes,
    "deniedTopics": _topics,
    "contentFiltering": _filtering,
    "secretsDetection": _detects("secrets"),
    "anonymizeDetection": _detects("pii", action="redact"),
    "banCodeDetection": _detects("code"),
    "gibberishDetection": _detects("gibberish"),
    "sentimentDetection": _detects("sentiment"),
    "tokenLimitDetection": _tokens,
    "anomalyDetection": _anomaly,
    "blockedHosts": _hosts,
}
"""Akto's field -> the reader that makes our rules of it."""
