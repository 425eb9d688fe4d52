"""The request's body, guarded: read, find, decide, then the same bytes, rewritten bytes or a refusal."""

from __future__ import annotations

from akto_proxy.errors import BodyError
from akto_proxy.exchange.begun import STALE_AFTER_EDIT, Begun
from akto_proxy.exchange.face import Ask, Forward, Headers, Refusal
from akto_proxy.exchange.headers import header, without
from akto_proxy.exchange.masking import masked
from akto_proxy.exchange.stream import MOST_TOOLS
from akto_proxy.model import Action, Direction, Finding, Role, Segment
from akto_proxy.policy.checks import Tally
from akto_proxy.wire import body as wire_body
from akto_proxy.wire.body import Body, Query

_TYPE, _ENCODING, _HOLD = range(3)
_SAID = {b"content-type": _TYPE, b"content-encoding": _ENCODING, b"x-scale-up-timeout": _HOLD}


class Asked(Begun):
    """The request side of an exchange."""

    __slots__ = ()

    def request(self, body: bytes) -> Forward | Refusal | Ask:
        """The whole request body to what goes upstream, or the refusal for the caller."""
        tick = self._shared.tick
        began = tick()
        try:
            read = self._applies or (self._wanted and (body or self._target.query or self._route.named))
            return self._request_guarded(body) if read else self._unpermitted(body) or self._forward(body)
        except BodyError as error:
            return self._refuse(error.status, str(error), error.reason)
        finally:
            self._guard_ns += tick() - began

    def _request_guarded(self, data: bytes) -> Forward | Refusal | Ask:
        shared, route = self._shared, self._route
        headers = self._head.headers
        said = _said(headers)
        read = wire_body.read(
            route,
            Direction.REQUEST,
            said[_TYPE],
            said[_ENCODING],
            data,
            max_size=shared.options.request_limit,
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
                self._request = shared.recorder.unread(headers, data)
                return self._blocked(judgement)
        query = Query(self._target.query) if self._target.query else None
        segments = [*read.segments, *query.segments] if query else read.segments
        if route.named:
            segments = [*segments, Segment(self._target.path, "path", Role.USER, Direction.REQUEST)]
        found = self._guard.scanner.scan(segments, plan.enabled_request)
        if plan.checks_bodies or any(found):
            return self._request_found(data, read, query, segments, found)
        self._request = shared.recorder.clean(headers, read, data)
        if plan.needs_system:
            self._system = [segment for segment in read.segments if segment.role is Role.SYSTEM]
        forward = self._forward(data, hold=said[_HOLD])
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

    def _forward(
        self, body: bytes, target: bytes = b"", *, rewritten: bool = False, hold: bytes | None = None
    ) -> Forward:
        """What goes upstream. `hold` is the caller's X-Scale-Up-Timeout, looked up where it is not given."""
        head = self._head
        outbound = self._shared.outbound
        headers = head.headers if outbound is None else outbound(head.headers)
        if rewritten:
            headers = without(headers, STALE_AFTER_EDIT)
        if self._streamed or self._route.always_stream:
            headers = [*without(headers, (b"accept-encoding",)), (b"accept-encoding", b"identity")]
        if hold is None:
            hold = header(headers, b"x-scale-up-timeout")
        patience = float(hold) if hold.isdigit() and len(hold) < 6 else 0.0
        return Forward(head.method, target or head.target, headers, body, patience)


def _said(headers: Headers) -> list[bytes]:
    """The first values of the headers that a request's body is read by, in one pass."""
    found = [b"", b"", b""]
    for name, value in headers:
        at = _SAID.get(name.lower())
        if at is not None and not found[at]:
            found[at] = value
    return found
