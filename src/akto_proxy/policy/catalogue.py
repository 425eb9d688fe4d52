"""What a policy may name: every rule id, its entity, category and family, and which detector finds it.

Rules of tables come from the engine; what learned and structural detectors find is listed here, so that a policy can
be checked on a machine where those detectors are not loaded.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from akto_proxy.policy.pattern import PatternError

ENGINE = "engine"
"""The detector name of rules that the matching engine runs."""


class Known(Protocol):
    """What is read of a rule: `guard.rule.Rule` has these, and so has RuleInfo."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def entity(self) -> str: ...  # noqa: D102
    @property
    def category(self) -> str: ...  # noqa: D102
    @property
    def family(self) -> str: ...  # noqa: D102
    @property
    def controls(self) -> tuple[str, ...]: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A rule as policies see it."""

    id: str
    entity: str
    category: str
    detector: str = ENGINE
    family: str = ""
    controls: tuple[str, ...] = ()


def detector_of(item: Known) -> str:
    """The name of the detector that finds what this rule names."""
    return item.detector if isinstance(item, RuleInfo) else ENGINE


@dataclass(frozen=True, slots=True)
class Selector:
    """Which findings a policy's rule takes. A policy's own rules (`custom:`) are taken only by their full id."""

    names: frozenset[str]
    globs: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    def takes(self, rule: str, entity: str, category: str, family: str = "") -> bool:
        """Whether a finding of this rule, entity, category and family is taken."""
        if rule in self.names:
            return rule not in self.but
        if rule.startswith(("custom:", "external:", "check:")):
            return False
        words = tuple(word for word in (rule, entity, category, family) if word)
        wanted = any(word in self.names or _globbed(word, self.globs) for word in words)
        return wanted and not any(_globbed(word, self.but) for word in words)


def _globbed(word: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(word, glob) for glob in globs)


def selector(targets: Iterable[str], but: Iterable[str], known: Mapping[str, Known]) -> Selector:
    """The Selector of a `detect` rule, each name checked against what is known.

    Raises:
        PatternError: a name that nothing known has; the nearest names are told.
    """
    targets, but = tuple(targets), tuple(but)
    words = vocabulary(known)
    for target in (*targets, *but):
        if not (_any_glob(target, words) if "*" in target else target in words):
            near = difflib.get_close_matches(target, sorted(words), 3)
            hint = f": did you mean {' or '.join(near)}?" if near else ": see `akto-proxy policy list --names`"
            raise PatternError(f"`{target[:60]}` names no rule, entity, category or family{hint}")
    return Selector(
        frozenset(target for target in targets if "*" not in target),
        tuple(target for target in targets if "*" in target),
        but,
    )


def _any_glob(glob: str, words: frozenset[str]) -> bool:
    return any(fnmatchcase(word, glob) for word in words)


def vocabulary(known: Mapping[str, Known]) -> frozenset[str]:
    """Every name a policy may use."""
    return frozenset(
        word for item in known.values() for word in (item.id, item.entity, item.category, item.family) if word
    )


class Installed(Protocol):
    """What is read of a detector object."""

    name: str
    category: str


def of_detectors(detectors: Iterable[Installed]) -> dict[str, RuleInfo]:
    """The rules that detector objects report (their `rules`, else one under their own name), for `PolicySet(known)`."""
    return {
        rule: RuleInfo(rule, rule.upper().replace("-", "_"), item.category, item.name)
        for item in detectors
        for rule in sorted(getattr(item, "rules", None) or (item.name,))
    }


def with_detectors(known: Mapping[str, Known]) -> dict[str, Known]:
    """`known` and the rules of learned and structural detectors that ship."""
    return {**{item.id: item for item in DETECTED}, **known}


_LANGUAGES = "ar bn cs da de el en es fi fr he hi hu hy id it ja ka ko nl pl pt ro ru sv ta th tr uk vi zh"  # ISO 639-1


def _detected() -> tuple[RuleInfo, ...]:
    rows: list[tuple[str, str, str, str, tuple[str, ...]]] = [
        ("prompt-injection", "", "injection", "prompt-attack", ("OWASP-LLM:LLM01", "MITRE-ATLAS:AML.T0051")),
        ("system-prompt-extraction", "", "injection", "prompt-attack", ("OWASP-LLM:LLM07",)),
        ("jailbreak", "", "jailbreak", "prompt-attack", ("OWASP-LLM:LLM01", "MITRE-ATLAS:AML.T0054")),
        ("person", "", "pii", "names", ("OWASP-LLM:LLM02",)),
        ("location", "", "pii", "names", ("OWASP-LLM:LLM02",)),
        ("organization", "", "pii", "names", ("OWASP-LLM:LLM02",)),
        ("code", "", "code", "code", ()),
        ("shell-command", "CODE", "code", "code", ()),
        ("gibberish", "", "gibberish", "", ()),
        ("repetition", "", "repetition", "", ("OWASP-LLM:LLM10",)),
        ("sentiment", "", "sentiment", "", ()),
        ("refusal", "", "refusal", "", ()),
        ("system-prompt-leak", "", "leak", "", ("OWASP-LLM:LLM07", "MITRE-ATLAS:AML.T0056")),
        ("markdown-exfiltration", "EXFILTRATION", "exfiltration", "", ("OWASP-LLM:LLM02", "OWASP-LLM:LLM05")),
        ("misleading-url", "URL", "misleading-url", "", ("OWASP-LLM:LLM05",)),
        ("invisible", "INVISIBLE_TEXT", "invisible", "", ("OWASP-LLM:LLM01",)),
    ]
    rows += [(f"language-{code}", "", "language", "language", ()) for code in _LANGUAGES.split()]
    rows += [(f"harm-s{n}", "", "harm", "harm", ("NIST-AI-RMF:MEASURE-2.6",)) for n in range(1, 15)]
    return tuple(
        RuleInfo(id_, entity or id_.upper().replace("-", "_"), category, detector or id_, "", controls)
        for id_, entity, category, detector, controls in rows
    )


DETECTED: tuple[RuleInfo, ...] = _detected()
"""What learned and structural detectors find. `harm-sN` are the hazard categories S1 to S14."""
