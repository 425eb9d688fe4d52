"""What is pushed, read by OpenTelemetry's own messages and compared with what Prometheus reads."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, MetricsData
from prometheus_client.parser import text_string_to_metric_families

from akto_proxy.proxy.metric_table import METRICS
from akto_proxy.proxy.metrics import Values, label, render
from akto_proxy.proxy.otlp import OtlpOptions
from akto_proxy.proxy.otlp_metrics import MetricsPusher, name_and_unit, to_metrics

OPTIONS = OtlpOptions("http://otel:4318/", (("x-key", "k"),), instance="host:8080", version="1.2.3")


def decoded(found: list[dict[str, Any]]) -> dict[str, Any]:
    """By name, as OpenTelemetry's own decoder reads it: an unknown field or a wrong type raises."""
    data = ParseDict({"resourceMetrics": [{"scopeMetrics": [{"metrics": found}]}]}, MetricsData())
    return {metric.name: metric for metric in data.resource_metrics[0].scope_metrics[0].metrics}


def words(point: Any) -> dict[str, str]:
    return {item.key: item.value.string_value for item in point.attributes}


def test_counters_gauges_and_histograms_as_opentelemetry_reads_them() -> None:
    values = Values()
    values.count("akto_proxy_responses_total", 'status="200"', 3)
    values.gauges["akto_proxy_workers"] = {"": 2.0}
    labels = label(METRICS["gen_ai_server_request_duration_seconds"].labels, ("chat", ""))
    for seconds in (0.015, 0.5, 500.0):
        values.observe("gen_ai_server_request_duration_seconds", labels, seconds)
    found = decoded(to_metrics(values, 1000.5, 2000.25, "e.example"))
    counted = found["akto_proxy.responses_total"].sum
    assert counted.is_monotonic
    assert counted.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = counted.data_points
    assert (point.as_int, words(point)) == (3, {"status": "200"})
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1000_500_000_000, 2000_250_000_000)
    assert found["akto_proxy.workers"].gauge.data_points[0].as_int == 2
    duration = found["gen_ai.server.request.duration"]
    assert duration.unit == "s"
    assert duration.histogram.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (row,) = duration.histogram.data_points
    assert (row.count, row.sum) == (3, 500.515)
    assert len(row.bucket_counts) == len(row.explicit_bounds) + 1
    assert row.bucket_counts[-1] == 1, "above the last bound"
    assert words(row) == {
        "gen_ai.provider.name": "huggingface",
        "server.address": "e.example",
        "gen_ai.operation.name": "chat",
    }, "an empty error is none"


def test_every_metric_has_a_name_of_its_own_and_the_conventions_have_theirs() -> None:
    names = [name_and_unit(metric) for metric in METRICS.values()]
    assert len({name for name, _ in names}) == len(names)
    assert ("gen_ai.client.token.usage", "{token}") in names
    assert ("gen_ai.server.time_to_first_token", "s") in names
    assert ("gen_ai.server.time_per_output_token", "s") in names
    assert ("akto_proxy.shipper_lag_bytes", "By") in names
    assert not any("gen_ai_" in name for name, _ in names)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=4, max_size=4))
def test_for_every_word_both_readers_read_the_same_labels(names: list[str]) -> None:
    names[0] += '"\\n\n,x="'
    values = Values()
    values.count("akto_proxy_decisions_total", label(METRICS["akto_proxy_decisions_total"].labels, names))
    (point,) = decoded(to_metrics(values, 1, 2))["akto_proxy.decisions_total"].sum.data_points
    (family,) = [f for f in text_string_to_metric_families(render(values, "1").decode()) if "decisions" in f.name]
    assert words(point) == family.samples[0].labels


class Server:
    """A collector that answers as told and keeps what it took."""

    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.taken = list(answers), []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url == "http://otel:4318/v1/metrics"
        assert request.headers["x-key"] == "k"
        answer = self.answers.pop(0)
        if answer.is_success:
            self.taken.append(ParseDict(json.loads(request.content), MetricsData()))
        return answer


def pusher(server: Server, sleeps: list[float], until: int) -> MetricsPusher:
    values = Values()
    values.count("akto_proxy_requests_total", "", 5)

    async def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        if len(sleeps) == until:
            raise asyncio.CancelledError

    client = httpx.AsyncClient(transport=httpx.MockTransport(server))
    return MetricsPusher(
        client, OPTIONS, lambda: (values, 1.0), interval=60.0, clock=lambda: 9.0, random=lambda: 1.0, sleep=sleep
    )


async def test_a_collector_that_was_away_gets_all_numbers_later() -> None:
    server = Server(httpx.Response(503), httpx.Response(503), httpx.Response(200, json={}), httpx.Response(200))
    sleeps: list[float] = []
    made = pusher(server, sleeps, 4)
    with pytest.raises(asyncio.CancelledError):
        await made.run()
    assert sleeps == [2.0, 4.0, 60.0, 60.0], "sooner after a failure, then as asked"
    assert made.stats.failures == 2
    first = server.taken[0].resource_metrics[0]
    named = {item.key: item.value.string_value for item in first.resource.attributes}
    assert named == {
        "service.name": "akto-agent-proxy",
        "service.version": "1.2.3",
        "service.instance.id": "host:8080",
    }
    (metric,) = first.scope_metrics[0].metrics
    assert (metric.name, metric.sum.data_points[0].as_int) == ("akto_proxy.requests_total", 5)


async def test_what_the_collector_says_it_dropped_is_counted() -> None:
    answer = httpx.Response(200, json={"partialSuccess": {"rejectedDataPoints": "7", "errorMessage": "too old"}})
    made = pusher(Server(answer), [], 1)
    assert await made.push()
    assert (made.stats.points, made.stats.failures) == (7, 0)


async def test_an_unknown_path_names_the_setting(capsys: pytest.CaptureFixture[str]) -> None:
    made = pusher(Server(httpx.Response(404), httpx.Response(404)), [], 9)
    assert not await made.push()
    assert not await made.push()
    said = capsys.readouterr().out
    assert "OTLP_ENDPOINT" in said
    assert said.count("metrics cannot be pushed") == 1, "said once, not with each push"
