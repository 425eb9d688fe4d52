"""The bucket table: never more than promised, for any interleaving of writers and settlements."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.limits.schema import Limit
from akto_proxy.limits.table import HEAD, Ask, Settle, Table, in_memory

S = 1_000_000_000
START = 1_700_000_000 * S


def _writers(count: int, rows: int = 8, overflow: int = 1, known: int = 16) -> list[Table]:
    cells = memoryview(bytearray(8 * ((rows + overflow) * (HEAD + count) + known))).cast("q")
    return [Table(cells, rows, overflow, count, column, lambda: None, lambda: None) for column in range(count)]


def _most(events: list[tuple[int, float]], window: int) -> float:
    """The most that passed in any closed window of this length."""
    most = 0.0
    for at, _ in events:
        most = max(most, sum(amount for other, amount in events if at <= other <= at + window))
    return most


@settings(max_examples=120, deadline=None)
@given(
    limit=st.integers(1, 20),
    burst=st.integers(1, 20),
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4 * S), st.integers(1, 3)), max_size=60),
    window=st.integers(0, 120 * S),
)
def test_never_more_than_the_limit_in_any_window(
    limit: int, burst: int, steps: list[tuple[int, int, int]], window: int
) -> None:
    rule = Limit(name="x", limit=limit, burst=burst, per=30)
    tables = _writers(4)
    now, passed = START, []
    for writer, later, amount in steps:
        now += later
        if tables[writer].decide([Ask(5, 0, rule.capacity, rule.charge(amount))], now).refused < 0:
            passed.append((now, float(amount)))
    assert _most(passed, window) <= burst + limit * window / (30 * S) + 1e-6


@settings(max_examples=100, deadline=None)
@given(
    limit=st.integers(2, 20),
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6 * S)), max_size=80),
)
def test_strict_never_passes_more_than_limit_in_a_period(limit: int, steps: list[tuple[int, int]]) -> None:
    rule = Limit(name="x", limit=limit, strict=True, per=30)
    tables = _writers(4)
    now, passed = START, []
    for writer, later in steps:
        now += later
        if tables[writer].decide([Ask(5, 0, rule.capacity, rule.charge(1))], now).refused < 0:
            passed.append((now, 1.0))
    assert _most(passed, 30 * S) <= limit


_STEP = st.tuples(
    st.integers(0, 3), st.integers(0, 5 * S), st.integers(1, 40), st.floats(0, 1), st.booleans(), st.integers(0, 30)
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(_STEP, max_size=60), window=st.integers(0, 200 * S))
def test_what_is_settled_keeps_the_promise_and_balances(
    steps: list[tuple[int, int, int, float, bool, int]], window: int
) -> None:
    rule = Limit(name="x", count="tokens", limit=60, burst=40, per=60)
    tables = _writers(4)
    now, used = START, []
    flying: list[tuple[int, int, Ask, int]] = []
    for writer, later, estimate, share, finish, which in steps:
        now += later
        ask = Ask(7, 0, rule.capacity, 0, min(rule.charge(estimate), rule.capacity))
        answer = tables[writer].decide([ask], now)
        if answer.refused < 0:
            flying.append((writer, answer.rows[0], ask, int(estimate * share)))
        if finish and flying:
            owner, row, done, actual = flying.pop(which % len(flying))
            tables[owner].settle([Settle(row, done.hold, rule.charge(actual))], now)
            used.append((now, float(actual)))
    in_flight = sum(ask.hold for _, _, ask, _ in flying)
    assert tables[0].level(7, now + 10**15) == in_flight
    assert _most(used, window) <= 40 + window / S + 1e-6
    for owner, row, done, _ in flying:
        tables[owner].settle([Settle(row, done.hold, 0)], now)
    assert tables[0].level(7, now + 10**15) == 0


def test_all_buckets_of_a_call_are_charged_or_none() -> None:
    table = in_memory(64, 2)
    wide, narrow = Limit(name="w", limit=100), Limit(name="n", limit=1)
    asks = [Ask(1, 0, wide.capacity, wide.charge(1)), Ask(2, 1, narrow.capacity, narrow.charge(1))]
    assert table.decide(asks, START).refused == -1
    before = table.level(1, START)
    refused = table.decide(asks, START)
    assert refused.refused == 1
    assert 59 * S <= refused.wait <= 60 * S
    assert table.level(1, START) == before


def test_a_shadow_bucket_only_tells() -> None:
    table = in_memory(64, 1)
    rule = Limit(name="n", limit=1, mode="shadow")
    ask = Ask(2, 0, rule.capacity, rule.charge(1), enforce=False)
    assert table.decide([ask], START).over == ()
    answer = table.decide([ask], START)
    assert (answer.refused, answer.over) == (-1, (0,))


def test_a_hold_is_no_time_and_waits_for_its_settlement() -> None:
    table = in_memory(64, 1)
    ask = Ask(3, 0, 2, 0, 1)
    rows = [table.decide([ask], START).rows[0] for _ in range(2)]
    assert table.decide([ask], START + 10**12).refused == 0
    table.settle([Settle(rows[0], 1, 0)], START)
    assert table.decide([ask], START).refused == -1


def test_a_million_keys_share_a_bounded_table_and_stay_limited() -> None:
    table = in_memory(256, 1)
    rule = Limit(name="n", limit=3, per=3600)
    passed = sum(
        table.decide([Ask(key * 2654435761 % (1 << 62), 0, rule.capacity, rule.charge(1))], START).refused < 0
        for key in range(1, 20_000)
    )
    assert passed <= 256 + 3
    assert table.overflowed > 10_000


def test_a_key_that_shared_a_bucket_begins_as_full_as_that() -> None:
    [table] = _writers(1, rows=8)
    rule = Limit(name="n", limit=2, per=60)
    for key in range(8):
        table.decide([Ask(1000 + key, 0, rule.capacity, rule.charge(1 if key else 0.1))], START)
    victim = Ask(1008, 0, rule.capacity, rule.charge(1))
    assert [table.decide([victim], START).refused for _ in range(3)] == [-1, -1, 0]
    later = START + 5 * S  # the row of key 1000 is empty by now and may be taken over
    assert table.decide([victim], later).refused == 0


def test_what_a_dead_writer_held_is_forgotten_and_nothing_else() -> None:
    one, two = _writers(2)
    one.decide([Ask(3, 0, 10, 0, 4)], START)
    two.decide([Ask(3, 0, 10, 0, 3)], START)
    one.forget_writer(1)
    assert one.level(3, START) == 4


def test_known_marks_are_bounded_and_found() -> None:
    table = in_memory(8, 1, known=64)
    table.mark_known(77)
    assert table.is_known(77)
    assert not table.is_known(78)
    for key in range(1, 5000):
        table.mark_known(key)
    assert sum(table.is_known(key) for key in range(1, 5000)) <= 64


def test_what_a_writer_held_when_it_died_between_two_cells_is_forgotten_whole() -> None:
    cells = memoryview(bytearray(8 * (9 * (HEAD + 2) + 16))).cast("q")
    one, two = (Table(cells, 8, 1, 2, column, lambda: None, lambda: None) for column in range(2))
    ask = Ask(5, 0, 10, hold=3)
    row = one.decide([ask], START).rows[0]
    assert two.decide([ask], START).refused < 0
    cells[row + HEAD] += 4  # killed after its own cell, before the sum
    one.forget_writer(0)
    assert two.level(5, START) == 3
    assert one.decide([Ask(5, 0, 10, hold=7)], START).refused < 0
    assert one.decide([Ask(5, 0, 10, hold=1)], START).refused == 0
