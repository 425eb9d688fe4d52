"""Tokens: what is accepted, and how much each may send."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from akto_proxy.collector.access import GUARD, INGEST, Access
from akto_proxy.collector.problem import Problem
from akto_proxy.store.control import Token
from akto_proxy.store.control_sql import SqlControlStore


def asked(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_the_deployments_own_secret_is_an_ingest_token_and_has_no_share(control: SqlControlStore) -> None:
    access = Access(control, now=Clock(), local="inner", records=1)
    token = await access.check(asked(authorization="Bearer inner"), INGEST)
    for _ in range(100):
        access.spend(token, 1000, 1000)
    with pytest.raises(Problem, match="a token is needed"):
        await Access(control, now=Clock(), local="").check(asked(authorization=""), INGEST)


async def test_a_token_that_is_over_or_of_another_scope_is_refused(control: SqlControlStore) -> None:
    clock = Clock()
    access = Access(control, now=clock)
    _, guard = control.add_token("g", GUARD, by="t", at=1.0)
    assert (await access.check(asked(x_api_key=guard), INGEST, GUARD)).scope == GUARD
    with pytest.raises(Problem) as refused:
        await access.check(asked(authorization=guard), INGEST)
    assert refused.value.status == 403
    assert guard not in str(refused.value)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 40)), max_size=40))
def test_for_every_pace_nobody_gets_more_than_burst_and_share(steps: list[tuple[float, int]]) -> None:
    clock, rate = Clock(), 10
    access = Access(None, now=clock, records=rate)  # type: ignore[arg-type]
    token, taken, began, largest = Token("t", "t", INGEST, 0.0), 0, clock.now, 0
    waits: list[tuple[int, bool]] = []
    for pause, records in steps:
        clock.now += pause
        try:
            access.spend(token, records, 0)
        except Problem as problem:
            waits.append((problem.status, int(problem.headers["retry-after"]) >= 1))
        else:
            taken, largest = taken + records, max(largest, records)
    assert set(waits) <= {(429, True)}
    assert taken <= rate * 10 + rate * (clock.now - began) + largest


async def test_a_folder_of_tokens_is_not_needed_to_say_no(tmp_path: Path) -> None:
    made = SqlControlStore(f"sqlite:///{tmp_path}/c.db", random=os.urandom)
    for secret in ("", "x" * 10_000, "Bearer ", "bearer\\tx"):
        with pytest.raises(Problem) as refused:
            await Access(made, now=Clock()).check(asked(authorization=secret), INGEST)
        assert refused.value.status == 401
    made.close()
