"""The rules' face: scan a text, many texts, or a stream of them.

Trade-off: `scan_many` joins the texts into one pass and looks at each text alone only when something triggered, so
clean traffic (nearly all) costs one call, and a hit costs one more per text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from akto_proxy.errors import PolicyError
from akto_proxy.guard.catalogue import check_rule
from akto_proxy.guard.core import Core, Raw, compile_parts, fingerprint
from akto_proxy.guard.matcher import Check, compile_re2
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.shape import write
from akto_proxy.guard.stream import StreamGuard, Watch, finding, offsets
from akto_proxy.guard.syntax import parse
from akto_proxy.model import Finding

__all__ = ["LIMIT", "Engine", "check_custom", "compile_alone", "compile_database", "fingerprint"]

LIMIT = 65536
"""Characters that a stream may hold back at most; see `stream`."""
_TOGETHER = 16  # searches for rules in texts up to which a pass over each text alone would cost more


class Engine:
    """A set of rules, compiled. Build it once; any thread may use it.

    `database` is what `dump` gave for the same `fingerprint`; it is compiled anew where it does not fit this machine.
    `allow` holds texts that are never a finding (known test values, documentation examples).

    Raises:
        PolicyError: two rules share an id, or a pattern cannot be held.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        *,
        database: bytes | None = None,
        allow: frozenset[str] = frozenset(),
        validators: Mapping[str, Check] | None = None,
    ) -> None:
        self.rules = tuple(rules)
        self._numbers = {rule.id: number for number, rule in enumerate(self.rules)}
        if len(self._numbers) != len(self.rules):
            raise PolicyError("rules: two rules share an id; rename one")
        for rule in self.rules:
            check_rule(rule, f"rule `{rule.id}`")
        self.rule_ids = frozenset(self._numbers)
        self.fingerprint = fingerprint(self.rules)
        self._core = Core(self.rules, _shipped() if validators is None else validators, allow, database)
        self._sets: dict[frozenset[str] | None, Watch] = {}

    def dump(self) -> bytes:
        """The compiled database, to be kept under `fingerprint` and given back as `database`."""
        return self._core.dump()

    def scan(self, text: str, enabled: frozenset[str] | None = None) -> list[Finding]:
        """The findings in `text` of all rules or of those in `enabled`, without overlaps, sorted by start."""
        data = text.encode("utf-8", "replace")
        return self._find(data, self._wanted(self._core.triggered(data), enabled))

    def scan_many(self, texts: Sequence[str], enabled: frozenset[str] | None = None) -> list[tuple[int, Finding]]:
        """The findings of each text with its number; one pass over all of them when nothing triggers."""
        return self.survey(texts, enabled)[0]

    def survey(
        self, texts: Sequence[str], enabled: frozenset[str] | None = None
    ) -> tuple[list[tuple[int, Finding]], bool]:
        """As `scan_many`, and whether one of the texts may be written in disguise (see `views`)."""
        joined = texts[0] if len(texts) == 1 else "\0".join(texts)
        data = joined.encode("utf-8", "replace")
        hits, disguised = self._core.survey(data)
        disguised = disguised or not joined.isascii() or joined.count("\0") >= len(texts)
        numbers = self._wanted(hits, enabled)
        if not numbers:
            return [], disguised
        if len(texts) == 1:
            return [(0, hit) for hit in self._find(data, numbers)], disguised
        # What one text triggers may be looked for in the others too: it costs, it never finds another answer.
        alone = len(numbers) * len(texts) > _TOGETHER
        found = []
        for number, text in enumerate(texts):
            hits_ = self.scan(text, enabled) if alone else self._find(text.encode("utf-8", "replace"), numbers)
            found += [(number, hit) for hit in hits_]
        return found, disguised

    def _wanted(self, hits: list[int], enabled: frozenset[str] | None) -> list[int]:
        """The rules among the hits that are enabled."""
        return hits if enabled is None or not hits else [hit for hit in hits if self.rules[hit].id in enabled]

    def _find(self, data: bytes, numbers: list[int]) -> list[Finding]:
        if not numbers:
            return []
        found = self._core.resolve(self._core.find(data, numbers, 0, len(data)))
        return self._findings(data, found) if found else []

    def stream(self, enabled: frozenset[str] | None = None, *, limit: int = LIMIT) -> StreamGuard:
        """A guard for one lane of streamed text."""
        known = self._sets.get(enabled)
        if known is None:
            known = self._sets[enabled] = self._prepare(enabled)
            if len(self._sets) > 64:  # policies are few; a caller that makes up sets must not fill the memory
                self._sets.pop(next(iter(self._sets)))
        return StreamGuard(self._core, known, limit)

    def _prepare(self, enabled: frozenset[str] | None) -> Watch:
        if enabled is None:
            return Watch(self._core, range(len(self.rules)))
        return Watch(self._core, sorted(self._numbers[name] for name in enabled if name in self._numbers))

    def _findings(self, data: bytes, found: list[Raw]) -> list[Finding]:
        if data.isascii():
            return [finding(self._core, raw, raw[2], raw[3]) for raw in found]
        places = offsets(data, 0, [place for raw in found for place in raw[2:4]])
        return [finding(self._core, raw, places[raw[2]], places[raw[3]]) for raw in found]


def compile_database(rules: Sequence[Rule]) -> bytes:
    """What `Engine(rules).dump()` would give. Compiling can be attacked: run it in a process that can be killed."""
    return Core(rules, dict.fromkeys((rule.validator for rule in rules), bool), frozenset(), None).dump()


def compile_alone(rules: Sequence[Rule]) -> bytes:
    """Compile a rule that nobody has tried, and keep nothing: a twentieth of what `compile_database` takes for one."""
    compile_parts(rules)
    for rule in rules:
        compile_re2(write(parse(rule.pattern)))
    return b""


def check_custom(pattern: str) -> None:
    """Refuse a pattern that linear-time matching does not allow. It does not run vectorscan: see `compile_database`.

    Raises:
        PolicyError: names the construct and the nearest allowed form.
    """
    check_rule(Rule("custom", "CUSTOM", "custom", pattern), "custom rule")
    compile_re2(write(parse(pattern)))


def _shipped() -> Mapping[str, Check]:
    validators: Mapping[str, Check] = import_module("akto_proxy.guard.validators").VALIDATORS
    return validators
