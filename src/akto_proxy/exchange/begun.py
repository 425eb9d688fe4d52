"""An exchange from its head on: who calls, where to, under which plan, what was decided, and how it says no.

The parts of an exchange follow each other in time, so each is a class over the one before: Begun (the head), Asked (the
request's body), Answered (a whole answer), Streamed (one that flows), GuardedExchange (the trace). They are one object:
what a part finds out, the next one uses, and nothing is handed over. The price: an attribute is declared here that only
a later part sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange import outcome
from akto_proxy.exchange.face import Ask, Forward, Headers, Refusal, RequestHead
from akto_proxy.exchange.outside import Answers, Gathering
from akto_proxy.exchange.record import NOTHING
from akto_proxy.exchange.restore import RESTORE
from akto_proxy.exchange.shared import Shared
from akto_proxy.exchange.stream import AnswerStream
from akto_proxy.guard.replace import Vault
from akto_proxy.model import Action, Caller, Decision, Segment, Usage
from akto_proxy.policy.checks import Tally
from akto_proxy.policy.clause import ExternalCheck
from akto_proxy.policy.compile import Edit, Judgement, Plan
from akto_proxy.policy.scope import Scope
from akto_proxy.wire import reply
from akto_proxy.wire.route import Route, Target
from akto_proxy.wire.stream import StreamReader

Passed = TypeVar("Passed", Forward, tuple[Headers, bytes])
"""What goes on when no check stops it."""

Told = Callable[[Answers], "Forward | Refusal | tuple[Headers, bytes] | bytes"]

STALE_AFTER_EDIT = (b"content-md5", b"digest", b"content-digest", b"etag", b"content-length", b"content-encoding")
_ANYWHERE = Scope()
_NO_USAGE = Usage()


class Begun:
    """What every part of an exchange needs.

    Args:
        shared: what all exchanges of this worker share.
        head, method, target, route, caller: what the request's head said.
        place: endpoint name, its sensitivity, and whether guardrails apply to this method and path.
    """

    __slots__ = (
        "_answer_encoding",
        "_answer_headers",
        "_answer_type",
        "_applies",
        "_caller",
        "_decisions",
        "_ending",
        "_endpoint",
        "_gathering",
        "_guard",
        "_guard_ns",
        "_head",
        "_method",
        "_outcome",
        "_passed",
        "_path",
        "_plan",
        "_reader",
        "_request",
        "_response",
        "_route",
        "_sensitivity",
        "_shared",
        "_started",
        "_status",
        "_stream",
        "_streamed",
        "_system",
        "_tally",
        "_target",
        "_told",
        "_tools",
        "_usage",
        "_vault",
        "_wanted",
        "cut",
        "id",
        "keepalive",
        "model",
        "offered",
    )

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
        self._endpoint, self._sensitivity, self._wanted = place
        self._path = target.path
        self._applies = self._wanted and route.guarded  # a route without texts may still be sent some
        self._started = shared.now()
        self._guard_ns = 0
        self._decisions: list[Decision] = []
        self._outcome = ""
        self._system: Sequence[Segment] = ()
        self._request = self._response = NOTHING
        self._passed = 0  # bytes of an answer that went by in pieces
        self._usage = _NO_USAGE
        self._tools: Sequence[str] = ()
        self._streamed = False
        self._status = 0
        self._answer_headers: Headers = []
        self._answer_type = self._answer_encoding = self._ending = b""
        self._reader: StreamReader | None = None
        self._stream: AnswerStream | None = None
        self._gathering: Gathering | None = None
        self._told: Told | None = None
        self._plan: Plan | None = None
        self._tally: Tally | None = None
        self._vault: Vault | None = None
        self.offered: Sequence[str] = ()
        self.model = ""
        self.id = shared.new_id()
        self.cut = False
        self.keepalive = b""

    # ---- what applies

    def _the_plan(self) -> Plan:
        plan = self._plan
        if plan is None:
            policies = self._guard.policies
            scope = _ANYWHERE if policies.everywhere else self._scope()
            plan = self._plan = policies.plan(scope, self._shared.draw() if policies.sampled else 0.0)
        return plan

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

    def _counts(self) -> Tally:
        """What the answer has shown so far, for rules that count."""
        if self._tally is None:
            self._tally = Tally()
        return self._tally

    # ---- redaction

    def render(self, edit: Edit, matched: str) -> str:
        """The replacement of one matched text."""
        if self._vault is None:
            self._vault = Vault()
        if edit.replacement == RESTORE:
            return self._vault.get(matched) or matched
        return self._shared.replacer.render(edit.replacement, edit.finding.entity, matched, self._vault)

    def _edited(self, text: str, edits: Sequence[Edit]) -> str:
        out: list[str] = []
        at = 0
        for edit in edits:
            out += (text[at : edit.start], self.render(edit, text[edit.start : edit.end]))
            at = edit.end
        out.append(text[at:])
        return "".join(out)

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

    # ---- how it says no

    def limited(self, limit: str, message: str, headers: Headers) -> Refusal:
        """A limit that counts by model refuses the call."""
        self._outcome = "limited"
        made = self._refusal(429, message, "limited", "rate_limit_exceeded")
        return Refusal(made.status, [*made.headers, *headers], made.body, made.reason)

    def fail(self, error: UpstreamError) -> Refusal:
        """Upstream failed before its head: the refusal for the caller in the route's form."""
        status, self._outcome, message = outcome.of_failure(error)
        return self._refusal(status, message, error.reason, "upstream_error")

    def _blocked(self, judgement: Judgement) -> Refusal:
        self._outcome = "blocked"
        by = judgement.blocked_by
        named = f" [policy {by.policy}, rule {by.rule}, trace {self.id}]" if by else f" [trace {self.id}]"
        return self._refusal(400, judgement.message + named, "content_filter", "content_filter")

    def _refuse(self, status: int, message: str, reason: str) -> Refusal:
        self._outcome = "refused"
        return self._refusal(status, message, reason, reason)

    def _refusal(self, status: int, message: str, reason: str, code: str) -> Refusal:
        content_type, body = reply.error_body(self._route.form, status, message, code, reply.error_kind(status))
        headers = [
            (b"content-type", content_type),
            (b"x-akto-trace-id", self.id.encode("ascii")),
            (b"server-timing", b"guard;dur=%.3f" % (self._guard_ns / 1e6)),
        ]
        return Refusal(status, headers, body, reason)
