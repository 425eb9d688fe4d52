"""Verdicts for Akto's connectors: the same guard that the proxy runs, asked about a payload instead of an exchange.

A connector sends what its route carries, wrapped as it likes; the payload is read as a JSON body of unknown form, so
every string of it is judged, and what comes back fits in its place. The policy is the one in force at this server; it
is looked at again every few seconds, so a verdict may be that much behind the page.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from akto_proxy.cli import build, pulled
from akto_proxy.collector.judge import Verdict
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import Settings
from akto_proxy.errors import AktoProxyError, BodyError
from akto_proxy.exchange.masking import masked
from akto_proxy.guard.replace import Replacer
from akto_proxy.model import Action, Direction, Segment
from akto_proxy.policy.compile import Edit, Judgement, Plan
from akto_proxy.policy.schema import parse_policies
from akto_proxy.proxy.external import ExternalChecks
from akto_proxy.store.control import ControlStore
from akto_proxy.wire import body as wire_body
from akto_proxy.wire.route import resolve

_log = structlog.get_logger("akto_proxy.verdicts")
LOOK_EVERY = 2.0
"""Seconds between two looks at the version in force."""


class GuardJudge:
    """A Judge over the policies in force. One thread at a time may call it, and waits for external checks.

    Args:
        settings: the operator's.
        control: where the version in force is kept; without it the policies are those of the settings.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        settings: Settings,
        control: ControlStore | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._control = control if pulled.source_of(settings) == "collector" else None
        self._clock = clock
        self._guard = build.guard(settings)
        self._number = 0
        self._next = 0.0
        self._checks = ExternalChecks(os.environ, clock)
        self._runner: asyncio.Runner | None = None
        self._replacer = Replacer(key_of(settings, "deployment.key"))
        self._scope = build.common_scope(settings)
        self._route = resolve("POST", build.COMMON_PATH)

    def __call__(self, payload: str, direction: Direction) -> Verdict:
        """Decide about one payload."""
        self._look()
        guard = self._guard
        plan = guard.policies.plan(self._scope)
        data = payload.encode("utf-8", "replace")
        try:
            read = wire_body.read(self._route, direction, b"", b"", data)
        except BodyError as error:
            return _verdict(plan.unreadable(direction, error.reason), None, None)
        if read.unreadable == "json" or read.unreadable == "":
            found = guard.scanner.scan(read.segments, plan.enabled(direction))
            judgement = plan.judge(read.segments, found)
            changes = {i: self._edited(read.texts[i], edits) for i, edits in judgement.edits.items()}
            judgement = self._asked(plan, read.segments, changes, judgement)
            marks = {i: masked(read.texts[i], items) for i, items in enumerate(found) if items}
            modified = read.write(changes).decode("utf-8", "replace") if changes else None
            return _verdict(judgement, modified, read.write(marks).decode("utf-8", "replace"))
        return _verdict(plan.unreadable(direction, read.unreadable), None, None)

    def _look(self) -> None:
        """Take the version in force into use. One that cannot be used is told, and the one before it stays."""
        if self._control is None or self._clock() < self._next:
            return
        self._next = self._clock() + LOOK_EVERY
        try:
            active = self._control.active()
            if active is not None and active.number != self._number:
                self._number = active.number
                chosen = build.with_packs(self._settings, parse_policies(active.text, f"version {active.number}"))
                self._guard = build.guard(self._settings, chosen)
        except AktoProxyError as error:
            _log.error("verdicts stay with the policy before", reason=str(error))

    def _asked(
        self, plan: Plan, segments: Sequence[Segment], changes: Mapping[int, str], judged: Judgement
    ) -> Judgement:
        """The judgement with what checkers outside say, if there are any and nothing is blocked yet."""
        if not segments or judged.action is Action.BLOCK:
            return judged
        asked = segments[0].direction is Direction.REQUEST
        checks = plan.externals_request if asked else plan.externals_response
        if not checks:
            return judged
        seen = [replace(item, text=changes[i]) if i in changes else item for i, item in enumerate(segments)]
        if self._runner is None:
            self._runner = asyncio.Runner()
        said = plan.outside(seen, self._runner.run(self._checks.check(checks, seen, seen[0].direction)))
        decisions = (*judged.decisions, *said.decisions)
        if said.action is Action.BLOCK:
            return replace(said, decisions=decisions)
        return replace(judged, decisions=decisions, action=max(judged.action, said.action))

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
