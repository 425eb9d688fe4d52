"""Limits as a caller meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from akto_proxy.limits.book import Call, Grant, Refused
from akto_proxy.limits.limiter import Limiter
from akto_proxy.limits.schema import parse_limits
from akto_proxy.limits.table import in_memory
from akto_proxy.model import Caller, Trace

Make = Callable[..., Trace]


def _limiter(clock: Any, *entries: dict[str, Any]) -> Limiter:
    return Limiter(parse_limits(entries), in_memory(4096, len(entries)), now=clock, secret=b"s")


def _call(key: str = "k", ip: str = "10.0.0.1", size: int = 0, **fields: str) -> Call:
    return Call(Caller(ip=ip, key=key, **fields), "e", "/v1/chat/completions", size)


def _passes(limiter: Limiter, call: Call, times: int = 1) -> list[bool]:
    return [isinstance(limiter.enter(call), Grant) for _ in range(times)]


def test_requests_per_address(clock: Any) -> None:
    limiter = _limiter(clock, {"name": "ip", "limit": 2, "per": "1m", "by": ["ip"]})
    assert _passes(limiter, _call(), 3) == [True, True, False]
    assert _passes(limiter, _call(ip="10.0.0.2")) == [True]
    clock.tick(30)
    assert _passes(limiter, _call(), 2) == [True, False]
    assert limiter.counters.refused == {"ip": 2}


def test_the_wait_is_true(clock: Any) -> None:
    limiter = _limiter(clock, {"name": "ip", "limit": 6, "per": "1m", "burst": 1, "by": ["ip"]})
    limiter.enter(_call())
    refused = limiter.enter(_call())
    assert isinstance(refused, Refused)
    assert refused.retry_after == 10
    clock.tick(refused.retry_after)
    assert _passes(limiter, _call()) == [True]


def test_tokens_are_reserved_before_and_settled_after(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "t", "count": "tokens", "limit": 1000, "reserve": 300, "by": ["ip"]})
    grants = [limiter.enter(_call(size=400)) for _ in range(3)]
    assert [isinstance(grant, Grant) for grant in grants] == [True, True, False]
    assert isinstance(grants[0], Grant)
    limiter.leave(grants[0], trace(50, 50))
    limiter.leave(grants[0], trace(50, 50))  # only the first counts
    assert _passes(limiter, _call(size=400), 2) == [True, False]


def test_a_debt_must_be_waited_for(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "t", "count": "tokens", "limit": 600, "reserve": 10, "by": ["ip"]})
    grant = limiter.enter(_call())
    assert isinstance(grant, Grant)
    limiter.leave(grant, trace(0, 1800))
    assert _passes(limiter, _call()) == [False]
    clock.tick(119)
    assert _passes(limiter, _call()) == [False]
    clock.tick(3)
    assert _passes(limiter, _call()) == [True]


def test_a_call_that_never_reached_the_model_uses_no_tokens(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "t", "count": "tokens", "limit": 512, "by": ["ip"]})
    for ended in (None, trace(100, 100, upstream_status=0)):
        grant = limiter.enter(_call())
        assert isinstance(grant, Grant)
        limiter.leave(grant, ended)


def test_a_call_larger_than_the_bucket_passes_an_idle_one(clock: Any) -> None:
    limiter = _limiter(clock, {"name": "t", "count": "tokens", "limit": 100, "by": ["ip"]})
    assert _passes(limiter, _call(size=1_000_000), 2) == [True, False]


def test_concurrent_calls(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "c", "count": "concurrent", "limit": 2, "by": ["ip"]})
    grants = [limiter.enter(_call()) for _ in range(3)]
    assert isinstance(grants[2], Refused)
    assert isinstance(grants[0], Grant)
    limiter.leave(grants[0], None)
    assert _passes(limiter, _call(), 2) == [True, False]


def test_cost(clock: Any, trace: Make) -> None:
    entry = {
        "name": "c", "count": "cost", "limit": 1, "per": "1d", "by": ["user"], "unknown": 0,
        "prices": {"big*": [10, 100], "*": [1, 2]},
    }  # fmt: skip
    limiter = _limiter(clock, entry)
    grant = limiter.enter(_call(user="u"))
    assert isinstance(grant, Grant)
    limiter.leave(grant, trace(50_000, 4_500, model="big-1"))  # 0.5 + 0.45
    assert _passes(limiter, _call(user="u"), 1) == [False]
    assert _passes(limiter, _call(user="v"), 1) == [True]


def _named(limiter: Limiter, model: str) -> tuple[Grant, Refused | None]:
    grant = limiter.enter(_call())
    assert isinstance(grant, Grant)
    return grant, limiter.named(grant, model)


def test_a_limit_by_model_is_asked_when_the_model_is_known(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "m", "limit": 2, "by": ["model"], "only": {"model": ["big*"]}})
    said = [_named(limiter, model)[1] for model in ("big-1", "big-1", "small", "big-1", "big-2", "small")]
    assert [item is not None for item in said] == [False, False, False, True, False, False]


def test_a_refusal_by_model_gives_back_what_the_head_was_granted(clock: Any, trace: Make) -> None:
    limiter = _limiter(
        clock, {"name": "k", "limit": 3, "by": ["key"], "unknown": 0}, {"name": "m", "limit": 1, "by": ["model"]}
    )
    for model, refused in (("a", False), ("a", True), ("a", True), ("b", False), ("c", False)):
        grant, said = _named(limiter, model)
        assert (said is not None) is refused
        limiter.leave(grant, trace())
    assert _passes(limiter, _call()) == [False]
    assert limiter.counters.allowed == 3


def test_tokens_of_a_model_are_settled_in_its_bucket(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "m", "count": "tokens", "limit": 1000, "by": ["model"], "reserve": 1})
    grant, said = _named(limiter, "big")
    assert said is None
    limiter.leave(grant, trace(500, 600, model="big"))
    assert _named(limiter, "big")[1] is not None
    assert _named(limiter, "small")[1] is None


def test_a_limit_by_tool_counts_calls_of_it_and_refuses_who_offers_it(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "t", "limit": 2, "by": ["tool"], "only": {"tool": ["shell"]}})
    passed: list[bool] = []
    for offered, called in (("shell", "shell"), ("shell", ""), ("shell", "shell"), ("shell", "x"), ("search", "")):
        grant = limiter.enter(_call())
        assert isinstance(grant, Grant)
        passed.append(limiter.named(grant, "m", (offered, "other")) is None)
        limiter.leave(grant, trace(tags=(("tool", called),) if called else ()))
    assert passed == [True, True, True, False, True]


def test_a_tool_that_is_offered_at_the_same_time_cannot_pass_its_limit(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "t", "limit": 2, "by": ["tool"]})
    grants = [limiter.enter(_call()) for _ in range(3)]
    said = [limiter.named(grant, "m", ("shell",)) for grant in grants if isinstance(grant, Grant)]
    assert [item is None for item in said] == [True, True, False]


def test_shadow_only_counts(clock: Any) -> None:
    limiter = _limiter(clock, {"name": "s", "limit": 1, "by": ["ip"], "mode": "shadow"})
    assert _passes(limiter, _call(), 3) == [True, True, True]
    assert limiter.counters.shadowed == {"s": 2}


def test_strangers_share_a_bucket_until_a_call_of_theirs_succeeds(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "k", "limit": 5, "by": ["key"], "unknown": 2})
    grants = [limiter.enter(_call(key=f"made-up-{number}")) for number in range(40)]
    passed = [grant for grant in grants if isinstance(grant, Grant)]
    assert len(passed) == 10
    limiter.leave(passed[0], trace())
    limiter.leave(passed[1], trace(upstream_status=401))
    assert _passes(limiter, _call(key="made-up-0")) == [True]
    assert _passes(limiter, _call(key="made-up-1")) == [False]
    assert isinstance(limiter.enter(_call(key="fresh", ip="10.9.9.9")), Grant)


def test_a_stream_that_outgrows_its_budget_is_told(clock: Any, trace: Make) -> None:
    limiter = _limiter(clock, {"name": "t", "count": "tokens", "limit": 1000, "reserve": 100, "by": ["ip"]})
    grant = limiter.enter(_call())
    assert isinstance(grant, Grant)
    assert limiter.progress(grant, 100, 700, 0) == ""
    assert limiter.progress(grant, 100, 901, 0) == "t"
    limiter.leave(grant, trace(100, 901))
    clock.tick(61)
    assert _passes(limiter, _call()) == [True]


@pytest.mark.parametrize("count", ["requests", "tokens", "bytes", "concurrent"])
def test_no_two_kinds_share_a_bucket(clock: Any, count: str) -> None:
    first = {"name": "a", "limit": 1, "by": ["ip"], "count": "requests"}
    limiter = _limiter(clock, first, {"name": "b", "limit": 1e6, "by": ["ip"], "count": count})
    assert _passes(limiter, _call(), 2) == [True, False]
