from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from akto_proxy.exchange.outcome import OUTCOMES
from akto_proxy.model import Action, Caller, Decision, Direction, Message, Severity, Timing, Trace, Usage
from akto_proxy.proxy.counters import Counters, ExternalCounters, ShipperStats
from akto_proxy.proxy.metric_table import METRICS
from akto_proxy.proxy.metrics import (
    FRESH,
    MAX_SERIES,
    AdminPages,
    Board,
    Meter,
    Values,
    of_shippers,
    of_worker,
    render,
)
from akto_proxy.spool.writer import SpoolStats

ROOT = Path(__file__).parents[2]
TRACE = Trace(
    id="0" * 32,
    started=1.0,
    endpoint="e",
    method="POST",
    path="/v1/chat/completions",
    route="openai.chat",
    engine="tgi",
    status=200,
    outcome="redacted",
    verdict=Action.REDACT,
    upstream_status=200,
    model="a caller's word",
    streamed=True,
    caller=Caller(ip="10.0.0.1", user="jo", session="a session"),
    usage=Usage(10, 20),
    timing=Timing(total=40_000, guard=120, upstream_first=9_000, first_byte=11_000),
    request=Message(body="a prompt"),
    decisions=(
        Decision("p", "aws-access-key-id", "secrets", "SECRET", Severity.HIGH, Action.REDACT, Direction.REQUEST),
    ),
)


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(text: bytes, name: str, **labels: str) -> float:
    return samples(text)[name, tuple(sorted(labels.items()))]


def metered(*traces: Trace) -> Values:
    meter = Meter()
    for trace in traces:
        meter.observe(trace)
    return of_worker(meter, Counters(requests=len(traces), active=1, statuses={200: 2}), SpoolStats(appended=3))


def test_a_trace_is_counted_by_what_became_of_it():
    text = render(metered(TRACE, TRACE), "1.2.3")
    name = "akto_proxy_exchanges_total"
    assert value(text, name, outcome="redacted", verdict="redact", route="openai.chat") == 2
    named = {"rule": "aws-access-key-id", "category": "secrets", "action": "redact", "direction": "request"}
    assert value(text, "akto_proxy_decisions_total", **named) == 2
    assert value(text, "akto_proxy_guard_duration_seconds_count", route="openai.chat") == 2
    assert value(text, "akto_proxy_guard_duration_seconds_sum", route="openai.chat") == pytest.approx(0.00024)
    assert value(text, "akto_proxy_guard_duration_seconds_bucket", route="openai.chat", le="0.0001") == 0
    assert value(text, "akto_proxy_guard_duration_seconds_bucket", route="openai.chat", le="0.00025") == 2
    tokens = {"gen_ai_operation_name": "chat", "gen_ai_token_type": "output"}
    assert value(text, "gen_ai_client_token_usage_sum", **tokens) == 40
    assert value(text, "gen_ai_server_time_to_first_token_seconds_count", gen_ai_operation_name="chat") == 2
    each = "gen_ai_server_time_per_output_token_seconds"
    assert value(text, f"{each}_sum", gen_ai_operation_name="chat") == pytest.approx(2 * 0.029 / 19), "after the first"
    assert value(text, "akto_proxy_responses_total", status="200") == 2
    assert value(text, "akto_proxy_spool_records_total") == 3


def test_no_word_of_a_caller_becomes_a_label():
    text = render(metered(TRACE), "1").decode()
    for word in ("a caller's word", "jo", "a session", "10.0.0.1", "a prompt", "/v1/chat"):
        assert f'"{word}"' not in text


def test_what_upstream_never_answered_is_no_model_call():
    text = render(metered(replace(TRACE, upstream_status=0, outcome="blocked")), "1").decode()
    assert "gen_ai_server_request_duration_seconds_count" not in text


def test_errors_have_a_type_and_estimates_are_no_tokens():
    failed = replace(TRACE, outcome="upstream_error", status=502, usage=Usage(1, 1, estimated=True))
    text = render(metered(failed), "1")
    labels = {"gen_ai_operation_name": "chat", "error_type": "upstream_error"}
    assert value(text, "gen_ai_server_request_duration_seconds_count", **labels) == 1
    assert b"gen_ai_client_token_usage_count" not in text


