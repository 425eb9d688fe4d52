"""What is written down about one exchange when it is over: times, counters, its trace, its token given back.

Nothing here may keep an answer from its caller: a trace that cannot be made or a sink that raises is counted.
"""

from __future__ import annotations

from time import monotonic

from akto_proxy.exchange.face import Exchange
from akto_proxy.model import Trace
from akto_proxy.proxy.core import Core, Token


class Books:
    """The times of one exchange (monotonic seconds, 0 means not yet) and its place in the gate."""

    __slots__ = ("_core", "ended", "first_out", "started", "token", "up_first")

    def __init__(self, core: Core, started: float) -> None:
        self._core = core
        self.started = started
        self.up_first = 0.0
        self.first_out = 0.0
        self.ended = 0.0
        self.token: Token = None

    def close(self, exchange: Exchange | None, *, status: int, streamed: bool, client_gone: bool) -> bool:
        """Count the exchange, hand its trace over and leave the gate. `exchange` is None when it never began.

        False when there was something to keep and it could not be kept.
        """
        counters = self._core.counters
        counters.answers += 1
        counters.streams -= streamed
        counters.statuses[status] = counters.statuses.get(status, 0) + 1
        trace = None if exchange is None else self._trace(exchange, status, client_gone)
        kept = exchange is None if trace is None else self._core.keep_trace(trace)
        self.leave_gate(trace)
        return kept

    def leave_gate(self, trace: Trace | None) -> None:
        """Give the token back, once."""
        token, self.token = self.token, None
        if self._core.gate is None or token is None:
            return
        try:
            self._core.gate.leave(token, trace)
        except Exception as error:  # noqa: BLE001  a guest's code; its bug must not kill the exchange
            self._core.fault(error)

    def _trace(self, exchange: Exchange, status: int, client_gone: bool) -> Trace | None:
        now = self.ended or monotonic()
        start = self.started
        try:
            return exchange.trace(
                status=status,
                client_gone=client_gone,
                first_byte=int(((self.first_out or now) - start) * 1e6),
                upstream_first=int((self.up_first - start) * 1e6) if self.up_first else 0,
                total=int((now - start) * 1e6),
            )
        except Exception as error:  # noqa: BLE001  a trace that cannot be made is a bug, not an outage
            self._core.fault(error)
            return None
