"""A real guard path (engine, default policy, wire) with a clock and ids that stand still."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from akto_proxy.cli import build
from akto_proxy.exchange.caller import Callers
from akto_proxy.exchange.face import Exchange, Forward, Headers, Refusal, RequestHead
from akto_proxy.exchange.handler import Guardrails
from akto_proxy.exchange.options import Options
from akto_proxy.exchange.record import Recorder
from akto_proxy.exchange.restore import TOKEN_RULE
from akto_proxy.exchange.shared import Guard, Shared
from akto_proxy.guard.replace import Replacer
from akto_proxy.guard.scanner import Scanner
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.schema import parse_policies

KEY = b"k" * 32
JSON = (b"Content-Type", b"application/json")
SSE = (b"Content-Type", b"text/event-stream")


class Path:
    """One guard path to drive by hand."""

    def __init__(self, guard: Guard, **options: Any) -> None:
        count = iter(range(1, 1_000_000))
        capture = options.get("capture", "masked")
        draw = options.pop("draw", lambda: 0.0)
        shared = Shared(
            guard,
            Options(**{"endpoint": "test", **options}),
            Recorder(capture, options.get("keep", 262_144)),
            Replacer(KEY),
            lambda: 0,
            lambda: 1_700_000_000.0,
            lambda: f"{next(count):032x}",
            draw,
        )
        self.handler = Guardrails(shared, Callers(KEY))

    def open(self, target: str = "/v1/chat/completions", headers: Headers | None = None, method: str = "POST") -> Any:
        head = RequestHead(method.encode(), target.encode(), [(b"Host", b"x"), *(headers or [JSON])], "127.0.0.1")
        return self.handler.open(head)

    def send(self, body: Any, target: str = "/v1/chat/completions", headers: Headers | None = None) -> tuple[Any, Any]:
        exchange = self.open(target, headers)
        if isinstance(exchange, Refusal):
            return exchange, exchange
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return exchange, exchange.request(data)

    def answer(
        self, body: Any, headers: Headers | None = None, status: int = 200, target: str = "/v1/chat/completions"
    ) -> Any:
        exchange, forward = self.send({"messages": [{"role": "user", "content": "hi"}]}, target)
        assert isinstance(forward, Forward)
        exchange.head(status, headers or [JSON])
        return exchange, exchange.body(body if isinstance(body, bytes) else json.dumps(body).encode())

    def stream(self, chunks: list[bytes]) -> tuple[Exchange, bytes]:
        exchange, forward = self.send({"stream": True, "messages": [{"role": "user", "content": "hi"}]})
        assert isinstance(forward, Forward)
        exchange.head(200, [SSE])
        out = b""
        for chunk in chunks:
            out += exchange.chunk(chunk)
            if exchange.cut:
                return exchange, out
        return exchange, out + exchange.end()


def finish(exchange: Exchange, status: int = 200) -> Any:
    return exchange.trace(status=status, client_gone=False, first_byte=1, upstream_first=1, total=2)


@pytest.fixture(scope="session")
def make_path() -> Callable[..., Path]:
    """Makes a guard path out of a policy text (None: the default policy)."""
    rules = build.shipped_rules()
    known = {rule.id: rule for rule in rules}
    shipped = build.engine([*rules, TOKEN_RULE], None)

    def make(policy: str | None = None, **options: Any) -> Path:
        chosen = parse_policies(policy, "test.yaml") if policy else build.pack("default")
        compiled = PolicySet(chosen, known)
        every = compiled.everything()
        wanted = [rule for rule in rules if rule.id in every.enabled_request | every.enabled_response]
        custom = compiled.custom_rules  # compiling takes a second or so: no more than the policy asks for
        engine = build.engine([*wanted, TOKEN_RULE, *custom], None) if custom or not wanted else shipped
        return Path(Guard(Scanner(engine, build.detectors(compiled.detectors)), compiled), **options)

    return make


@pytest.fixture(scope="session")
def path(make_path: Callable[..., Path]) -> Path:
    """The guard path under the default policy."""
    return make_path()
