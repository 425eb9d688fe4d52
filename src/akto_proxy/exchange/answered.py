"""An answer that is whole, guarded: read, find, decide, then its bytes, rewritten bytes or a refusal."""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.errors import BodyError
from akto_proxy.exchange import outcome
from akto_proxy.exchange.asked import Asked
from akto_proxy.exchange.begun import STALE_AFTER_EDIT
from akto_proxy.exchange.face import Ask, Headers, Refusal
from akto_proxy.exchange.headers import without
from akto_proxy.exchange.restore import TOKEN_RULE, restored, split
from akto_proxy.exchange.stream import MOST_TOOLS
from akto_proxy.model import Action, Direction, Finding, Segment, Usage
from akto_proxy.policy.compile import Judgement
from akto_proxy.wire import body as wire_body


class Answered(Asked):
    """The answer side of an exchange, as far as answers come whole."""

    __slots__ = ()

    def body(self, data: bytes) -> tuple[Headers, bytes] | Refusal | Ask:
        """The whole answer body (mode WHOLE) to the caller's headers and bytes."""
        tick = self._shared.tick
        began = tick()
        try:
            return self._answer_guarded(data)
        except BodyError as error:
            return self._unreadable_answer(data, error.reason)
        finally:
            self._guard_ns += tick() - began

    def _answer_guarded(self, data: bytes) -> tuple[Headers, bytes] | Refusal | Ask:
        shared, headers = self._shared, self._answer_headers
        self._outcome = outcome.of_answer(self._status, data)
        read = wire_body.read(
            self._route,
            Direction.RESPONSE,
            self._answer_type,
            self._answer_encoding,
            data,
            max_size=shared.options.response_limit,
        )
        segments = read.segments
        told = read.usage
        if told is not None:
            self._usage = told
        elif self._status < 400:
            self._usage = Usage(self._request.size // 4, sum(len(s.text) for s in segments) // 4, estimated=True)
        if self._answer_encoding or b"tool_" in data or b"function_call" in data:
            self._tools = [name[:64] for name in read.tools[:MOST_TOOLS]]
        if read.unreadable:
            unread = self._unreadable_answer(data, read.unreadable)
            if isinstance(unread, Refusal) or not segments:
                return unread
        plan = self._the_plan()
        found = self.scan(segments)
        checks = plan.externals_response
        if not (plan.checks_bodies or any(found)):
            self._response = shared.recorder.clean(headers, read, data)
            clean = headers, data
            return self._outside(checks, segments, {}, clean) if checks else clean
        judgement = self._judge_answer(segments, found, read.calls if plan.reads_arguments else ())
        self._decisions.extend(judgement.decisions)
        self._response = shared.recorder.found(headers, read, data, found)
        if judgement.action is Action.BLOCK:
            return self._blocked(judgement)
        texts = {i: self._edited(segments[i].text, edits) for i, edits in judgement.edits.items()}
        out = (without(headers, STALE_AFTER_EDIT), read.write(texts)) if texts else (headers, data)
        return self._outside(checks, segments, texts, out) if checks else out

    def _judge_answer(
        self, segments: list[Segment], found: list[list[Finding]], arguments: Sequence[Segment]
    ) -> Judgement:
        if not self._vault:
            return self._the_plan().judge(segments, found, self._counts(), arguments)
        parts = [split(findings) for findings in found]
        judgement = self._the_plan().judge(segments, [own for own, _ in parts], self._counts(), arguments)
        return restored(judgement, {number: tokens for number, (_, tokens) in enumerate(parts) if tokens})

    def _unreadable_answer(self, data: bytes, reason: str) -> tuple[Headers, bytes] | Refusal:
        self._response = self._shared.recorder.unread(self._answer_headers, data)
        judgement = self._the_plan().unreadable(Direction.RESPONSE, reason)
        self._decisions.extend(judgement.decisions)
        if judgement.action is Action.BLOCK:
            return self._blocked(judgement)
        return self._answer_headers, data

    def scan(self, segments: Sequence[Segment]) -> list[list[Finding]]:
        """Findings of answer texts, one list a segment; detectors that compare see the system texts of the request."""
        scanner = self._guard.scanner
        if not self._system or not self._the_plan().needs_system:
            return scanner.scan(segments, self._enabled())
        both = [*self._system, *segments]
        return scanner.scan(both, self._enabled())[len(self._system) :]

    def _enabled(self) -> frozenset[str]:
        """The rules for the answer: the plan's, and the form of tokens once some were given out."""
        enabled = self._the_plan().enabled_response
        return enabled | {TOKEN_RULE.id} if self._vault else enabled
