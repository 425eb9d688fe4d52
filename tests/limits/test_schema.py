from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.errors import ConfigError
from akto_proxy.limits.schema import Limit, parse_limits


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"limit": 1}, "limits[1].name"),
        ({"name": "a", "limit": 0}, "limits[a].limit"),
        ({"name": "a", "limit": 1, "by": ["ip", "ip"]}, "each field once"),
        ({"name": "a", "limit": 1, "by": ["colour"]}, "limits[a].by.0"),
        ({"name": "a", "limit": 1, "count": "cost"}, "prices"),
        ({"name": "a", "limit": 1, "strict": True}, "at least 2"),
        ({"name": "a", "limit": 1, "count": "concurrent", "burst": 1}, "no rate"),
        ({"name": "a", "limit": 1, "speed": 1}, "limits[a].speed"),
    ],
)
def test_mistakes_are_named(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_limits([entry])
    assert said in str(told.value)


def test_a_name_is_used_once() -> None:
    with pytest.raises(ConfigError, match="used twice"):
        parse_limits([{"name": "a", "limit": 1}, {"name": "a", "limit": 2}])


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("2d", 172_800), (7, 7)])
def test_spans(text: object, seconds: float) -> None:
    assert Limit(name="a", limit=1, per=text).per == seconds


@given(st.integers(1, 10**9), st.integers(1, 86_400), st.integers(1, 10**6), st.integers(1, 10**6))
def test_rounding_never_favours_the_caller(limit: int, per: int, one: int, other: int) -> None:
    rule = Limit(name="a", limit=limit, per=per)
    assert rule.charge(one) * limit >= one * per * 1_000_000_000
    assert rule.charge(one + other) <= rule.charge(one) + rule.charge(other)


def test_an_unlisted_model_costs_the_dearest_price() -> None:
    rule = Limit(name="c", count="cost", limit=1, prices={"small*": (1, 1), "big*": (10, 10)})
    assert rule.spent("small-1", 1_000_000, 0, 0) == 1
    assert rule.spent("never-heard-of", 1_000_000, 0, 0) == 10
