"""All checks over the segments of one body: the rules in one pass, other readings of what looks disguised, detectors.

A detector that raises is not an empty answer: its place is taken by a finding of entity `CHECK_FAILED` on every segment
it was asked about, and the policy's fail mode decides. Trade-off: detectors see other readings as further segments, so
a disguised text costs several times a plain one; a plain one pays only for the tests that tell them apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from akto_proxy.guard.engine import Engine
from akto_proxy.guard.overlap import resolve
from akto_proxy.guard.parts import Run, runs
from akto_proxy.guard.views import Normaliser, View, alters, shipped
from akto_proxy.model import Finding, Segment

CHECK_FAILED = "CHECK_FAILED"
_SETS = 64  # sets of enabled rules whose detectors are remembered
_NAME = 24  # characters of a field's name that count: twice over they fit into the context window
_JOINT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_.\-]+")
_SHORT = 8  # characters below which a text has no other reading worth the tests


class Detector(Protocol):
    """A check that is no rule. It may have `rules`, the ids it reports: it is not run when none is enabled.

    With `reads_views` false it is shown the texts alone, not their other readings.
    """

    name: str
    category: str

    def check(self, segments: Sequence[Segment]) -> list[tuple[int, Finding]]:
        """Findings, each with the number of its segment."""
        ...


class Scanner:
    """Rules, readings and detectors together. Build it once; any thread may use it if its detectors may."""

    def __init__(
        self,
        engine: Engine,
        detectors: Sequence[Detector] = (),
        views: bool = True,
        normaliser: Normaliser | None = None,
    ) -> None:
        self.engine = engine
        self.detectors = tuple(detectors)
        self._serving: dict[frozenset[str], tuple[Detector, ...]] = {}
        self._normaliser = normaliser or (shipped() if views else None)

    def scan(self, segments: Sequence[Segment], enabled: frozenset[str] | None = None) -> list[list[Finding]]:
        """The findings of each segment, of all rules or of those in `enabled`, sorted by start.

        Findings of secrets and personal data do not overlap; others may overlap those (see `overlap`).
        """
        texts = [segment.text for segment in segments]
        found: list[list[Finding]] = [[] for _ in segments]
        if not texts:
            return found
        detectors = self.detectors if enabled is None or not self.detectors else self._serving_for(enabled)
        hits, disguised = self.engine.survey(texts, enabled)
        named = [number for number, segment in enumerate(segments) if segment.key]
        joined = runs(segments) if len(segments) > 1 else []
        if not (hits or disguised or detectors or named or joined):
            return found
        for number, finding in hits:
            found[number].append(finding)
        if named:
            self._scan_named(named, segments, enabled, found)
        readings = self._readings(texts) if disguised else []
        if readings:
            self._scan_readings(readings, enabled, found)
        for detector in detectors:
            self._detect(detector, segments, readings, enabled, found)
        for run in joined:
            self._scan_run(run, segments[run.pieces[0].segment], enabled, found)
        return [resolve(list(dict.fromkeys(item))) if len(item) > 1 else item for item in found]

    def _serving_for(self, enabled: frozenset[str]) -> tuple[Detector, ...]:
        """The detectors that report something enabled; looked up once a set of rules."""
        serving = self._serving.get(enabled)
        if serving is None:
            if len(self._serving) >= _SETS:
                self._serving.clear()
            rules = ((detector, getattr(detector, "rules", None)) for detector in self.detectors)
            serving = tuple(one for one, ids in rules if ids is None or not ids.isdisjoint(enabled))
            self._serving[enabled] = serving
        return serving

    def _readings(self, texts: list[str]) -> list[tuple[int, View]]:
        normaliser = self._normaliser
        if normaliser is None:
            return []
        return [
            (number, view)
            for number, text in enumerate(texts)
            if len(text) >= _SHORT
            for view in normaliser.views(text)
        ]

    def _scan_readings(
        self, readings: list[tuple[int, View]], enabled: frozenset[str] | None, found: list[list[Finding]]
    ) -> None:
        for place, finding in self.engine.scan_many([view.text for _, view in readings], enabled):
            number, view = readings[place]
            if not (alters(view) and finding.category in ("pii", "secrets")):
                _add(found[number], _moved(finding, view))

    def _scan_run(self, run: Run, first: Segment, enabled: frozenset[str] | None, found: list[list[Finding]]) -> None:
        """The parts of a message as one text: what reaches from one into the next."""
        for finding in self.scan([replace(first, text=run.text, key="")], enabled)[0]:
            pieces = run.spread(finding)
            if any(_covered(found[number], piece) for number, piece in pieces):
                continue  # one part holds it whole; what follows without a blank only looks like more of it
            for number, piece in pieces:
                _add(found[number], piece)

    def _scan_named(
        self,
        named: list[int],
        segments: Sequence[Segment],
        enabled: frozenset[str] | None,
        found: list[list[Finding]],
    ) -> None:
        """Texts in fields that say what they hold: the name counts as the words before, and as what is assigned to."""
        heads = [_introduction(segments[number].key) for number in named]
        texts = [f'{head}{segments[number].text}"' for number, head in zip(named, heads, strict=True)]
        for place, finding in self.engine.scan_many(texts, enabled):
            start = finding.start - len(heads[place])
            end = finding.end - len(heads[place])
            if 0 <= start < end <= len(segments[named[place]].text):
                own = found[named[place]]
                finding = replace(finding, start=start, end=end)
                weaker = [f for f in own if f.rule == finding.rule and f.start < end and start < f.end]
                if all(f.score < finding.score for f in weaker):
                    own[:] = [*(f for f in own if f not in weaker), finding]

    def _detect(
        self,
        detector: Detector,
        segments: Sequence[Segment],
        readings: list[tuple[int, View]],
        enabled: frozenset[str] | None,
        found: list[list[Finding]],
    ) -> None:
        asked = segments
        if readings and getattr(detector, "reads_views", True):
            asked = [*segments, *(replace(segments[number], text=view.text) for number, view in readings)]
        try:
            answers = detector.check(asked)
        except Exception:  # noqa: BLE001  # a detector's bug must not become an open door: the policy decides
            failed = Finding(0, 0, detector.name, CHECK_FAILED, detector.category, 0.0)
            for item in found:
                item.append(failed)
            return
        for place, finding in answers:
            if enabled is not None and finding.rule not in enabled:
                continue
            if place < len(segments):
                found[place].append(finding)
            else:
                number, view = readings[place - len(segments)]
                _add(found[number], _moved(finding, view))


def _introduction(key: str) -> str:
    """A field's name as it would stand in JSON, behind its words: `customerSSN` says `SSN` too."""
    key = key[-_NAME:]
    return f'{_JOINT.sub(" ", key)} "{key}": "'


def _moved(finding: Finding, view: View) -> Finding:
    start, end = view.span(finding.start, finding.end)
    return replace(finding, start=start, end=end)


def _covered(found: list[Finding], piece: Finding) -> bool:
    return any(
        f.category == piece.category and f.score >= piece.score and f.start < piece.end and piece.start < f.end
        for f in found
    )


def _add(found: list[Finding], finding: Finding) -> None:
    """Keep what a reading showed, unless its rule found it there as surely already; what that was less sure of goes."""
    same = [f for f in found if f.rule == finding.rule and f.start < finding.end and finding.start < f.end]
    if all(f.score < finding.score for f in same):
        found[:] = [*(f for f in found if f not in same), finding]
