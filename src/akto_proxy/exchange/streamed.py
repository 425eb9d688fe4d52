"""The answer's head, and an answer that flows: guarded while it passes, bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Sequence

from akto_proxy.errors import BodyError, UpstreamError
from akto_proxy.exchange import outcome
from akto_proxy.exchange.answered import Answered
from akto_proxy.exchange.decisions import late
from akto_proxy.exchange.face import Answer, AnswerMode, Ask, Headers
from akto_proxy.exchange.headers import outward, without
from akto_proxy.exchange.outside import Answers, Gathering
from akto_proxy.exchange.restore import restored, split
from akto_proxy.exchange.stream import AnswerStream
from akto_proxy.guard.stream import StreamGuard
from akto_proxy.model import Action, Decision, Direction, Finding, Role, Segment, Severity, Usage
from akto_proxy.policy.compile import CLEAN, Judgement
from akto_proxy.wire import kinds, reply
from akto_proxy.wire.stream import StreamReader


class Streamed(Answered):
    """The answer side of an exchange, as far as answers come in pieces."""

    __slots__ = ()

    def head(self, status: int, headers: Headers) -> Answer:
        """The upstream's head to the caller's."""
        self._status = status
        kept, self._answer_type, self._answer_encoding = outward(headers)
        kind = kinds.answer_kind(self._route, status, self._answer_type) if self._applies else "pass"
        kept.append((b"x-akto-trace-id", self.id.encode("ascii")))
        guards_streams = self._shared.options.guard_streams
        if kind == "stream" and (self._answer_encoding not in (b"", b"identity") or not guards_streams):
            kind = "whole" if guards_streams else "pass"
        self._answer_headers = kept
        if kind == "stream":
            self._open_stream()
            return Answer(status, without(kept, (b"content-length",)), AnswerMode.STREAM)
        kept.append((b"server-timing", b"guard;dur=%.3f" % (self._guard_ns / 1e6)))
        return Answer(status, kept, AnswerMode.WHOLE if kind == "whole" else AnswerMode.PASS)

    def _open_stream(self) -> None:
        options = self._shared.options
        self._streamed = True
        self._reader = StreamReader(self._route, self._answer_type)
        plan = self._the_plan()
        self._stream = AnswerStream(
            self._reader,
            self,
            keep=options.keep,
            tail=self._block_tail,
            calls=plan.whole_calls,
            sizes=plan.counts_text,
        )
        checks = plan.externals_response
        if checks:
            again = StreamReader(self._route, self._answer_type)
            self._gathering = Gathering(checks, again, options.response_limit, self._conclude_stream)
        self.keepalive = reply.keepalive(self._reader)

    def chunk(self, data: bytes) -> bytes:
        """Some bytes of the answer to bytes for the caller, b"" while text is held back."""
        stream = self._stream
        if stream is None:
            self.cut = self._names_text_media(data)
            self._passed += len(data)
            return b"" if self.cut else data
        tick = self._shared.tick
        began = tick()
        try:
            out = stream.feed(data)
        except BodyError as error:
            out = self._broken(error)
        self._passed += len(data)
        self.cut = self.cut or stream.cut
        if self._gathering is not None:
            out = self._ended(out) if self.cut else self._gathering.add(out)
        self._guard_ns += tick() - began
        return out

    def _names_text_media(self, data: bytes) -> bool:
        """Whether an answer that passes unread as image, sound or film begins as text: then nothing of it may pass."""
        if not self._applies or self._passed or not kinds.is_media(kinds.media_type(self._answer_type)):
            return False
        if len(data) < 8 or kinds.sniff(data) or kinds.is_binary(data[:4096]):
            return False
        self._decisions.extend(self._the_plan().unreadable(Direction.RESPONSE, "media_type").decisions)
        self._outcome = "refused"
        return True

    def end(self) -> bytes | Ask:
        """No more bytes come from upstream: the last bytes for the caller."""
        stream = self._stream
        if stream is None or self.cut:
            return b""
        began = self._shared.tick()
        try:
            out = stream.finish()
        except BodyError as error:
            out = self._broken(error)
        self.cut = self.cut or stream.cut
        asked: bytes | Ask = out
        if self._gathering is not None:
            self._told = self._gathering.told
            asked = self._ended(out) if self.cut else self._gathering.end(out)
        self._guard_ns += self._shared.tick() - began
        return asked

    # ---- its ends before the end

    def _broken(self, error: BodyError) -> bytes:
        """The stream cannot be read on: nothing unread may pass, so it ends here."""
        self.cut = True
        self._decisions.extend(self._the_plan().unreadable(Direction.RESPONSE, error.reason).decisions)
        return self._block_tail(f"The answer could not be read ({error.reason}) and was cut.")

    def _block_tail(self, message: str) -> bytes:
        assert self._reader is not None
        self._ending = reply.block_tail(self._reader, f"{message} (trace {self.id})")
        return self._ending

    def stop(self, limit: str, message: str) -> bytes:
        """A budget ended in mid-stream: a notice and the route's own ending."""
        assert self._reader is not None
        self.cut = True
        self._outcome = "limited"
        said = "its budget ended in mid-stream"
        made = Decision("limits", limit, "limit", "", Severity.LOW, Action.BLOCK, Direction.RESPONSE, reason=said)
        self._decisions.append(made)
        return reply.budget_tail(self._reader, f"{message} (trace {self.id})")

    def abort(self, error: UpstreamError) -> bytes:
        """Upstream failed in mid-stream: what was cleared is out; an error frame says the rest is missing."""
        _, self._outcome, message = outcome.of_failure(error)
        self.cut = True
        return reply.error_tail(self._reader, message) if self._reader is not None else b""

    def _conclude_stream(self, segments: Sequence[Segment], answers: Answers) -> bytes | None:
        judgement = self._the_plan().outside(segments, answers)
        self._decisions.extend(judgement.decisions)
        if judgement.action is not Action.BLOCK:
            return None
        self.cut = True
        return self._block_tail(judgement.message)

    def _ended(self, out: bytes) -> bytes:
        """A stream that was cut: of what was held for a checker nothing leaves but the ending."""
        gathering, self._gathering = self._gathering, None
        return gathering.ending(self._ending) if gathering is not None and gathering.holds else out

    # ---- what it has used

    def used(self) -> tuple[int, int, int]:
        """Prompt tokens, answer tokens and bytes of a stream so far."""
        usage = self._stream_usage()
        return usage.prompt, usage.completion, self._request.size + self._passed

    def _stream_usage(self, *, over: bool = False) -> Usage:
        """As upstream said, once the stream is over; before, what passed counts too."""
        stream = self._stream
        told = stream.usage if stream is not None else None
        if stream is None or (over and told is not None):
            return told or self._usage
        prompt = told.prompt if told is not None else self._request.size // 4
        return Usage(prompt, max(told.completion if told is not None else 0, stream.counted()), estimated=True)

    # ---- what its stream asks

    def open_lane(self) -> StreamGuard:
        """A fresh StreamGuard for one lane of the answer."""
        return self._guard.scanner.engine.stream(self._enabled())

    def look(self, segment: Segment) -> Judgement:
        """What windowed detectors and the policy make of a window of released text."""
        plan = self._the_plan()
        known = set(self._guard.scanner.engine.scan(segment.text, self._enabled()))
        findings = [finding for finding in self.scan([segment])[0] if finding not in known]
        return late(plan.judge([segment], [findings])) if findings else CLEAN

    def calls(self, segments: Sequence[Segment]) -> Judgement:
        """What the policy makes of tool calls: their names and arguments, whole."""
        return self._the_plan().calls(segments, self._counts())

    def decide(self, role: Role, place: str, text: str, findings: Sequence[Finding]) -> Judgement:
        """What the policy makes of findings in one piece of text."""
        own, tokens = split(findings) if self._vault else (findings, [])
        judgement = self._the_plan().judge_one(role, Direction.RESPONSE, place, own, text, self._counts())
        return restored(judgement, {0: tokens}) if tokens else judgement
