"""Numbers for Prometheus: what the workers and the shipper count, summed over all of them, as text.

1. Each process puts its numbers in a small file of its own every second; whoever is asked adds the files up. No process
   waits for another, and one that died is simply not fresh any more.
2. Counters never go back: a process that starts takes the counters of the file that bears its name as its beginning, so
   that a restarted worker does not look like a reset. Gauges count only while their file is fresh.
3. Labels are bounded: their words come from this program or the operator's policy, never from a caller (a model's name
   is a caller's word), and a metric has at most `MAX_SERIES` of them; the rest is counted under `other`.

The price: numbers of other processes are up to a second old.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from akto_proxy.model import Decision, Trace
from akto_proxy.proxy.counters import Counters, ExternalCounters, OtlpStats, ShipperStats
from akto_proxy.proxy.genai import operation
from akto_proxy.proxy.metric_table import METRICS, Metric
from akto_proxy.spool.writer import SpoolStats

FOLDER = "metrics"
MAX_SERIES = 512
FRESH = 15.0
"""Seconds after which the gauges of a file count no more."""
CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

Series = dict[str, float]
"""A value by its labels, written as Prometheus wants them (`route="openai.chat"`)."""


@dataclass(slots=True)
class Values:
    """Numbers of one process, or of all. A histogram's list is its buckets, the one above all bounds, and the sum."""

    counters: dict[str, Series] = field(default_factory=dict)
    gauges: dict[str, Series] = field(default_factory=dict)
    histograms: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def count(self, name: str, labels: str, amount: float = 1.0) -> None:
        """Add to a counter."""
        table = self.counters.setdefault(name, {})
        key = _bounded(name, table, labels)
        table[key] = table.get(key, 0.0) + amount

    def observe(self, name: str, labels: str, value: float) -> None:
        """Add one value to a histogram."""
        row, bounds = self.row(name, labels)
        row[bisect_left(bounds, value)] += 1
        row[-1] += value

    def row(self, name: str, labels: str) -> tuple[list[float], tuple[float, ...]]:
        """The row that values of these labels are added to, and its bounds; the row stays the same."""
        bounds = METRICS[name].bounds
        table = self.histograms.setdefault(name, {})
        key = _bounded(name, table, labels)
        row = table.get(key)
        if row is None:
            row = table[key] = [0.0] * (len(bounds) + 2)
        return row, bounds

    def add(self, other: Values, *, gauges: bool = True) -> None:
        """Add another's numbers."""
        for name, series in other.counters.items():
            for labels, value in series.items():
                self.count(name, labels, value)
        for name, rows in other.histograms.items():
            table = self.histograms.setdefault(name, {})
            for labels, row in rows.items():
                key = _bounded(name, table, labels)
                mine = table.get(key)
                table[key] = list(row) if mine is None else [a + b for a, b in zip(mine, row, strict=True)]
        for name, series in other.gauges.items() if gauges else ():
            table_of = self.gauges.setdefault(name, {})
            for labels, value in series.items():
                table_of[labels] = table_of.get(labels, 0.0) + value


def _bounded(name: str, table: Mapping[str, object], labels: str) -> str:
    if labels in table or len(table) < MAX_SERIES:
        return labels
    return label(METRICS[name].labels, ("other",) * len(METRICS[name].labels))


