"""Readiness: stores are asked, seldom, and what they say stays inside."""

from typing import Any

from starlette.testclient import TestClient

from akto_proxy.dashboard.ready import FRESH, Readiness
from akto_proxy.errors import StorageError


class Shop:
    """A store that answers until it is told not to."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    def storage(self) -> None:
        self.asked += 1
        if self.away:
            raise StorageError("no route to 10.0.0.7 as user akto")

    active = storage


def test_a_probe_without_an_account_is_told_ready_by_any_address(stranger: TestClient) -> None:
    answer = stranger.get("/readyz", headers={"host": "10.1.2.3:8090"})
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_a_store_that_is_away_is_named_without_its_words_and_found_again() -> None:
    traces, control, now = Shop(), Shop(), [100.0]
    readiness: Any = Readiness(traces, control, lambda: now[0])  # type: ignore[arg-type]
    assert readiness.problem() == ""
    control.away = True
    assert readiness.problem() == ""  # remembered
    now[0] += FRESH
    assert readiness.problem() == "the control store does not answer"
    traces.away = True
    now[0] += FRESH
    assert readiness.problem() == "the trace store does not answer"
    traces.away = control.away = False
    now[0] += FRESH
    assert readiness.problem() == ""


def test_a_storm_of_probes_asks_the_stores_once_a_second() -> None:
    traces, control = Shop(), Shop()
    readiness: Any = Readiness(traces, control, lambda: 5.0)  # type: ignore[arg-type]
    for _ in range(1000):
        readiness.problem()
    assert (traces.asked, control.asked) == (1, 1)


def test_a_clock_that_went_back_does_not_freeze_the_answer() -> None:
    traces, control, now = Shop(), Shop(), [100.0]
    readiness: Any = Readiness(traces, control, lambda: now[0])  # type: ignore[arg-type]
    readiness.problem()
    traces.away, now[0] = True, 10.0
    assert readiness.problem() == "the trace store does not answer"
