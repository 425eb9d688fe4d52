"""Habits that are nobody's business, and what breaks them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from tests.watch.conftest import START

from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.observation import Observation
from akto_proxy.watch.watch import Watch

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
Observe = Callable[..., Observation]


def spread(begin: float, calls: int, seconds: float) -> Iterable[float]:
    """Times of so many calls, evenly over so many seconds."""
    return (begin + number * seconds / calls for number in range(calls))


def jobs(days: int, every: float, calls: int, first: float = START) -> list[float]:
    """Times of a job of so many calls in ten minutes, again and again."""
    return [at for n in range(int(days * DAY / every)) for at in spread(first + n * every, calls, 10 * MINUTE)]


def told(watch: Watch, seen: Iterable[Observation]) -> list[Anomaly]:
    return [item for one in sorted(seen, key=lambda one: one.at) for item in watch.feed(one)]


@pytest.mark.parametrize(
    ("every", "calls"), [(HOUR, 100), (DAY, 400), (7 * DAY, 600)], ids=["hourly", "nightly", "weekly"]
)
def test_a_job_that_comes_again_and_again_is_how_this_caller_is(observe: Observe, every: float, calls: int) -> None:
    watch = Watch()
    told(watch, [observe(at) for at in jobs(14, every, calls)])
    assert told(watch, [observe(at) for at in jobs(7, every, calls, START + 14 * DAY)]) == []


def test_what_goes_beyond_the_job_is_told(observe: Observe) -> None:
    watch = Watch()
    told(watch, [observe(at) for at in jobs(14, HOUR, 100)])
    found = told(watch, [observe(at) for at in spread(START + 14 * DAY + 30 * MINUTE, 2_000, 10 * MINUTE)])
    assert {item.kind for item in found} >= {"volume"}


def test_a_caller_of_few_calls_is_told_too(observe: Observe) -> None:
    watch = Watch()
    told(watch, [observe(START + day * DAY + 10 * HOUR + n * HOUR) for day in range(14) for n in range(6)])
    attack = START + 14 * DAY + 11 * HOUR
    found = told(watch, [observe(at) for at in spread(attack, 80, HOUR)])
    assert [item.kind for item in found if item.subject == "caller key:k1"] == ["volume"]
    assert found[0].since >= attack - 5 * MINUTE


def test_an_attack_of_yesterday_does_not_hide_the_one_of_today(observe: Observe) -> None:
    watch = Watch()
    told(watch, [observe(START + n * 10 * MINUTE) for n in range(14 * 144)])
    for day in (14, 15):
        found = told(watch, [observe(at) for at in spread(START + day * DAY + 10 * HOUR, 300, HOUR)])
        assert "volume" in {item.kind for item in found}, day


def test_who_comes_an_hour_early_is_no_news(observe: Observe) -> None:
    watch = Watch()
    nights = [START + day * DAY + 22 * HOUR + n * MINUTE for day in range(14) for n in range(180)]
    told(watch, [observe(at) for at in nights])
    early = [START + 14 * DAY + 21 * HOUR + n * MINUTE for n in range(180)]
    assert told(watch, [observe(at) for at in early]) == []


def test_one_callers_personal_data_is_no_news_of_the_endpoint(observe: Observe) -> None:
    def day(number: int) -> list[Observation]:
        begin = START + number * DAY
        plain = [observe(begin + n * 2 * MINUTE) for n in range(720)]
        records = [
            observe(at, who="key:k2", key="k2", flagged=True, redacted=n % 3 > 0, leaks=int(n % 3 > 0))
            for n, at in enumerate(spread(begin + 9 * HOUR, 60, 30 * MINUTE))
        ]
        return plain + records

    watch = Watch()
    told(watch, [seen for number in range(5) for seen in day(number)])
    assert told(watch, day(5)) == []


@pytest.mark.parametrize(("harmless", "kinds"), [(2, ["build-up"]), (100, [])])
def test_a_session_of_hundreds_of_calls_has_some_that_look_bad(
    observe: Observe, harmless: int, kinds: list[str]
) -> None:
    risky = {"risk": 0.75, "flagged": True}
    turns = [risky if n % (harmless + 1) == 0 else {} for n in range(4 * (harmless + 1))]
    found = told(Watch(), [observe(START + n, session="s", **more) for n, more in enumerate(turns)])
    assert [item.kind for item in found] == kinds


def test_what_is_known_outlives_a_restart(observe: Observe) -> None:
    watch, again = Watch(), Watch()
    told(watch, [observe(at) for at in jobs(14, HOUR, 100)])
    assert again.load(watch.dump())
    assert told(again, [observe(at) for at in jobs(1, HOUR, 100, START + 14 * DAY)]) == []
    assert not again.load(b"no state")


def crowd(
    observe: Observe, begin: float, hours: float, rate: int, callers: int = 12, **more: object
) -> list[Observation]:
    """Callers of one endpoint, each with so many calls an hour."""
    names = [f"c{number}" for number in range(callers)]
    times = list(spread(begin, int(rate * hours), hours * HOUR))
    return [observe(at + n, who=f"key:{name}", key=name, **more) for n, name in enumerate(names) for at in times]


def test_a_change_that_most_callers_share_is_said_once_about_the_endpoint(observe: Observe) -> None:
    watch = Watch()
    told(watch, crowd(observe, START, 3 * 24, 30))
    begin = START + 3 * DAY + 9 * HOUR
    found = told(watch, crowd(observe, begin, 8, 150))
    assert [(item.kind, item.subject) for item in found] == [("surge", "endpoint e")]
    assert "shared by 12 of 12 callers" in found[0].seen


def test_who_goes_beyond_what_all_do_is_told_still(observe: Observe) -> None:
    watch = Watch()
    told(watch, crowd(observe, START, 3 * 24, 30))
    begin = START + 3 * DAY + 9 * HOUR
    loud = [observe(at, who="key:c3", key="c3") for at in spread(begin + 3 * HOUR, 3_000, HOUR)]
    found = told(watch, crowd(observe, begin, 6, 90) + loud)
    assert ("volume", "caller key:c3") in {(item.kind, item.subject) for item in found}
    assert {item.subject for item in found} <= {"caller key:c3", "endpoint e"}


@pytest.mark.parametrize(
    ("more", "kind"), [({"error": True}, "errors"), ({"blocked": True}, "refusals"), ({"seconds": 30.0}, "latency")]
)
def test_an_outage_is_one_anomaly_of_the_endpoint_and_not_one_of_each_caller(
    observe: Observe, more: dict[str, object], kind: str
) -> None:
    watch = Watch()
    told(watch, crowd(observe, START, 2 * 24, 120, seconds=1.0))
    found = told(watch, crowd(observe, START + 2 * DAY, 0.5, 120, **more))
    assert {(item.kind, item.subject) for item in found} == {(kind, "endpoint e")}


def test_the_errors_of_one_caller_are_its_own(observe: Observe) -> None:
    watch = Watch()
    told(watch, crowd(observe, START, 2 * 24, 120))
    begin = START + 2 * DAY
    mine = [observe(at, who="key:c3", key="c3", error=True) for at in spread(begin, 20, 10 * MINUTE)]
    found = told(watch, crowd(observe, begin, 0.5, 120) + mine)
    assert ("errors", "caller key:c3") in {(item.kind, item.subject) for item in found}