def test_what_external_checks_did_is_counted():
    done = ExternalCounters(asked=4, cached=3, failed=2, rested=1)
    text = render(of_worker(Meter(), Counters(), SpoolStats(), external=done), "1")
    names = [f"akto_proxy_external_{word}_total" for word in ("asked", "cached", "failed", "rested")]
    assert [value(text, name) for name in names] == [4, 3, 2, 1]


def test_counters_begin_when_the_oldest_of_them_began(tmp_path: Path, clock: Clock):
    board(tmp_path, "worker-0", clock).publish(metered(TRACE))
    clock.now += 50
    again = board(tmp_path, "worker-0", clock)
    other = board(tmp_path, "shipper", clock)
    again.publish(metered(TRACE))
    values, since = other.whole()
    assert since == 1000.0
    assert values.counters["akto_proxy_requests_total"][""] == 2


def test_a_bypassed_check_is_seen():
    made = replace(TRACE.decisions[0], rule="external", bypassed=True, action=Action.ALLOW)
    assert value(
        render(metered(replace(TRACE, decisions=(made,))), "1"), "akto_proxy_bypassed_checks_total", rule="external"
    )


def test_series_are_bounded_whatever_comes():
    values = Values()
    for number in range(3 * MAX_SERIES):
        values.count("akto_proxy_refusals_total", f'reason="r{number}"')
    table = values.counters["akto_proxy_refusals_total"]
    assert len(table) == MAX_SERIES + 1
    assert table['reason="other"'] == 2 * MAX_SERIES
    assert sum(table.values()) == 3 * MAX_SERIES


def test_rule_names_cannot_break_the_text():
    made = replace(TRACE.decisions[0], rule='a"b\\c\nd')
    text = render(metered(replace(TRACE, decisions=(made,))), "1")
    assert any(dict(labels).get("rule") == 'a"b\\c\nd' for _, labels in samples(text))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def board(folder: Path, name: str, clock: Clock) -> Board:
    return Board(folder / "metrics", name, now=clock)


def test_workers_and_shipper_are_summed(tmp_path: Path, clock: Clock):
    one, two, ship = (board(tmp_path, name, clock) for name in ("worker-0", "worker-1", "shipper"))
    two.publish(metered(TRACE))
    ship.publish(of_shippers({"server": ShipperStats(state="ok", delivered=7, lag=99), "otlp": ShipperStats(lag=1)}))
    one.publish(metered(TRACE, TRACE))
    text = render(one.total(), "1")
    assert value(text, "akto_proxy_requests_total") == 3
    assert value(text, "akto_proxy_workers") == 2
    assert value(text, "akto_proxy_shipper_delivered_total", target="server") == 7
    assert value(text, "akto_proxy_shipper_lag_bytes", target="server") == 99
    assert value(text, "akto_proxy_shipper_healthy", target="otlp") == 0
    assert value(text, "akto_proxy_guard_duration_seconds_count", route="openai.chat") == 3
    assert samples(render(two.total(), "1"))["akto_proxy_requests_total", ()] == 3


def test_counters_never_go_back_when_a_worker_is_restarted(tmp_path: Path, clock: Clock):
    board(tmp_path, "worker-0", clock).publish(metered(TRACE, TRACE))
    again = board(tmp_path, "worker-0", clock)
    again.publish(metered())
    text = render(again.total(), "1")
    assert value(text, "akto_proxy_requests_total") == 2
    assert value(text, "akto_proxy_active_exchanges") == 1, "gauges are of now"
    again.publish(metered(TRACE))
    again.publish(metered(TRACE))
    assert value(render(again.total(), "1"), "akto_proxy_requests_total") == 3


def test_a_dead_worker_keeps_its_counters_and_loses_its_gauges(tmp_path: Path, clock: Clock):
    one, two = board(tmp_path, "worker-0", clock), board(tmp_path, "worker-1", clock)
    two.publish(metered(TRACE))
    clock.now += FRESH + 1
    one.publish(metered(TRACE))
    text = render(one.total(), "1")
    assert value(text, "akto_proxy_workers") == 1
    assert value(text, "akto_proxy_requests_total") == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"at": 1}',
        b'{"at": 1, "values": {"odd": 1}}',
        b'{"at": 1, "values": {"counters": {"akto_proxy_requests_total": {"": "x"}}}}',
        b'{"at": 1, "values": {"histograms": {"akto_proxy_guard_duration_seconds": {"": [1]}}}}',
        b'{"at": 1, "values": {"counters": {"of_another_version": {"": 5}}}}',
    ],
)
def test_a_file_that_cannot_be_read_costs_its_numbers_only(tmp_path: Path, clock: Clock, data: bytes):
    one = board(tmp_path, "worker-0", clock)
    one.publish(metered(TRACE))
    (tmp_path / "metrics" / "worker-9.json").write_bytes(data)
    assert value(render(one.total(), "1"), "akto_proxy_requests_total") == 1


