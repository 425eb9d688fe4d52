"""Verdicts for Akto's connectors: the same guard that the proxy runs, asked about a payload instead of an exchange.

A connector sends what its route carries, wrapped as it likes; the payload is read as a JSON body of unknown form, so
every string of it is judged, and what comes back fits in its place.
"""

from __future__ import annotations

from akto_proxy.cli import build
from akto_proxy.collector.judge import Verdict
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.errors import BodyError
from akto_proxy.exchange.record import masked
from akto_proxy.guard.replace import Replacer
from akto_proxy.model import Action, Direction
from akto_proxy.policy.compile import Edit, Judgement
from akto_proxy.wire import body as wire_body
from akto_proxy.wire.route import resolve


class GuardJudge:
    """A Judge over the operator's own policies."""

    def __init__(self, settings: Settings) -> None:
        self._guard = build.guard(settings)
        self._replacer = Replacer(key_of(settings, "deployment.key"))
        self._scope = build.common_scope(settings)
        self._route = resolve("POST", build.COMMON_PATH)

    def __call__(self, payload: str, direction: Direction) -> Verdict:
        """Decide about one payload."""
        plan = self._guard.policies.plan(self._scope)
        data = payload.encode("utf-8", "replace")
        try:
            read = wire_body.read(self._route, direction, b"", b"", data)
        except BodyError as error:
            return _verdict(plan.unreadable(direction, error.reason), None, None)
        if read.unreadable == "json" or read.unreadable == "":
            found = self._guard.scanner.scan(read.segments, plan.enabled(direction))
            judgement = plan.judge(read.segments, found)
            changes = {i: self._edited(read.texts[i], edits) for i, edits in judgement.edits.items()}
            marks = {i: masked(read.texts[i], items) for i, items in enumerate(found) if items}
            modified = read.write(changes).decode("utf-8", "replace") if changes else None
            return _verdict(judgement, modified, read.write(marks).decode("utf-8", "replace"))
        return _verdict(plan.unreadable(direction, read.unreadable), None, None)

    def _edited(self, text: str, edits: tuple[Edit, ...]) -> str:
        out: list[str] = []
        at = 0
        for edit in edits:
            matched = text[edit.start : edit.end]
            out += (text[at : edit.start], self._replacer.render(edit.replacement, edit.finding.entity, matched))
            at = edit.end
        out.append(text[at:])
        return "".join(out)


def _verdict(judgement: Judgement, modified: str | None, kept: str | None) -> Verdict:
    if judgement.action is Action.BLOCK:
        modified = None
    return Verdict(judgement.action, judgement.decisions, modified, kept)
