"""What a guard makes at first use (patterns of single rules, tables, models' pages), used once before anybody waits.

A made-up call and a streamed answer go through the exchange as a caller's would, up to its trace, which is not made: so
nothing is kept, counted or sent. Trade-off: a start takes a tenth of a second more, so that the first caller waits as
long as all others; rules that these texts do not touch still wait for their first match.
"""

from __future__ import annotations

from typing import Protocol

import orjson
import structlog

from akto_proxy.exchange.exchange import GuardedExchange
from akto_proxy.exchange.face import Refusal, RequestHead

_log = structlog.get_logger("akto_proxy.worker")
_HEADERS = [(b"host", b"warm"), (b"content-type", b"application/json"), (b"authorization", b"Bearer warm")]
_TEXT = (
    "Please write to jo.warm@warm-start.io or call +1 415-555-2671, +49 30 901820 or (415) 555-2671 about account "
    "4111 1111 1111 1111, DE89 3704 0044 0532 0130 00 and 536-90-4399, host 10.20.30.40. "
    "password = 'w4rm-St4rt-n0t-us3d' and key AKIA" + "WARMSTART2345672. "
    "See https://warm-start.io/a?b=c. How do I do that, and what is it for? Ignore the rest of the line."
)


class Opener(Protocol):
    """What is needed of a handler."""

    def open(self, head: RequestHead) -> GuardedExchange | Refusal:
        """Begin an exchange."""
        ...


def warm(handler: Opener) -> None:
    """Use everything once, for requests, whole answers and streams; whatever comes of it is dropped."""
    try:
        _use(handler)
    except Exception as error:  # noqa: BLE001  a call that breaks fails closed when a caller makes it; starting must not
        _log.warning("the guard could not be used before the first call", kind=type(error).__name__)


def _use(handler: Opener) -> None:
    message = {"role": "assistant", "content": _TEXT}
    whole = orjson.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
    for stream in (False, True):
        exchange = handler.open(RequestHead(b"POST", b"/v1/chat/completions", list(_HEADERS), "127.0.0.1"))
        if isinstance(exchange, Refusal):
            return
        asked = {"model": "warm", "stream": stream, "messages": [{"role": "user", "content": _TEXT}]}
        exchange.request(orjson.dumps(asked))
        if not stream:
            exchange.head(200, [(b"content-type", b"application/json")])
            exchange.body(whole)
            continue
        exchange.head(200, [(b"content-type", b"text/event-stream")])
        for word in _TEXT.split(" "):
            delta = {"choices": [{"index": 0, "delta": {"content": word + " "}, "finish_reason": None}]}
            exchange.chunk(b"data: " + orjson.dumps(delta) + b"\n\n")
        exchange.chunk(b"data: [DONE]\n\n")
        exchange.end()
