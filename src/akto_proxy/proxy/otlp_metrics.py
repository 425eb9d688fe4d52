"""The numbers of `/metrics`, pushed to an OpenTelemetry collector by OTLP over HTTP with JSON.

Everything is cumulative: each push holds all numbers since the counters began, so one that fails loses no count, only
a point of the curve, and the next push repairs it. The price: a back end that wants deltas needs the collector's
cumulativetodelta step. Labels are those of Prometheus, bounded as there; no word of a caller is among them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import httpx
import structlog

from akto_proxy.proxy.counters import OtlpStats
from akto_proxy.proxy.metric_table import METRICS, Metric
from akto_proxy.proxy.metrics import Series, Values
from akto_proxy.proxy.otlp import OtlpOptions, attributes, post
from akto_proxy.proxy.ship_targets import ShipError

_CUMULATIVE: Final = 2  # AGGREGATION_TEMPORALITY_CUMULATIVE
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')  # of text that `metrics.label` wrote
_ESCAPED = re.compile(r"\\(.)")
_GENAI: Final = {
    "gen_ai_client_token_usage": ("gen_ai.client.token.usage", "{token}"),
    "gen_ai_server_request_duration_seconds": ("gen_ai.server.request.duration", "s"),
    "gen_ai_server_time_per_output_token_seconds": ("gen_ai.server.time_per_output_token", "s"),
    "gen_ai_server_time_to_first_token_seconds": ("gen_ai.server.time_to_first_token", "s"),
}
_ATTRIBUTES: Final = {
    "gen_ai_operation_name": "gen_ai.operation.name",
    "gen_ai_token_type": "gen_ai.token.type",
    "error_type": "error.type",
}
PROVIDER: Final = ("gen_ai.provider.name", "huggingface")
FIRST_WAIT = 1.0
"""Seconds before a push is tried again; doubled each time, up to the interval."""
_log = structlog.get_logger("akto_proxy.otlp")


def name_and_unit(metric: Metric) -> tuple[str, str]:
    """A metric's name and unit (UCUM) in OpenTelemetry."""
    if metric.name in _GENAI:
        return _GENAI[metric.name]
    # Whole, `_total` and unit too: a counter and a gauge of connections must not meet.
    name, bare = metric.name.replace("akto_proxy_", "akto_proxy.", 1), metric.name.removesuffix("_total")
    return name, "s" if bare.endswith("_seconds") else "By" if bare.endswith("_bytes") else ""


def to_metrics(values: Values, since: float, now: float, server: str = "") -> list[dict[str, Any]]:
    """Every metric that has a value, in OTLP's JSON. Times are Unix seconds; `server` names the endpoint (GenAI)."""
    times = {"startTimeUnixNano": str(int(since * 1e9)), "timeUnixNano": str(int(now * 1e9))}
    common = dict([PROVIDER, *([("server.address", server)] if server else [])])
    return [made for metric in METRICS.values() for made in _metric(metric, values, times, common)]


def _metric(
    metric: Metric, values: Values, times: Mapping[str, str], common: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    name, unit = name_and_unit(metric)
    more = common if metric.name in _GENAI else {}
    said = {"name": name, "unit": unit, "description": metric.help}
    if metric.kind == "histogram":
        rows = values.histograms.get(metric.name, {})
        points = [_histogram(metric, row, times, _labels(labels, more)) for labels, row in sorted(rows.items())]
        if points:
            yield {**said, "histogram": {"aggregationTemporality": _CUMULATIVE, "dataPoints": points}}
    elif metric.kind == "counter":
        points = list(_numbers(unit, values.counters.get(metric.name, {}), times))
        if points:
            yield {**said, "sum": {"aggregationTemporality": _CUMULATIVE, "isMonotonic": True, "dataPoints": points}}
    else:
        now = {"timeUnixNano": times["timeUnixNano"]}
        points = list(_numbers(unit, values.gauges.get(metric.name, {}), now))
        if points:
            yield {**said, "gauge": {"dataPoints": points}}


def _numbers(unit: str, series: Series, times: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for labels, value in sorted(series.items()):
        number = {"asDouble": value} if unit == "s" else {"asInt": str(int(value))}
        yield {"attributes": _labels(labels, {}), **times, **number}


def _histogram(metric: Metric, row: list[float], times: Mapping[str, str], labels: list[Any]) -> dict[str, Any]:
    counts = [int(value) for value in row[:-1]]
    return {
        "attributes": labels,
        **times,
        "count": str(sum(counts)),
        "sum": row[-1],
        "bucketCounts": [str(value) for value in counts],
        "explicitBounds": list(metric.bounds),
    }


def _labels(text: str, more: Mapping[str, str]) -> list[dict[str, Any]]:
    """Prometheus' labels as attributes; an empty one is none."""
    pairs = {name: _ESCAPED.sub(_plain, value) for name, value in _LABEL.findall(text)}
    named = {_ATTRIBUTES.get(name, name): value for name, value in pairs.items() if value}
    return attributes({**more, **named})


def _plain(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


class MetricsPusher:
    """Pushes what `whole` gives (numbers, and since when they count) every `interval` seconds.

    A failed push is tried again sooner than that, with growing waits. `clock` gives Unix seconds, `random` numbers in
    [0, 1) for the jitter.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        options: OtlpOptions,
        whole: Callable[[], tuple[Values, float]],
        *,
        interval: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        server: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = OtlpStats()
        self._client, self._options, self._whole, self._server = client, options, whole, server
        self._interval, self._clock, self._random, self._sleep = interval, clock, random, sleep
        self._failures = 0
        self._state = ""

    async def run(self) -> None:
        """Push until cancelled."""
        while True:
            taken = await self.push()
            self._failures = 0 if taken else self._failures + 1
            longest = min(self._interval, FIRST_WAIT * 2 ** min(self._failures, 16))
            await self._sleep(self._interval if taken else longest * (0.5 + self._random() / 2))

    async def push(self) -> bool:
        """Push once; whether it was taken."""
        values, since = await asyncio.to_thread(self._whole)
        found = to_metrics(values, since, self._clock(), self._server)
        scope = {"scope": {"name": "akto_proxy", "version": self._options.version}, "metrics": found}
        body = {"resourceMetrics": [{"resource": self._options.resource, "scopeMetrics": [scope]}]}
        try:
            self.stats.points += await post(self._client, self._options, "metrics", body)
        except ShipError as error:
            self.stats.failures += 1
            self._say(error.state, str(error))
            return False
        self._say("ok", "")
        return True

    def _say(self, state: str, message: str) -> None:
        if state not in ("ok", self._state):
            _log.warning(
                "metrics cannot be pushed", state=state, message=message, fix="OTLP_METRICS_INTERVAL=0 stops it"
            )
        elif state == "ok" and self._state not in ("", "ok"):
            _log.info("metrics are pushed again")
        self._state = state
