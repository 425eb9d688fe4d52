"""One request and its answer, guarded: bytes in, bytes out, or a Refusal.

The order is fixed: read the body, find, decide, then the same bytes, rewritten bytes or a refusal. Clean traffic
passes byte for byte. Whatever happened is in `trace`, including what could not be read and was let pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from akto_proxy.errors import BodyError, UpstreamError
from akto_proxy.exchange import outcome
from akto_proxy.exchange.decisions import late, merged
from akto_proxy.exchange.face import Answer, AnswerMode, Ask, Forward, Headers, Refusal, RequestHead
from akto_proxy.exchange.headers import by_name, header, is_internal, without
from akto_proxy.exchange.outside import Answers, Gathering
from akto_proxy.exchange.record import Kept, masked
from akto_proxy.exchange.restore import RESTORE, TOKEN_RULE, restored, split
from akto_proxy.exchange.shared import Shared
from akto_proxy.exchange.stream import MOST_TOOLS, AnswerStream
from akto_proxy.guard.replace import Vault
from akto_proxy.guard.stream import StreamGuard
from akto_proxy.model import (
    Action,
    Caller,
    Decision,
    Direction,
    Finding,
    Role,
    Segment,
    Severity,
    Timing,
    Trace,
    Usage,
)
from akto_proxy.policy.checks import Tally
from akto_proxy.policy.clause import ExternalCheck
from akto_proxy.policy.compile import CLEAN, Edit, Judgement, Plan
from akto_proxy.policy.scope import Scope
from akto_proxy.wire import body as wire_body
from akto_proxy.wire import kinds, reply
from akto_proxy.wire.body import Body, Query
from akto_proxy.wire.route import Route, Target
from akto_proxy.wire.stream import StreamReader

Passed = TypeVar("Passed", Forward, tuple[Headers, bytes])
"""What goes on when no check stops it."""

_STALE_AFTER_EDIT = (b"content-md5", b"digest", b"content-digest", b"etag", b"content-length", b"content-encoding")


class GuardedExchange:
    """One request and its answer. Calls come in the order of `face.Exchange`.

    Args:
        shared: what all exchanges of this worker share.
        head, method, target, route, caller: what the request's head said.
        place: endpoint name, its sensitivity, and whether guardrails apply to this method and path.
    """

    def __init__(
        self,
        shared: Shared,
        head: RequestHead,
        method: str,
        target: Target,
        route: Route,
        caller: Caller,
        place: tuple[str, str, bool],
    ) -> None:
        self._shared = shared
        self._guard = shared.guard
        self._head = head
        self._method = method
        self._target = target
        self._route = route
        self._caller = caller
        self._endpoint, self._sensitivity, self._applies = place
        self._path = target.path
        self._wanted = self._applies  # a route without texts may still be sent some
        self._applies = self._applies and route.guarded
        self._began = shared.tick()
        self._started = shared.now()
        self._guard_ns = 0
        self._decisions: list[Decision] = []
        self._outcome = ""
        self._system: list[Segment] = []
        self._request = Kept()
        self._response = Kept()
        self.model = ""
        self._usage = Usage()
        self._tools: list[str] = []
        self.offered: Sequence[str] = ()
        self._streamed = False
        self._status = 0
        self._answer_headers: Headers = []
        self._answer_type = b""
        self._answer_encoding = b""
        self._reader: StreamReader | None = None
        self._stream: AnswerStream | None = None
        self._gathering: Gathering | None = None
        self._told: Callable[[Answers], Forward | Refusal | tuple[Headers, bytes] | bytes] | None = None
        self._ending = b""
        self._plan: Plan | None = None
        self._tally = Tally()
        self._vault = Vault()
        self.id = shared.new_id()
        self.cut = False
        self.keepalive = b""

    # ---- the request

    def request(self, body: bytes) -> Forward | Refusal | Ask:
        """The whole request body to what goes upstream, or the refusal for the caller."""
        began = self._shared.tick()
        try:
            read = self._applies or (self._wanted and (body or self._target.query or self._route.named))
            return self._request_guarded(body) if read else self._unpermitted(body) or self._forward(body)
        except BodyError as error:
            return self._refuse(error.status, str(error), error.reason)
        finally:
            self._guard_ns += self._shared.tick() - began

    def _request_guarded(self, data: bytes) -> Forward | Refusal | Ask:
        headers = self._head.headers
        said = by_name(headers)
        read = wire_body.read(
            self._route,
            Direction.REQUEST,
            said.get(b"content-type", b""),
            said.get(b"content-encoding", b""),
            data,
            max_size=self._shared.options.request_limit,
        )
        self.model = read.model
        self._streamed = read.stream
        if b'"tools"' in data or read.encoded:
            self.offered = read.tools[:MOST_TOOLS]
        if (refusal := self._unpermitted(data)) is not None:
            return refusal
        plan = self._the_plan()
        if read.unreadable:
            judgement = plan.unreadable(Direction.REQUEST, read.unreadable)
            self._decisions.extend(judgement.decisions)
            if judgement.action is Action.BLOCK:
                self._request = self._shared.recorder.unread(headers, data)
                return self._blocked(judgement)
        query = Query(self._target.query) if self._target.query else None
        segments = [*read.segments, *query.segments] if query else read.segments
        if self._route.named:
            segments = [*segments, Segment(self._target.path, "path", Role.USER, Direction.REQUEST)]
        found = self._guard.scanner.scan(segments, plan.enabled_request)
        if plan.checks_bodies or any(found):
            return self._request_found(data, read, query, segments, found)
        self._request = self._shared.recorder.clean(headers, read, data)
        if plan.needs_system:
            self._system = [segment for segment in read.segments if segment.role is Role.SYSTEM]
        forward = self._forward(data)
        return self._outside(plan.externals_request, segments, {}, forward) if plan.externals_request else forward

    def _unpermitted(self, body: bytes) -> Refusal | None:
        permit = self._shared.permit
        why = permit(self._caller, self.model, bool(body)) if permit is not None else ""
        return self._refuse(403, why, "key_scope") if why else None

    def _request_found(
        self, data: bytes, read: Body, query: Query | None, segments: list[Segment], found: list[list[Finding]]
    ) -> Forward | Refusal | Ask:
        if self._route.named:
            self._path = masked(self._path, found[-1])
        plan = self._the_plan()
        judgement = plan.judge(segments, found, Tally(), read.calls if plan.reads_arguments else ())
        self._decisions.extend(judgement.decisions)
        self._request = self._shared.recorder.found(self._head.headers, read, data, found)
        if judgement.action is Action.BLOCK:
            return self._blocked(judgement)
        if plan.needs_system:
            self._system = [segment for segment in read.segments if segment.role is Role.SYSTEM]
        count = len(read.segments)
        if self._route.named and len(segments) - 1 in judgement.edits:
            message = "The path holds text that may not pass, and a path cannot be redacted"
            return self._refuse(400, message, "path_content")
        texts = {i: self._edited(segments[i].text, edits) for i, edits in judgement.edits.items()}
        in_body = {i: text for i, text in texts.items() if i < count}
        in_query = {i - count: text for i, text in texts.items() if i >= count}
        target = self._head.target
        if query is not None and in_query:
            target = target.partition(b"?")[0] + b"?" + query.write(in_query)
        forward = self._forward(read.write(in_body), target, rewritten=bool(in_body))
        return self._outside(plan.externals_request, segments, texts, forward) if plan.externals_request else forward

    def _forward(self, body: bytes, target: bytes = b"", *, rewritten: bool = False) -> Forward:
        outbound = self._shared.outbound
        headers = self._head.headers if outbound is None else outbound(self._head.headers)
        if rewritten:
            headers = without(headers, _STALE_AFTER_EDIT)
        if self._streamed or self._route.always_stream:
            headers = [*without(headers, (b"accept-encoding",)), (b"accept-encoding", b"identity")]
        hold = header(headers, b"x-scale-up-timeout")
        patience = float(hold) if hold.isdigit() and len(hold) < 6 else 0.0
        return Forward(self._head.method, target or self._head.target, headers, body, patience)

    def _scope(self) -> Scope:
        return Scope(
            endpoint=self._endpoint,
            sensitivity=self._sensitivity,
            method=self._method,
            path=self._target.path,
            route=self._route.name,
            model=self.model,
            caller=self._caller,
        )

    # ---- the answer

    def head(self, status: int, headers: Headers) -> Answer:
        """The upstream's head to the caller's."""
        self._status = status
        said = by_name(headers)
        self._answer_type = said.get(b"content-type", b"")
        self._answer_encoding = said.get(b"content-encoding", b"")
        kind = kinds.answer_kind(self._route, status, self._answer_type) if self._applies else "pass"
        kept = [pair for pair in headers if not is_internal(pair[0])]
        kept.append((b"x-akto-trace-id", self.id.encode("ascii")))
        if kind == "stream" and (self._answer_encoding not in (b"", b"identity") or not self._guards_streams()):
            kind = "whole" if self._guards_streams() else "pass"
        self._answer_headers = kept
        if kind == "stream":
            self._open_stream()
            kept = without(kept, (b"content-length",))
            return Answer(status, kept, AnswerMode.STREAM)
        kept.append((b"server-timing", b"guard;dur=%.3f" % (self._guard_ns / 1e6)))
        return Answer(status, kept, AnswerMode.WHOLE if kind == "whole" else AnswerMode.PASS)

    def _guards_streams(self) -> bool:
        return self._shared.options.guard_streams

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

    def body(self, data: bytes) -> tuple[Headers, bytes] | Refusal | Ask:
        """The whole answer body (mode WHOLE) to the caller's headers and bytes."""
        began = self._shared.tick()
        try:
            return self._answer_guarded(data)
        except BodyError as error:
            return self._unreadable_answer(data, error.reason)
        finally:
            self._guard_ns += self._shared.tick() - began

    def _answer_guarded(self, data: bytes) -> tuple[Headers, bytes] | Refusal | Ask:
        self._outcome = outcome.of_answer(self._status, data)
        read = wire_body.read(
            self._route,
            Direction.RESPONSE,
            self._answer_type,
            self._answer_encoding,
            data,
            max_size=self._shared.options.response_limit,
        )
        told = read.usage
        if told is not None:
            self._usage = told
        elif self._status < 400:
            self._usage = Usage(self._request.size // 4, sum(len(s.text) for s in read.segments) // 4, estimated=True)
        if self._answer_encoding or b"tool_" in data or b"function_call" in data:
            self._tools = [name[:64] for name in read.tools[:MOST_TOOLS]]
        segments = read.segments
        if read.unreadable:
            unread = self._unreadable_answer(data, read.unreadable)
            if isinstance(unread, Refusal) or not segments:
                return unread
        found = self.scan(segments)
        checks = self._the_plan().externals_response
        if not any(found) and not self._the_plan().checks_bodies:
            self._response = self._shared.recorder.clean(self._answer_headers, read, data)
            clean = self._answer_headers, data
            return self._outside(checks, segments, {}, clean) if checks else clean
        arguments = read.calls if self._the_plan().reads_arguments else ()
        judgement = self._judge_answer(segments, found, arguments)
        self._decisions.extend(judgement.decisions)
        self._response = self._shared.recorder.found(self._answer_headers, read, data, found)
        if judgement.action is Action.BLOCK:
            return self._blocked(judgement)
        texts = {i: self._edited(segments[i].text, edits) for i, edits in judgement.edits.items()}
        out = (
            (without(self._answer_headers, _STALE_AFTER_EDIT), read.write(texts))
            if texts
            else (self._answer_headers, data)
        )
        return self._outside(checks, segments, texts, out) if checks else out

    def _judge_answer(
        self, segments: list[Segment], found: list[list[Finding]], arguments: Sequence[Segment]
    ) -> Judgement:
        if not len(self._vault):
            return self._the_plan().judge(segments, found, self._tally, arguments)
        parts = [split(findings) for findings in found]
        judgement = self._the_plan().judge(segments, [own for own, _ in parts], self._tally, arguments)
        return restored(judgement, {number: tokens for number, (_, tokens) in enumerate(parts) if tokens})

    def _unreadable_answer(self, data: bytes, reason: str) -> tuple[Headers, bytes] | Refusal:
        self._response = self._shared.recorder.unread(self._answer_headers, data)
        judgement = self._the_plan().unreadable(Direction.RESPONSE, reason)
        self._decisions.extend(judgement.decisions)
        if judgement.action is Action.BLOCK:
            return self._blocked(judgement)
        return self._answer_headers, data

    def chunk(self, data: bytes) -> bytes:
        """Some bytes of the answer to bytes for the caller, b"" while text is held back."""
        stream = self._stream
        if stream is None:
            self.cut = self._names_text_media(data)
            self._response.size += len(data)
            return b"" if self.cut else data
        began = self._shared.tick()
        try:
            out = stream.feed(data)
        except BodyError as error:
            out = self._broken(error)
        self._response.size += len(data)
        self.cut = self.cut or stream.cut
        if self._gathering is not None:
            out = self._ended(out) if self.cut else self._gathering.add(out)
        self._guard_ns += self._shared.tick() - began
        return out

    def _names_text_media(self, data: bytes) -> bool:
        """Whether an answer that passes unread as image, sound or film begins as text: then nothing of it may pass."""
        if not self._applies or self._response.size or not kinds.is_media(kinds.media_type(self._answer_type)):
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

    def _broken(self, error: BodyError) -> bytes:
        """The stream cannot be read on: nothing unread may pass, so it ends here."""
        self.cut = True
        self._decisions.extend(self._the_plan().unreadable(Direction.RESPONSE, error.reason).decisions)
        return self._block_tail(f"The answer could not be read ({error.reason}) and was cut.")

    def _block_tail(self, message: str) -> bytes:
        assert self._reader is not None
        self._ending = reply.block_tail(self._reader, f"{message} (trace {self.id})")
        return self._ending

    def used(self) -> tuple[int, int, int]:
        """Prompt tokens, answer tokens and bytes of a stream so far."""
        usage = self._stream_usage()
        return usage.prompt, usage.completion, self._request.size + self._response.size

    def _stream_usage(self, *, over: bool = False) -> Usage:
        """As upstream said, once the stream is over; before, what passed counts too."""
        stream = self._stream
        told = stream.usage if stream is not None else None
        if stream is None or (over and told is not None):
            return told or self._usage
        prompt = told.prompt if told is not None else self._request.size // 4
        return Usage(prompt, max(told.completion if told is not None else 0, stream.counted()), estimated=True)

    def limited(self, limit: str, message: str, headers: Headers) -> Refusal:
        """A limit that counts by model refuses the call."""
        self._outcome = "limited"
        made = self._refusal(429, message, "limited", "rate_limit_exceeded")
        return Refusal(made.status, [*made.headers, *headers], made.body, made.reason)

    def stop(self, limit: str, message: str) -> bytes:
        """A budget ended in mid-stream: a notice and the route's own ending."""
        assert self._reader is not None
        self.cut = True
        self._outcome = "limited"
        said = "its budget ended in mid-stream"
        made = Decision("limits", limit, "limit", "", Severity.LOW, Action.BLOCK, Direction.RESPONSE, reason=said)
        self._decisions.append(made)
        return reply.budget_tail(self._reader, f"{message} (trace {self.id})")

    def fail(self, error: UpstreamError) -> Refusal:
        """Upstream failed before its head: the refusal for the caller in the route's form."""
        status, self._outcome, message = outcome.of_failure(error)
        return self._refusal(status, message, error.reason, "upstream_error")

    def abort(self, error: UpstreamError) -> bytes:
        """Upstream failed in mid-stream: what was cleared is out; an error frame says the rest is missing."""
        _, self._outcome, message = outcome.of_failure(error)
        self.cut = True
        return reply.error_tail(self._reader, message) if self._reader is not None else b""

    # ---- checkers outside

    def _outside(
        self, checks: tuple[ExternalCheck, ...], segments: Sequence[Segment], texts: Mapping[int, str], passed: Passed
    ) -> Passed | Ask:
        """`passed` if there is nothing to ask about, else the question. `texts` are the segments that were changed.

        Checkers see what would go on, not what policies took out of it.
        """
        if not segments:
            return passed
        seen = tuple(replace(item, text=texts[i]) if i in texts else item for i, item in enumerate(segments))
        self._told = lambda answers: self._concluded(seen, answers) or passed
        return Ask(checks, seen, seen[0].direction)

    def told(self, answers: Answers) -> Forward | Refusal | tuple[Headers, bytes] | bytes:
        """What checkers found to what the call that asked returns."""
        assert self._told is not None
        return self._told(answers)

    def _concluded(self, segments: Sequence[Segment], answers: Answers) -> Refusal | None:
        judgement = self._the_plan().outside(segments, answers)
        self._decisions.extend(judgement.decisions)
        return self._blocked(judgement) if judgement.action is Action.BLOCK else None

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

    # ---- what the stream asks

    def open_lane(self) -> StreamGuard:
        """A fresh StreamGuard for one lane of the answer."""
        return self._guard.scanner.engine.stream(self._enabled())

    def scan(self, segments: Sequence[Segment]) -> list[list[Finding]]:
        """Findings of answer texts, one list a segment; detectors that compare see the system texts of the request."""
        if not self._system or not self._the_plan().needs_system:
            return self._guard.scanner.scan(segments, self._enabled())
        both = [*self._system, *segments]
        return self._guard.scanner.scan(both, self._enabled())[len(self._system) :]

    def _enabled(self) -> frozenset[str]:
        """The rules for the answer: the plan's, and the form of tokens once some were given out."""
        enabled = self._the_plan().enabled_response
        return enabled | {TOKEN_RULE.id} if len(self._vault) else enabled

    def look(self, segment: Segment) -> Judgement:
        """What windowed detectors and the policy make of a window of released text."""
        plan = self._the_plan()
        known = set(self._guard.scanner.engine.scan(segment.text, self._enabled()))
        findings = [finding for finding in self.scan([segment])[0] if finding not in known]
        return late(plan.judge([segment], [findings])) if findings else CLEAN

    def calls(self, segments: Sequence[Segment]) -> Judgement:
        """What the policy makes of tool calls: their names and arguments, whole."""
        return self._the_plan().calls(segments, self._tally)

    def decide(self, role: Role, place: str, text: str, findings: Sequence[Finding]) -> Judgement:
        """What the policy makes of findings in one piece of text."""
        own, tokens = split(findings) if len(self._vault) else (findings, [])
        judgement = self._the_plan().judge_one(role, Direction.RESPONSE, place, own, text, self._tally)
        return restored(judgement, {0: tokens}) if tokens else judgement

    def render(self, edit: Edit, matched: str) -> str:
        """The replacement of one matched text."""
        if edit.replacement == RESTORE:
            return self._vault.get(matched) or matched
        return self._shared.replacer.render(edit.replacement, edit.finding.entity, matched, self._vault)

    # ---- the end

    def trace(self, *, status: int, client_gone: bool, first_byte: int, upstream_first: int, total: int) -> Trace:
        """The exchange is over: its trace. Times are microseconds since the request head was read."""
        shared = self._shared
        stream = self._stream
        decisions = self._decisions
        if stream is not None:
            decisions = [*decisions, *stream.decisions]
            size = self._response.size
            self._response = shared.recorder.streamed(self._answer_headers, stream, size)
            self._usage = self._stream_usage(over=not (self.cut or client_gone))
        elif not self._response.headers:
            self._response.headers = self._answer_headers
        verdict = max([decision.action for decision in decisions]) if decisions else Action.ALLOW
        if self._outcome in outcome.OURS:
            verdict = Action.BLOCK  # no policy asked for it, but it did not pass
        return Trace(
            id=self.id,
            started=self._started,
            endpoint=self._endpoint,
            method=self._method,
            path=self._path,
            route=self._route.name,
            engine=self._route.engine,
            status=status,
            outcome="client_gone" if client_gone else self._outcome or _OUTCOME[verdict],
            verdict=verdict,
            upstream_status=self._status,
            project=shared.options.project,
            proxy=shared.options.proxy,
            model=self.model[:256],
            streamed=self._streamed,
            sensitivity=self._sensitivity,
            policy_version=self._guard.policies.version,
            caller=self._caller,
            usage=self._usage,
            timing=Timing(total, self._guard_ns // 1000, upstream_first, total, first_byte),
            request=shared.recorder.message(self._request),
            response=shared.recorder.message(self._response),
            decisions=tuple(merged(decisions)) if decisions else (),
            tags=tuple([("tool", name) for name in (stream.tools if stream is not None else self._tools)]),
        )

    # ---- small parts

    def _the_plan(self) -> Plan:
        if self._plan is None:
            policies = self._guard.policies
            scope = _ANYWHERE if policies.everywhere else self._scope()
            self._plan = policies.plan(scope, self._shared.draw() if policies.sampled else 0.0)
        return self._plan

    def _edited(self, text: str, edits: Sequence[Edit]) -> str:
        out: list[str] = []
        at = 0
        for edit in edits:
            out += (text[at : edit.start], self.render(edit, text[edit.start : edit.end]))
            at = edit.end
        out.append(text[at:])
        return "".join(out)

    def _blocked(self, judgement: Judgement) -> Refusal:
        self._outcome = "blocked"
        by = judgement.blocked_by
        named = f" [policy {by.policy}, rule {by.rule}, trace {self.id}]" if by else f" [trace {self.id}]"
        return self._refusal(400, judgement.message + named, "content_filter", "content_filter")

    def _refuse(self, status: int, message: str, reason: str) -> Refusal:
        self._outcome = "refused"
        return self._refusal(status, message, reason, reason)

    def _refusal(self, status: int, message: str, reason: str, code: str) -> Refusal:
        content_type, body = reply.error_body(self._route.form, status, message, code, "invalid_request_error")
        headers = [
            (b"content-type", content_type),
            (b"x-akto-trace-id", self.id.encode("ascii")),
            (b"server-timing", b"guard;dur=%.3f" % (self._guard_ns / 1e6)),
        ]
        return Refusal(status, headers, body, reason)


_OUTCOME = {Action.ALLOW: "ok", Action.ALERT: "alerted", Action.REDACT: "redacted", Action.BLOCK: "blocked"}

_ANYWHERE = Scope()
