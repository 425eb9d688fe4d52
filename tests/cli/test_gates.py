"""Several gates as one: the first refusal undoes those before it, and what each needs at the end it gets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from akto_proxy.cli.gates import Gates, LimitGate
from akto_proxy.exchange.caller import Callers
from akto_proxy.exchange.face import Refusal, RequestHead
from akto_proxy.limits.blocks import Blocked, Blocks, write_blocks
from akto_proxy.limits.limiter import Limiter
from akto_proxy.limits.schema import Limit
from akto_proxy.limits.table import in_memory
from akto_proxy.proxy.metrics import Values

HEAD = RequestHead("POST", b"/v1/chat/completions", [(b"x-user-id", b"eve")], "10.0.0.1")


class Turnstile:
    """A gate that gives a number, or refuses; `later` answers in the loop's next turn."""

    has_late = False

    def __init__(self, name: str, *, refuses: bool = False, later: bool = False, ends: str = "") -> None:
        self.name, self.refuses, self.later, self.ends = name, refuses, later, ends
        self.left: list[Any] = []

    def enter(self, head: RequestHead) -> Any:
        answer: Any = Refusal(429, [], b"", "no") if self.refuses else self.name
        return self._soon(answer) if self.later else answer

    async def _soon(self, answer: Any) -> Any:
        await asyncio.sleep(0)
        return answer

    def named(self, token: Any, model: str, tools: Sequence[str]) -> None:
        return None

    def meter(self, token: Any) -> Any:
        return (lambda used: (self.ends, "said")) if self.ends else None

    def leave(self, token: Any, trace: Any) -> None:
        self.left.append(token)


async def entered(gates: Gates) -> Any:
    found = gates.enter(HEAD)
    return await found if asyncio.iscoroutine(found) else found


@pytest.mark.parametrize("later", [(), (0,), (1,), (0, 2), (0, 1, 2)])
def test_all_let_in_or_those_before_the_refusal_get_their_token_back(later: tuple[int, ...]) -> None:
    one, two, three = (Turnstile(name, later=number in later) for number, name in enumerate("abc"))
    gates = Gates([one, two, three])
    tokens = asyncio.run(entered(gates))
    assert tokens == ["a", "b", "c"]
    gates.leave(tokens, None)
    assert (one.left, two.left, three.left) == (["a"], ["b"], ["c"])
    two.refuses = True
    assert isinstance(asyncio.run(entered(gates)), Refusal)
    assert (one.left, two.left, three.left) == (["a", "a"], ["b"], ["c"])


def test_the_first_meter_that_ends_a_stream_ends_it() -> None:
    gates = Gates([Turnstile("a"), Turnstile("b", ends="limit-b"), Turnstile("c", ends="limit-c")])
    meter = gates.meter(["a", "b", "c"])
    assert meter is not None
    assert meter((1, 1, 1)) == ("limit-b", "said")
    assert Gates([Turnstile("a")]).meter(["a"]) is None


class _Refuser:
    def refuse(self, reason: str, status: int, message: str, head: RequestHead | None) -> Refusal:
        return Refusal(status, [], message.encode(), reason)


def test_a_blocked_caller_is_refused_before_any_limit_is_asked(tmp_path: Any) -> None:
    now = [1000.0]
    blocks = Blocks(tmp_path, lambda: now[0])
    gate = LimitGate(None, blocks, Callers(b"k" * 32, ()), _Refuser(), lambda path: "e")
    assert gate.enter(HEAD) is True
    write_blocks(tmp_path, [Blocked("user", "eve", 2000.0)])
    now[0] += 1
    refused = gate.enter(HEAD)
    assert isinstance(refused, Refusal)
    assert (refused.status, refused.reason, gate.counters.blocked) == (403, "caller_blocked", 1)


def test_limits_that_are_taken_back_leave_nothing_held(tmp_path: Any) -> None:
    streams = Limit(name="s", count="concurrent", limit=1, by=("user",))
    limiter = Limiter([streams], in_memory(64, 1), now=lambda: 10**18, secret=b"s")
    gate = LimitGate(limiter, Blocks(tmp_path, lambda: 0.0), Callers(b"k" * 32, ()), _Refuser(), lambda path: "e")
    running = gate.enter(HEAD)
    limiter.replace([])
    assert gate.enter(HEAD) is True
    gate.leave(running, None)
    limiter.replace([streams])
    assert not isinstance(gate.enter(HEAD), Refusal)


def test_what_a_limit_would_have_refused_can_be_seen(tmp_path: Any) -> None:
    class Refuser:
        def refuse(self, reason: str, status: int, message: str, head: Any) -> Refusal:
            return Refusal(status, [], b"", reason)

    entries = [Limit(name="tried", limit=1, mode="shadow"), Limit(name="kept", limit=2)]
    limiter = Limiter(entries, in_memory(64, 2), now=lambda: 1, secret=b"s")
    gate = LimitGate(limiter, Blocks(tmp_path, lambda: 0.0), Callers(b"k"), Refuser(), lambda path: "e")
    assert [isinstance(gate.enter(HEAD), Refusal) for _ in range(4)] == [False, False, True, True]
    found = gate.counters.into(Values()).counters["akto_proxy_limited_total"]
    assert found == {'limit="tried",mode="shadow"': 3.0, 'limit="kept",mode="enforce"': 2.0}