def label(names: Iterable[str], values: Iterable[str]) -> str:
    """Labels as Prometheus wants them."""
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Meter:
    """Counts what traces say, in a worker. `observe` costs a few microseconds and never raises on a whole Trace."""

    def __init__(self) -> None:
        self.values = Values()
        self._known: dict[tuple[str, ...], str] = {}
        self._rows: dict[tuple[str, tuple[str, ...]], tuple[list[float], tuple[float, ...]]] = {}

    def observe(self, trace: Trace) -> None:
        """Count one exchange."""
        route, timing = trace.route or "none", trace.timing
        labels = self._labels("exchange", trace.outcome, trace.verdict.label, route)
        self.values.count("akto_proxy_exchanges_total", labels)
        self._add("akto_proxy_guard_duration_seconds", "route", (route,), timing.guard / 1e6)
        for made in trace.decisions:
            self._decided(made)
        if trace.upstream_status:
            self._answered(trace, operation(trace), route)

    def _decided(self, made: Decision) -> None:
        names = self._labels("decision", made.rule, made.category, made.action.label, made.direction.value)
        self.values.count("akto_proxy_decisions_total", names)
        if made.bypassed:
            self.values.count("akto_proxy_bypassed_checks_total", self._labels("bypassed", made.rule))

    def _answered(self, trace: Trace, name: str, route: str) -> None:
        error = trace.outcome if trace.status >= 500 or trace.outcome.startswith("upstream_") else ""
        add, usage, timing = self._add, trace.usage, trace.timing
        add("gen_ai_server_request_duration_seconds", "operation", (name, error), timing.total / 1e6)
        add("akto_proxy_upstream_first_byte_seconds", "route", (route,), timing.upstream_first / 1e6)
        if trace.streamed and timing.first_byte:
            first = timing.first_byte / 1e6
            add("gen_ai_server_time_to_first_token_seconds", "first", (name,), first)
            if not error and not usage.estimated and usage.completion > 1:
                each = (timing.total / 1e6 - first) / (usage.completion - 1)
                add("gen_ai_server_time_per_output_token_seconds", "first", (name,), max(0.0, each))
        if not usage.estimated:
            for kind, tokens in (("input", usage.prompt), ("output", usage.completion)):
                if tokens:
                    add("gen_ai_client_token_usage", "tokens", (name, kind), tokens)

    def _add(self, name: str, kind: str, words: tuple[str, ...], value: float) -> None:
        """Add one value to a histogram: `observe` of `values`, with what it looks up remembered."""
        found = self._rows.get((name, words))
        if found is None:
            if len(self._rows) >= 4 * MAX_SERIES:
                self._rows.clear()
            found = self._rows[name, words] = self.values.row(name, label(_LABELS[kind], words))
        row, bounds = found
        row[bisect_left(bounds, value)] += 1
        row[-1] += value

    def _labels(self, kind: str, *words: str) -> str:
        key = (kind, *words)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= 4 * MAX_SERIES:
                self._known.clear()
            known = self._known[key] = label(_LABELS[kind], words)
        return known


_LABELS: Final = {
    "exchange": METRICS["akto_proxy_exchanges_total"].labels,
    "route": ("route",),
    "decision": METRICS["akto_proxy_decisions_total"].labels,
    "bypassed": ("rule",),
    "operation": METRICS["gen_ai_server_request_duration_seconds"].labels,
    "first": ("gen_ai_operation_name",),
    "tokens": METRICS["gen_ai_client_token_usage"].labels,
}

_PLAIN: Final = {
    "requests": "akto_proxy_requests_total",
    "connections_total": "akto_proxy_connections_total",
    "client_gone": "akto_proxy_client_disconnects_total",
    "bytes_in": "akto_proxy_received_bytes_total",
    "bytes_out": "akto_proxy_sent_bytes_total",
    "dials": "akto_proxy_upstream_dials_total",
    "reused": "akto_proxy_upstream_reused_total",
    "retries": "akto_proxy_upstream_retries_total",
    "comments": "akto_proxy_stream_comments_total",
    "cut": "akto_proxy_streams_cut_total",
    "faults": "akto_proxy_faults_total",
    "trace_faults": "akto_proxy_lost_traces_total",
}
_NOW: Final = {
    "connections": "akto_proxy_connections",
    "active": "akto_proxy_active_exchanges",
    "streams": "akto_proxy_active_streams",
    "pooled": "akto_proxy_upstream_idle",
}
_SPOOL: Final = {
    "appended": "akto_proxy_spool_records_total",
    "bytes": "akto_proxy_spool_bytes_total",
    "dropped": "akto_proxy_spool_dropped_total",
    "refused": "akto_proxy_spool_refused_total",
    "sync_failed": "akto_proxy_spool_sync_failures_total",
}
_EXTERNAL: Final = {
    "asked": "akto_proxy_external_asked_total",
    "cached": "akto_proxy_external_cached_total",
    "failed": "akto_proxy_external_failed_total",
    "rested": "akto_proxy_external_rested_total",
}
_SHIPPER: Final = {
    "delivered": "akto_proxy_shipper_delivered_total",
    "retries": "akto_proxy_shipper_retries_total",
    "refused": "akto_proxy_shipper_refused_total",
    "damaged": "akto_proxy_shipper_damaged_total",
}


