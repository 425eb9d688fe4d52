"""The contract: every engine answers every question as a plain scan of the same traces would."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import orjson
import pytest

from akto_proxy.model import Action, Severity, Trace
from akto_proxy.store.face import ALL, OF_DECISION, By, Entry, Filter, Link, Note, Retention, TraceStore

COUNT = 240
Make = Callable[..., Trace]


@pytest.fixture
def traces(store: TraceStore, trace_of: Make) -> list[Trace]:
    made = [trace_of(number) for number in range(COUNT)]
    for start in range(0, COUNT, 50):
        assert store.insert_many(made[start : start + 50]) == len(made[start : start + 50])
    return made


def newest_first(traces: Sequence[Trace]) -> list[str]:
    return [trace.id for trace in sorted(traces, key=lambda trace: trace.started, reverse=True)]


def span(traces: Sequence[Trace], low: int, high: int) -> Filter:
    return Filter(since=traces[low].started, until=traces[high].started)


def test_what_was_kept_comes_back_whole(store: TraceStore, traces: list[Trace]) -> None:
    for trace in (traces[0], traces[17], traces[-1]):
        assert store.get(trace.id) == trace
    assert store.get("f" * 32) is None
    assert store.get("not an id") is None


def test_the_same_trace_again_changes_nothing(store: TraceStore, traces: list[Trace]) -> None:
    before = store.totals()
    assert store.insert_many(traces[10:30]) == 0
    assert store.insert_many([traces[0], replace(traces[1], id="e" * 32), replace(traces[1], id="e" * 32)]) == 1
    assert store.count() == COUNT + 1
    assert store.totals().traces == before.traces + 1


def test_ids_that_are_no_hex_digits_are_kept_too(store: TraceStore, trace_of: Make) -> None:
    names = ["short", "x" * 15, "x" * 16, "X" * 32, "1" * 31, "A" * 32]
    store.insert_many([trace_of(1, id=name) for name in names])
    assert [store.get(name) is not None for name in names] == [True] * 6
    assert {item.id for item in store.search().items} == set(names)


FILTERS: list[tuple[Filter, Callable[[Trace], bool]]] = [
    (ALL, lambda t: True),
    (Filter(user="user1"), lambda t: t.caller.user == "user1"),
    (Filter(model="model-2", endpoint="https://e1.example"), lambda t: t.model == "model-2" and "e1" in t.endpoint),
    (Filter(verdicts=(Action.BLOCK, Action.REDACT)), lambda t: t.verdict >= Action.REDACT),
    (Filter(verdicts=(Action.ALLOW,)), lambda t: t.verdict == Action.ALLOW),
    (Filter(rule="email"), lambda t: any(d.rule == "email" for d in t.decisions)),
    (
        Filter(category="pii", policy="policy-1"),
        lambda t: any(d.rule == "email" and d.policy == "policy-1" for d in t.decisions),
    ),
    (Filter(severity=Severity.HIGH), lambda t: any(d.severity >= Severity.HIGH for d in t.decisions)),
    (Filter(bypassed=True), lambda t: any(d.bypassed for d in t.decisions)),
    (
        Filter(bypassed=False, session="s3"),
        lambda t: t.caller.session == "s3" and not any(d.bypassed for d in t.decisions),
    ),
    (Filter(status=400, ip="10.0.0.3"), lambda t: t.status == 400 and t.caller.ip == "10.0.0.3"),
    (Filter(outcome="upstream_error", key="k0"), lambda t: t.outcome == "upstream_error" and t.caller.key == "k0"),
    (Filter(text="BETA1 answer"), lambda t: "beta1" in t.response.body),
    (Filter(text="alpha", agent="agent1"), lambda t: t.caller.agent == "agent1"),
    (Filter(text="nowhere"), lambda t: False),
    (Filter(text='"; DROP TABLE trace; --'), lambda t: False),
    (Filter(user="'; DROP TABLE trace; --"), lambda t: False),
]  # fmt: skip


@pytest.mark.parametrize(("where", "holds"), FILTERS, ids=range(len(FILTERS)))
def test_every_filter_means_the_same_everywhere(
    store: TraceStore, traces: list[Trace], where: Filter, holds: Callable[[Trace], bool]
) -> None:
    where = replace(where, since=traces[20].started, until=traces[200].started)
    wanted = [trace for trace in traces[20:200] if holds(trace)]
    assert [item.id for item in store.search(where, limit=500).items] == newest_first(wanted)
    assert store.count(where) == len(wanted)
    totals = store.totals(where)
    assert totals.traces == len(wanted)
    assert totals.blocked == sum(trace.verdict is Action.BLOCK for trace in wanted)
    assert totals.prompt_tokens == sum(trace.usage.prompt for trace in wanted)
    assert sum(bucket.traces for bucket in store.timeline(where, step=60)) == len(wanted)
    assert {orjson.loads(record)["id"] for record in store.export(where)} == {trace.id for trace in wanted}


def test_pages_follow_one_another_without_gap_or_overlap(store: TraceStore, traces: list[Trace]) -> None:
    seen: list[str] = []
    cursor = ""
    while True:
        page = store.search(Filter(model="model-1"), cursor=cursor, limit=7)
        seen += [item.id for item in page.items]
        cursor = page.next
        if not cursor:
            break
    assert seen == newest_first([trace for trace in traces if trace.model == "model-1"])


def test_pages_do_not_lose_traces_of_one_moment(store: TraceStore, trace_of: Make) -> None:
    store.insert_many([trace_of(1, id=f"{number:032x}") for number in range(25)])
    seen, cursor = [], ""
    for _ in range(5):
        page = store.search(cursor=cursor, limit=5)
        seen += [item.id for item in page.items]
        cursor = page.next
    assert len(set(seen)) == 25
    assert cursor == ""


def test_a_bad_cursor_is_an_error_of_the_caller(store: TraceStore, traces: list[Trace]) -> None:
    for ask in (store.search, store.events, store.sessions):
        with pytest.raises(ValueError):
            ask(cursor="nonsense")


@pytest.mark.parametrize("bounds", [(0, 240), (3, 100), (61, 64), (1, 239), (100, 101)])
def test_totals_of_any_time_equal_a_scan(store: TraceStore, traces: list[Trace], bounds: tuple[int, int]) -> None:
    low, high = bounds
    until = traces[high].started if high < COUNT else traces[-1].started + 1
    totals = store.totals(Filter(since=traces[low].started, until=until))
    wanted = traces[low:high]
    assert totals.traces == len(wanted)
    assert totals.errors == sum(trace.outcome.startswith("upstream_") for trace in wanted)
    assert totals.bypassed == sum(any(d.bypassed for d in trace.decisions) for trace in wanted)
    ordered = sorted(trace.timing.total for trace in wanted)
    assert totals.total.p50 == pytest.approx(ordered[(len(ordered) - 1) // 2], rel=0.03)
    assert totals.total.p95 == pytest.approx(ordered[round(0.95 * len(ordered) + 0.5) - 1], rel=0.03)


def test_an_empty_store_answers_too(store: TraceStore) -> None:
    assert store.totals().traces == 0
    assert store.search().items == ()
    assert store.timeline(ALL, step=60) == ()
    assert store.top(By.RULE) == ()
    assert store.sessions().items == ()
    assert store.events().items == ()
    assert store.storage().traces == 0
    assert list(store.export()) == []
    assert list(store.links()) == []
    buckets = store.timeline(Filter(since=6000.0, until=6600.0), step=60)
    assert [bucket.at for bucket in buckets] == [6000.0 + 60 * n for n in range(10)]


@pytest.mark.parametrize("step", [60, 3600, 90, 7])
def test_a_timeline_has_every_step_and_counts_each_trace_once(
    store: TraceStore, traces: list[Trace], step: float
) -> None:
    where = span(traces, 5, 200)
    buckets = store.timeline(where, step=step)
    width = buckets[1].at - buckets[0].at
    assert all(abs(after.at - before.at - width) < 1e-6 for before, after in pairwise(buckets))
    assert len(buckets) <= 2000
    wanted = Counter(int(trace.started // width) for trace in traces[5:200])
    assert {round(bucket.at / width): bucket.traces for bucket in buckets if bucket.traces} == dict(wanted)


def names_of(trace: Trace, by: By) -> set[str]:
    if by is By.SEVERITY:
        return {made.severity.label for made in trace.decisions}
    if by in OF_DECISION:
        return {str(getattr(made, by.value)) for made in trace.decisions}
    owner: Any = trace.caller if hasattr(trace.caller, by.value) else trace
    return {getattr(owner, by.value)} - {""}


@pytest.mark.parametrize("by", list(By))
@pytest.mark.parametrize("bounds", [(0, 240), (30, 170)])
def test_top_lists_equal_a_scan(store: TraceStore, traces: list[Trace], by: By, bounds: tuple[int, int]) -> None:
    low, high = bounds
    wanted = traces[low:high]
    where = ALL if high == COUNT else span(traces, low, high)
    found = store.top(by, where, limit=50)
    counts = Counter(name for trace in wanted for name in names_of(trace, by))
    assert {item.name: item.traces for item in found} == dict(counts)
    assert [item.traces for item in found] == sorted(counts.values(), reverse=True)
    for item in found[:3]:
        mine = [trace for trace in wanted if item.name in names_of(trace, by)]
        assert item.blocked == sum(trace.verdict is Action.BLOCK for trace in mine)
        assert item.prompt_tokens == sum(trace.usage.prompt for trace in mine)
        assert item.last == max(trace.started for trace in mine)


@pytest.mark.parametrize("step", [3600, 7200, 900])
@pytest.mark.parametrize(
    "asked", [{"user": "user2"}, {"endpoint": "https://e1.example"}, {"rule": "email"}, {"direction": "request"}]
)
def test_one_name_alone_is_counted_as_a_scan_counts_it(
    store: TraceStore, traces: list[Trace], asked: dict[str, str], step: float
) -> None:
    """Rollups answer here, and the filter that adds what every trace has takes a scan to the same answer."""
    hours = (traces[0].started // 3600 * 3600, (traces[-1].started // 3600 + 1) * 3600)
    for since, until in (hours, (0.0, 0.0), (traces[9].started, traces[200].started)):
        where = Filter(since=since, until=until, **asked)
        scan = replace(where, verdicts=tuple(Action))
        by = By(next(iter(asked)))
        assert store.count(where) == store.count(scan)
        assert store.top(by, where) == store.top(by, scan)
        assert store.timeline(where, step=step) == store.timeline(scan, step=step)
    assert store.count(Filter(**asked)) > 0


def test_top_lists_can_be_filtered(store: TraceStore, traces: list[Trace]) -> None:
    found = store.top(By.RULE, Filter(user="user2", verdicts=(Action.BLOCK,)))
    mine = [trace for trace in traces if trace.caller.user == "user2" and trace.verdict is Action.BLOCK]
    assert {item.name: item.traces for item in found} == dict(
        Counter(name for trace in mine for name in names_of(trace, By.RULE))
    )


def test_sessions_and_their_threads(store: TraceStore, traces: list[Trace]) -> None:
    found = {item.id: item for item in store.sessions(limit=50).items}
    names = {trace.caller.session for trace in traces} - {""}
    assert set(found) == names
    for name in names:
        mine = [trace for trace in traces if trace.caller.session == name]
        assert found[name].traces == len(mine)
        assert found[name].flagged == sum(trace.verdict > Action.ALLOW for trace in mine)
        assert (found[name].first, found[name].last) == (mine[0].started, mine[-1].started)
        assert store.thread(name) == tuple(mine)
    assert len(store.thread("s1", limit=3)) == 3
    assert store.thread("") == ()


def test_sessions_come_in_pages(store: TraceStore, traces: list[Trace]) -> None:
    seen, cursor = [], ""
    while True:
        page = store.sessions(cursor=cursor, limit=2)
        seen += [item.last for item in page.items]
        cursor = page.next
        if not cursor:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 6


def test_events_are_the_decisions_newest_first(store: TraceStore, traces: list[Trace]) -> None:
    wanted = [
        f"{trace.id}:{index}"
        for trace in sorted(traces, key=lambda trace: trace.started, reverse=True)
        for index in reversed(range(len(trace.decisions)))
    ]
    seen, cursor = [], ""
    while True:
        page = store.events(cursor=cursor, limit=33)
        seen += [item.id for item in page.items]
        cursor = page.next
        if not cursor:
            break
    assert seen == wanted
    only = store.events(Filter(rule="email", severity=Severity.HIGH), limit=500).items
    assert only
    assert all(item.decision.rule == "email" and item.decision.severity >= Severity.HIGH for item in only)
    assert len(only) == sum(
        made.rule == "email" and made.severity >= Severity.HIGH for trace in traces for made in trace.decisions
    )


def test_follow_gives_each_arrival_once_and_in_order(store: TraceStore, trace_of: Make) -> None:
    store.insert_many([trace_of(number) for number in range(5)])
    fresh = store.after()
    assert fresh.items == ()
    store.insert_many([trace_of(number) for number in (40, 20, 30)])
    store.insert_many([trace_of(20)])
    first = store.after(fresh.cursor, limit=2)
    second = store.after(first.cursor)
    assert {item.id for item in (*first.items, *second.items)} == {trace_of(n).id for n in (40, 20, 30)}
    assert len(first.items) + len(second.items) == 3
    assert store.after(second.cursor).items == ()


def test_choices_of_a_filter(store: TraceStore, traces: list[Trace]) -> None:
    assert set(store.distinct(By.MODEL)) == {"model-0", "model-1", "model-2"}
    assert len(store.distinct(By.USER, limit=2)) == 2
    assert store.distinct(By.USER, since=traces[-1].started + 7200) == ()


def test_erasing_a_user_leaves_no_trace_of_the_user(store: TraceStore, traces: list[Trace]) -> None:
    gone = [trace for trace in traces if trace.caller.user == "user3"]
    assert store.erase(Filter(user="user3")) == len(gone)
    assert all(store.get(trace.id) is None for trace in gone)
    assert store.count() == COUNT - len(gone)
    assert "user3" not in store.distinct(By.USER)
    assert all(item.user != "user3" for item in store.sessions().items if item.traces == 0)
    assert not any(item.trace.user == "user3" for item in store.events(limit=500).items)
    assert store.totals().traces == COUNT - len(gone)
    with pytest.raises(ValueError):
        store.erase(ALL)


def test_retention_by_age_and_sensitivity(store: TraceStore, trace_of: Make) -> None:
    now = trace_of(COUNT).started
    traces = [
        trace_of(number, sensitivity="public" if number % 2 else "restricted", started=now - number * 3600)
        for number in range(100)
    ]
    store.insert_many(traces)
    removed = store.sweep(Retention(days=(("restricted", 1.0), ("", 2.0))), now)
    left = [t for t in traces if now - t.started <= (86400 if t.sensitivity == "restricted" else 2 * 86400)]
    assert removed == 100 - len(left)
    assert store.count() == len(left)
    assert store.totals().traces == len(left)
    assert {item.id for item in store.search(limit=500).items} == {trace.id for trace in left}
    assert store.sweep(Retention(), now + 1e9) == 0


def links_of(traces: Sequence[Trace]) -> list[Entry]:
    return [
        Entry(trace, orjson.dumps(trace), Link("w", number, f"{number:064x}", f"{number + 1:064x}"))
        for number, trace in enumerate(traces)
    ]


def test_links_and_notes_come_back_in_order_and_outlive_their_traces(store: TraceStore, trace_of: Make) -> None:
    traces = [trace_of(number) for number in range(20)]
    note = Note(Link("w", 20, "a" * 64, "b" * 64), "checkpoint", b'{"n":1}')
    entries = links_of(traces)
    store.insert_many(entries[10:], [note])
    store.insert_many(entries)
    other = replace(entries[0], trace=trace_of(50), link=Link("a", 0, "c" * 64, "d" * 64))
    store.insert_many([other])
    assert [(link.writer, link.number) for link, _, _ in store.links()] == [("a", 0), *(("w", n) for n in range(21))]
    store.erase(Filter(user="user2"))
    found = list(store.links("w"))
    assert [link.number for link, _, _ in found] == list(range(21))
    assert found[20] == (note.link, b'{"n":1}', "checkpoint")
    for (link, body, kind), trace in zip(found, traces, strict=False):
        assert kind == "trace"
        assert body == (None if trace.caller.user == "user2" else orjson.dumps(trace))
        assert link == entries[link.number].link


def test_export_gives_the_exact_bytes_oldest_first(store: TraceStore, traces: list[Trace]) -> None:
    assert list(store.export()) == [orjson.dumps(trace) for trace in traces]


def test_storage_says_how_much(store: TraceStore, traces: list[Trace]) -> None:
    found = store.storage()
    assert found.traces == COUNT
    assert found.bytes > 10_000
    assert (found.oldest, found.newest) == (traces[0].started, traces[-1].started)