def test_a_folder_that_cannot_be_written_costs_nothing_else(tmp_path: Path, clock: Clock):
    (tmp_path / "metrics").write_text("a file is in the way")
    one = board(tmp_path, "worker-0", clock)
    one.publish(metered(TRACE))
    assert value(render(one.total(), "1"), "akto_proxy_requests_total") == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(OUTCOMES),
            st.sampled_from(Action),
            st.integers(0, 10**7),
            st.integers(0, 10**9),
            st.booleans(),
        ),
        max_size=30,
    ),
    st.integers(1, 4),
)
def test_for_every_split_over_workers_the_sum_is_the_same(rows: list[Any], workers: int):
    traces = [
        replace(TRACE, outcome=outcome, verdict=verdict, streamed=streamed, timing=Timing(total=total, guard=guard))
        for outcome, verdict, guard, total, streamed in rows
    ]
    whole, parts = Meter(), [Meter() for _ in range(workers)]
    for number, trace in enumerate(traces):
        whole.observe(trace)
        parts[number % workers].observe(trace)
    total = Values()
    for part in parts:
        total.add(part.values)
    assert samples(render(total, "1")) == pytest.approx(samples(render(whole.values, "1")))


def test_the_pages(tmp_path: Path, clock: Clock):
    pages = AdminPages(board(tmp_path, "worker-0", clock), lambda: metered(TRACE), "1.2.3")
    status, kind, body = pages(b"GET", b"/metrics?x=1") or (0, b"", b"")
    assert (status, kind.partition(b";")[0]) == (200, b"text/plain")
    assert any(name == "akto_proxy_build_info" and ("version", "1.2.3") in labels for name, labels in samples(body))
    answer = pages(b"GET", b"/buildinfo")
    assert answer is not None
    assert json.loads(answer[2])["version"] == "1.2.3"
    assert pages(b"GET", b"/other") is None
    assert pages(b"POST", b"/metrics") is None


def documented() -> str:
    rows = [
        f"| `{item.name}` | {item.kind} | {', '.join(f'`{name}`' for name in item.labels) or '-'} | {item.help} |"
        for item in METRICS.values()
    ]
    return "\n".join(["| metric | kind | labels | counts |", "|---|---|---|---|", *rows])


def test_every_metric_is_documented():
    path = ROOT / "docs" / "metrics.md"
    text = path.read_text("utf-8")
    fresh = re.sub(
        r"(?s)(<!-- metrics -->\n).*?(<!-- end of metrics -->)", lambda m: f"{m[1]}\n{documented()}\n\n{m[2]}", text
    )
    if os.environ.get("AKTO_WRITE_DOCS"):
        path.write_text(fresh, "utf-8")
    assert fresh == text or os.environ.get("AKTO_WRITE_DOCS"), "run with AKTO_WRITE_DOCS=1"


def known(name: str) -> bool:
    return re.sub(r"_(bucket|sum|count)$", "", name) in METRICS or name in METRICS


def used_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:akto_proxy|gen_ai_(?:server|client))_[a-z0-9_]+", text))


def test_dashboard_and_alerts_use_only_what_there_is():
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "akto-proxy.json").read_text("utf-8"))
    alerts = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text("utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = [rule for group in alerts["groups"] for rule in group["rules"]]
    asked += [rule["expr"] for rule in rules]
    names = {name for expression in asked for name in used_in(expression)}
    assert names
    assert [name for name in sorted(names) if not known(name)] == []
    for rule in rules:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= set(rule["annotations"])


def test_panels_do_not_overlap():
    panels = json.loads((ROOT / "deploy" / "grafana" / "akto-proxy.json").read_text("utf-8"))["panels"]
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    assert len({panel["id"] for panel in panels}) == len(panels)