def of_worker(
    meter: Meter,
    counters: Counters,
    spool: SpoolStats,
    policy: str = "",
    external: ExternalCounters | None = None,
) -> Values:
    """A worker's numbers; `policy` is the version it runs, `external` what its external checks did."""
    values = Values()
    values.add(meter.values)
    _take(values, counters, _PLAIN)
    _take(values, spool, _SPOOL)
    _take(values, external or ExternalCounters(), _EXTERNAL)
    for status, number in counters.statuses.items():
        values.count("akto_proxy_responses_total", label(("status",), (str(status),)), number)
    for reason, number in counters.refusals.items():
        values.count("akto_proxy_refusals_total", label(("reason",), (reason,)), number)
    for reason, number in counters.upstream_errors.items():
        values.count("akto_proxy_upstream_errors_total", label(("reason",), (reason,)), number)
    values.gauges.update({name: {"": float(getattr(counters, key))} for key, name in _NOW.items()})
    values.gauges["akto_proxy_workers"] = {"": 1.0}
    values.gauges["akto_proxy_policy_workers"] = {label(("version",), (policy,)): 1.0}
    _process(values)
    return values


def of_shippers(shippers: Mapping[str, ShipperStats], otlp: OtlpStats | None = None) -> Values:
    """The shippers' numbers, by the name of what each ships to (a word of ours); `otlp`'s where it is one."""
    values = Values()
    if otlp is not None:
        values.count("akto_proxy_otlp_failures_total", "", float(otlp.failures))
        for signal, number in (("spans", otlp.spans), ("metrics", otlp.points)):
            values.count("akto_proxy_otlp_rejected_total", label(("signal",), (signal,)), float(number))
    for name, stats in shippers.items():
        labels = label(("target",), (name,))
        for key, metric in _SHIPPER.items():
            values.count(metric, labels, float(getattr(stats, key)))
        now = {"lag_bytes": stats.lag, "lag_seconds": round(stats.lag_seconds, 3), "healthy": stats.state == "ok"}
        for key, value in now.items():
            values.gauges.setdefault(f"akto_proxy_shipper_{key}", {})[labels] = float(value)
    values.gauges["akto_proxy_spool_used_bytes"] = {"": float(max((it.used for it in shippers.values()), default=0))}
    _process(values)
    return values


def of_server(written: int, failed: int, watch_faults: int, traces: int, size: int) -> Values:
    """The server's numbers: traces written and not written, failed steps of the watch, what the store holds now."""
    values = Values()
    values.count("akto_proxy_server_traces_total", "", float(written))
    values.count("akto_proxy_server_failed_total", "", float(failed))
    values.count("akto_proxy_server_watch_faults_total", "", float(watch_faults))
    values.gauges["akto_proxy_store_traces"] = {"": float(traces)}
    values.gauges["akto_proxy_store_bytes"] = {"": float(size)}
    _process(values)
    return values


def _take(values: Values, source: object, names: Mapping[str, str]) -> None:
    for key, name in names.items():
        values.count(name, "", float(getattr(source, key)))


def _process(values: Values) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    values.count("akto_proxy_cpu_seconds_total", "", used.ru_utime + used.ru_stime)
    values.gauges["akto_proxy_memory_peak_bytes"] = {"": used.ru_maxrss * 1024.0}


