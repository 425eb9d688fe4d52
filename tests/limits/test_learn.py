"""Learned limits: what they promise for every baseline, and what they refuse to say."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.limits.learn import KINDS, Baseline, Found, Terms, Use
from akto_proxy.limits.samples import PERIODS
from akto_proxy.limits.schema import Limit

DAY = 86_400.0
PRICES = {"*": (1e5, 2e5)}
EASY = Terms(percentile=90.0, headroom=0.0, least_days=1, kinds=("user",), prices=PRICES)


def use(at: float, user: str = "ann", *, seconds: float = 1.0, prompt: int = 10, completion: int = 5) -> Use:
    return Use(at, seconds, "main", (user, "", "", "", ""), "m", prompt, completion)


def learned(uses: list[Use], terms: Terms = EASY) -> dict[str, Found]:
    baseline = Baseline(terms)
    for item in sorted(uses, key=lambda item: item.at):
        baseline.add(item)
    return {item.count: item for item in baseline.found()}


calls = st.builds(
    use,
    st.integers(0, 4 * 3600).map(float),
    st.sampled_from(["ann", "bob", "eve"]),
    seconds=st.floats(0.001, 900),
    prompt=st.integers(1, 9000),
    completion=st.integers(1, 9000),
)


def samples(uses: list[Use], amount: dict[int, int], span: float) -> list[int]:
    """By the definition, call by call, without cells: the most used in `span` up to a call, by caller and stretch."""
    most: dict[tuple[str, float], int] = {}
    for one in uses:
        mine = [o for o in uses if o.callers == one.callers and one.at - span < o.at <= one.at]
        total = sum(amount[id(o)] for o in mine)
        place = (one.callers[0], one.at // span)
        most[place] = max(most.get(place, 0), total)
    return sorted(most.values())


@settings(max_examples=60, deadline=None)
@given(st.lists(calls, min_size=1, max_size=40))
def test_never_below_what_the_percentile_of_the_definition_says(uses: list[Use]) -> None:
    found = learned(uses)
    amounts = {
        "requests": {id(o): 1 for o in uses},
        "tokens": {id(o): o.prompt + o.completion for o in uses},
        "cost": {id(o): 100_000 * (o.prompt + 2 * o.completion) for o in uses},
    }
    for count, amount in amounts.items():
        exact = samples(uses, amount, PERIODS[count])
        at_least = exact[max(1, ceil(len(exact) * 0.9)) - 1]
        unit = 1e6 if count == "cost" else 1
        assert found[count].usual * unit >= at_least - 1e-6
        assert found[count].samples == len(exact)
        assert found[count].peak * unit >= exact[-1] - 1e-6


@settings(max_examples=60, deadline=None)
@given(st.lists(calls, min_size=1, max_size=40), st.data())
def test_more_traffic_in_the_same_stretches_never_lowers_a_proposal(uses: list[Use], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(uses), max_size=20))
    more = uses + [use(o.at, o.callers[0], seconds=o.seconds, prompt=o.prompt, completion=o.completion) for o in again]
    before, after = learned(uses), learned(more)
    for count, item in before.items():
        assert after[count].usual >= item.usual
        assert after[count].peak >= item.peak


@settings(max_examples=40, deadline=None)
@given(st.lists(calls, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_calls_of_one_moment_changes_nothing(uses: list[Use], rnd) -> None:
    shuffled = list(uses)
    rnd.shuffle(shuffled)
    assert learned(shuffled) == learned(uses)


def week(calls_a_day: int = 200, days: int = 7) -> list[Use]:
    return [use(day * DAY + n * 300, f"u{n % 5}") for day in range(days) for n in range(calls_a_day)]


def test_enough_data_gives_a_limit_with_headroom() -> None:
    found = learned(week(), Terms(percentile=99, headroom=0.5, kinds=("user",)))
    assert found["requests"].limit == 2.0  # one call a minute at most, and half of it more, rounded up
    assert found["concurrent"].limit == 2.0
    assert "cost" not in found  # no prices are known


@pytest.mark.parametrize(
    ("uses", "why"),
    [
        (week(days=2), "calls on 2 days only; 3 are needed"),
        (week(10, days=7), "70 samples only; 200 are needed for percentile 99"),
    ],
)
def test_too_little_data_gives_none_and_says_so(uses: list[Use], why: str) -> None:
    found = learned(uses, Terms(percentile=99, kinds=("user",)))["requests"]
    assert found.limit == 0
    assert found.thin == why


def test_calls_that_say_no_user_are_nobodys() -> None:
    assert learned([use(n * 60.0, "") for n in range(500)]) == {}


def test_an_entry_is_a_limit_that_spares_unnamed_callers_and_other_endpoints() -> None:
    item = Found("a[b]/c d", "user", "cost", 7, 900, 3, 1.0, 2.0, 1.5)
    limit = Limit(**item.entry("shadow", PRICES))
    assert limit.mode == "shadow"
    assert limit.per == PERIODS["cost"]
    assert limit.applies({"endpoint": "a[b]/c d", "user": "ann"})
    assert not limit.applies({"endpoint": "a[b]/c d", "user": ""})
    assert not limit.applies({"endpoint": "abc d", "user": "ann"})


def test_names_of_endpoints_that_look_alike_differ() -> None:
    names = {Found(place, "user", "requests", 1, 1, 1, 1, 1).name for place in ("a b", "a/b", "a-b")}
    assert len(names) == 3
    assert all(Limit(name=name, limit=1) for name in names)


def test_kinds_are_the_callers_of_a_use() -> None:
    terms = Terms(percentile=50, least_days=1, kinds=KINDS)
    baseline = Baseline(terms)
    for n in range(200):
        baseline.add(Use(n * 60.0, 1.0, "e", ("u", "k", "t", "a", "i")))
    assert {item.kind for item in baseline.found() if item.count == "requests"} == set(KINDS)
