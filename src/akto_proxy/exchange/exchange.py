"""One request and its answer, guarded: bytes in, bytes out, or a Refusal; at its end the trace.

The order is fixed: read the body, find, decide, then the same bytes, rewritten bytes or a refusal. Clean traffic
passes byte for byte. Whatever happened is in `trace`, including what could not be read and was let pass. The parts are
in files of their own, in the order in which they happen (see `begun`).
"""

from __future__ import annotations

from akto_proxy.exchange import outcome
from akto_proxy.exchange.decisions import merged
from akto_proxy.exchange.record import NOTHING, Kept
from akto_proxy.exchange.streamed import Streamed
from akto_proxy.model import Action, Timing, Trace


class GuardedExchange(Streamed):
    """One request and its answer. Calls come in the order of `face.Exchange`."""

    __slots__ = ()

    def trace(self, *, status: int, client_gone: bool, first_byte: int, upstream_first: int, total: int) -> Trace:
        """The exchange is over: its trace. Times are microseconds since the request head was read."""
        shared, route = self._shared, self._route
        recorder, options = shared.recorder, shared.options
        stream = self._stream
        decisions = self._decisions
        response = self._response
        tools = self._tools
        if stream is not None:
            decisions = [*decisions, *stream.decisions]
            response = recorder.streamed(self._answer_headers, stream, self._passed)
            self._usage = self._stream_usage(over=not (self.cut or client_gone))
            tools = stream.tools
        elif response is NOTHING:
            response = Kept(self._answer_headers, size=self._passed)
        verdict = max([decision.action for decision in decisions]) if decisions else Action.ALLOW
        if self._outcome in outcome.OURS:
            verdict = Action.BLOCK  # no policy asked for it, but it did not pass
        return Trace(
            id=self.id,
            started=self._started,
            endpoint=self._endpoint,
            method=self._method,
            path=self._path,
            route=route.name,
            engine=route.engine,
            status=status,
            outcome="client_gone" if client_gone else self._outcome or _OUTCOME[verdict],
            verdict=verdict,
            upstream_status=self._status,
            project=options.project,
            proxy=options.proxy,
            model=self.model[:256],
            streamed=self._streamed,
            sensitivity=self._sensitivity,
            policy_version=self._guard.policies.version,
            caller=self._caller,
            usage=self._usage,
            timing=Timing(total, self._guard_ns // 1000, upstream_first, total, first_byte),
            request=recorder.message(self._request),
            response=recorder.message(response),
            decisions=tuple(merged(decisions)) if decisions else (),
            tags=tuple([("tool", name) for name in tools]) if tools else (),
        )


_OUTCOME = {Action.ALLOW: "ok", Action.ALERT: "alerted", Action.REDACT: "redacted", Action.BLOCK: "blocked"}