class Board:
    """The folder where processes put their numbers. `name` is this process's, the same after a restart (`worker-0`).

    A folder that cannot be written costs the numbers of other processes, nothing else.
    """

    def __init__(self, folder: Path, name: str, *, now: Callable[[], float]) -> None:
        self._folder, self._file, self._now = folder, folder / f"{name}.json", now
        self._mine = Values()
        self._before = Values()
        self._since = now()
        found = _read(self._file)
        if found is not None:
            self._before.add(found[1], gauges=False)
            self._since = min(self._since, found[2])

    def publish(self, values: Values) -> None:
        """Put this process's numbers where others find them."""
        mine = Values()
        mine.add(self._before)
        mine.add(values)
        self._mine = mine
        fresh = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_bytes(orjson.dumps({"at": self._now(), "since": self._since, "values": mine}))
            fresh.replace(self._file)

    def total(self) -> Values:
        """The numbers of all processes; this one's as of its last `publish`, whatever its file says."""
        return self.whole()[0]

    def whole(self) -> tuple[Values, float]:
        """`total`, and when the oldest of its counters began (Unix seconds)."""
        total, since = Values(), self._since
        total.add(self._mine)
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.glob("*.json")):
                found = _read(path) if path != self._file else None
                if found is not None:
                    total.add(found[1], gauges=self._now() - found[0] < FRESH)
                    since = min(since, found[2])
        return total, since


def _read(path: Path) -> tuple[float, Values, float] | None:
    """When a file was written, what it holds as far as this version knows it, and since when that was counted.

    None when it is not there or cannot be read.
    """
    try:
        tree: Any = orjson.loads(path.read_bytes())
        found, known = Values(**tree["values"]), Values()
        known.add(
            Values(
                {name: series for name, series in found.counters.items() if name in METRICS},
                {name: series for name, series in found.gauges.items() if name in METRICS},
                {name: rows for name, rows in found.histograms.items() if _fits(name, rows)},
            )
        )
        return float(tree["at"]), known, float(tree.get("since", tree["at"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _fits(name: str, rows: Mapping[str, list[float]]) -> bool:
    return name in METRICS and all(len(row) == len(METRICS[name].bounds) + 2 for row in rows.values())


def render(values: Values, version: str) -> bytes:
    """The text that Prometheus reads."""
    python = ".".join(map(str, sys.version_info[:3]))
    build = label(METRICS["akto_proxy_build_info"].labels, (version, python))
    gauges = {**values.gauges, "akto_proxy_build_info": {build: 1.0}}
    lines: list[str] = []
    for metric in METRICS.values():
        if metric.kind == "histogram":
            body = list(_buckets(metric, values.histograms.get(metric.name, {})))
        else:
            series = (values.counters if metric.kind == "counter" else gauges).get(metric.name, {})
            body = [f"{metric.name}{_braced(labels)} {_number(value)}" for labels, value in sorted(series.items())]
        if body:
            lines += (f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}", *body)
    return ("\n".join(lines) + "\n").encode()


def _buckets(metric: Metric, rows: Mapping[str, list[float]]) -> Iterable[str]:
    for labels, row in sorted(rows.items()):
        comma = "," if labels else ""
        below = 0.0
        for bound, count in zip((*metric.bounds, float("inf")), row[:-1], strict=True):
            below += count
            edge = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield f'{metric.name}_bucket{{{labels}{comma}le="{edge}"}} {_number(below)}'
        yield f"{metric.name}_sum{_braced(labels)} {_number(row[-1])}"
        yield f"{metric.name}_count{_braced(labels)} {_number(below)}"


def _braced(labels: str) -> str:
    return f"{{{labels}}}" if labels else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


class AdminPages:
    """What a worker answers the operator: `/metrics` and `/buildinfo`. For `Server(admin=...)`.

    `fresh` gives this process's numbers now.
    """

    def __init__(self, board: Board, fresh: Callable[[], Values], version: str) -> None:
        self._board, self._fresh, self._version = board, fresh, version

    def __call__(self, method: bytes, target: bytes) -> tuple[int, bytes, bytes] | None:
        """Status, content type and body of a page, None where there is none."""
        if method not in (b"GET", b"HEAD"):
            return None
        path = target.partition(b"?")[0]
        if path == b"/metrics":
            self._board.publish(self._fresh())
            return 200, CONTENT_TYPE, render(self._board.total(), self._version)
        if path == b"/buildinfo":
            python = ".".join(map(str, sys.version_info[:3]))
            return 200, b"application/json", orjson.dumps({"version": self._version, "python": python}) + b"\n"
        return None
