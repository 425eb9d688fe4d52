"""What a refused caller is told."""

from __future__ import annotations

from typing import Any

from akto_proxy.limits.book import Call, Refused
from akto_proxy.limits.headers import message, refused_headers
from akto_proxy.limits.limiter import Limiter
from akto_proxy.limits.schema import parse_limits
from akto_proxy.limits.table import in_memory
from akto_proxy.model import Caller


def test_a_caller_hears_of_the_limits_that_counted_its_call_and_of_no_other(clock: Any) -> None:
    entries = [
        {"name": "mine", "limit": 1, "by": ["user"], "only": {"user": ["ann"]}},
        {"name": "all", "limit": 100, "per": "1h"},
        {"name": "hers", "limit": 1, "by": ["user"], "only": {"user": ["eve"]}},
        {"name": "tried", "limit": 1, "by": ["user"], "mode": "shadow"},
    ]
    limiter = Limiter(parse_limits(entries), in_memory(64, 4), now=clock, secret=b"s")
    call = Call(Caller(ip="10.0.0.1", user="ann"))
    limiter.enter(call)
    refused = limiter.enter(call)
    assert isinstance(refused, Refused)
    assert dict(refused_headers(refused)) == {
        b"retry-after": b"60",
        b"ratelimit": b'"mine";r=0;t=60',
        b"ratelimit-policy": b'"mine";q=1;qu="requests";w=60, "all";q=100;qu="requests";w=3600',
    }
    assert message(refused).startswith("Limit 'mine' is reached: 1 requests in 60 s for each user.")
