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
from akto_proxy.proxy.counters import Counters
from akto_proxy.proxy.otlp import operation
from akto_proxy.proxy.shipper import ShipperStats
from akto_proxy.spool.writer import SpoolStats

FOLDER = "metrics"
MAX_SERIES = 512
FRESH = 15.0
"""Seconds after which the gauges of a file count no more."""
CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

GUARD_SECONDS: Final = (5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
REQUEST_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_SECONDS: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TOKENS: Final = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as documented: `kind` is counter, gauge or histogram; `bounds` are a histogram's."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


def _table(kind: str, text: str) -> list[Metric]:
    rows = (line.split(None, 2) for line in text.strip().splitlines())
    return [
        Metric(name, kind, about, () if labels == "-" else tuple(labels.split(","))) for name, labels, about in rows
    ]


METRICS: Final[Mapping[str, Metric]] = {
    item.name: item
    for item in (
        *_table(
            "counter",
            """
akto_proxy_requests_total             -                              Requests whose head was read.
akto_proxy_responses_total            status                         Answers given, by HTTP status.
akto_proxy_exchanges_total            outcome,verdict,route          Exchanges that are over, by what became of them.
akto_proxy_decisions_total            rule,category,action,direction Findings the policy decided about.
akto_proxy_bypassed_checks_total      rule                           Checks that could not run and were let pass.
akto_proxy_refusals_total             reason                         Answers of the proxy's own in place of upstream's.
akto_proxy_upstream_errors_total      reason                         Upstream failures, by what failed.
akto_proxy_connections_total          -                              Client connections taken.
akto_proxy_client_disconnects_total   -                              Clients that left before their answer was out.
akto_proxy_received_bytes_total       -                              Bytes read from clients.
akto_proxy_sent_bytes_total           -                              Bytes written to clients.
akto_proxy_upstream_dials_total       -                              Connections opened to upstream.
akto_proxy_upstream_reused_total      -                              Requests sent over a kept upstream connection.
akto_proxy_upstream_retries_total     -                              Requests sent a second time.
akto_proxy_stream_comments_total      -                              Keep-alive comments sent while text was held back.
akto_proxy_streams_cut_total          -                              Streams ended in the middle by a block.
akto_proxy_faults_total               -                              Bugs of the proxy that closed an exchange.
akto_proxy_lost_traces_total          -                              Traces that could not be handed to the spool.
akto_proxy_spool_records_total        -                              Records written to the spool.
akto_proxy_spool_bytes_total          -                              Bytes written to the spool.
akto_proxy_spool_dropped_total        -                              Records dropped undelivered (drop_oldest).
akto_proxy_spool_refused_total        -                              Records never taken (SPOOL_FULL=block).
akto_proxy_spool_sync_failures_total  -                              Times the disk refused to sync.
akto_proxy_shipper_delivered_total    target                         Records the server has.
akto_proxy_shipper_retries_total      target                         Batches that had to be sent again.
akto_proxy_shipper_refused_total      target                         Records the server will never take (quarantined).
akto_proxy_shipper_damaged_total      target                         Damaged stretches of spool files (quarantined).
akto_proxy_cpu_seconds_total          -                              Processor time of workers, shipper and server.
akto_proxy_server_traces_total        -                              New traces the server wrote.
akto_proxy_server_failed_total        -                              Traces it could not write; senders try again.
akto_proxy_server_watch_faults_total  -                              Steps of the watch that failed.
""",
        ),
        *_table(
            "gauge",
            """
akto_proxy_workers             -               Workers that reported in the last 15 seconds.
akto_proxy_connections         -               Client connections open now.
akto_proxy_active_exchanges    -               Exchanges under way now.
akto_proxy_active_streams      -               Streams under way now.
akto_proxy_upstream_idle       -               Upstream connections kept for reuse now.
akto_proxy_shipper_lag_bytes   target          Bytes in the spool that no server has yet.
akto_proxy_shipper_healthy     target          1 while the last batch was taken, 0 while it was not.
akto_proxy_store_traces        -               Traces in the store.
akto_proxy_store_bytes         -               Bytes the store takes on disk.
akto_proxy_memory_peak_bytes   -               Largest resident memory of workers, shipper and server, summed.
akto_proxy_build_info          version,python  Always 1; says which build runs.
akto_proxy_policy_workers      version         Workers that run this policy version.
akto_proxy_spool_used_bytes    -               Bytes the spool takes on disk, all workers.
akto_proxy_shipper_lag_seconds target          Age of the oldest trace that no server has yet.
""",
        ),
        Metric(
            "akto_proxy_guard_duration_seconds",
            "histogram",
            "Time of ours in an exchange: reading, finding, deciding, rewriting.",
            ("route",),
            GUARD_SECONDS,
        ),
        Metric(
            "akto_proxy_upstream_first_byte_seconds",
            "histogram",
            "From a request's head to the first byte of the model server's answer.",
            ("route",),
            REQUEST_SECONDS,
        ),
        Metric(
            "gen_ai_server_request_duration_seconds",
            "histogram",
            "From a request's head to its answer's last byte, where upstream answered.",
            ("gen_ai_operation_name", "error_type"),
            REQUEST_SECONDS,
        ),
        Metric(
            "gen_ai_server_time_to_first_token_seconds",
            "histogram",
            "From a streamed request's head to the first byte for the caller.",
            ("gen_ai_operation_name",),
            FIRST_SECONDS,
        ),
        Metric(
            "gen_ai_client_token_usage",
            "histogram",
            "Tokens as the model server reported them.",
            ("gen_ai_operation_name", "gen_ai_token_type"),
            TOKENS,
        ),
    )
}

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
        bounds = METRICS[name].bounds
        table = self.histograms.setdefault(name, {})
        key = _bounded(name, table, labels)
        row = table.get(key)
        if row is None:
            row = table[key] = [0.0] * (len(bounds) + 2)
        row[bisect_left(bounds, value)] += 1
        row[-1] += value

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

    def observe(self, trace: Trace) -> None:
        """Count one exchange."""
        values, route = self.values, trace.route or "none"
        values.count("akto_proxy_exchanges_total", self._labels("exchange", trace.outcome, trace.verdict.label, route))
        values.observe("akto_proxy_guard_duration_seconds", self._labels("route", route), trace.timing.guard / 1e6)
        for made in trace.decisions:
            self._decided(made)
        if trace.upstream_status:
            self._answered(trace, operation(trace))

    def _decided(self, made: Decision) -> None:
        names = self._labels("decision", made.rule, made.category, made.action.label, made.direction.value)
        self.values.count("akto_proxy_decisions_total", names)
        if made.bypassed:
            self.values.count("akto_proxy_bypassed_checks_total", self._labels("bypassed", made.rule))

    def _answered(self, trace: Trace, name: str) -> None:
        error = trace.outcome if trace.status >= 500 or trace.outcome.startswith("upstream_") else ""
        values, usage = self.values, trace.usage
        labels = self._labels("operation", name, error)
        values.observe("gen_ai_server_request_duration_seconds", labels, trace.timing.total / 1e6)
        route = self._labels("route", trace.route or "none")
        values.observe("akto_proxy_upstream_first_byte_seconds", route, trace.timing.upstream_first / 1e6)
        if trace.streamed and trace.timing.first_byte:
            first = trace.timing.first_byte / 1e6
            values.observe("gen_ai_server_time_to_first_token_seconds", self._labels("first", name), first)
        if not usage.estimated:
            for kind, tokens in (("input", usage.prompt), ("output", usage.completion)):
                if tokens:
                    values.observe("gen_ai_client_token_usage", self._labels("tokens", name, kind), tokens)

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
_SHIPPER: Final = {
    "delivered": "akto_proxy_shipper_delivered_total",
    "retries": "akto_proxy_shipper_retries_total",
    "refused": "akto_proxy_shipper_refused_total",
    "damaged": "akto_proxy_shipper_damaged_total",
}


def of_worker(meter: Meter, counters: Counters, spool: SpoolStats, policy: str = "") -> Values:
    """A worker's numbers; `policy` is the version it runs."""
    values = Values()
    values.add(meter.values)
    _take(values, counters, _PLAIN)
    _take(values, spool, _SPOOL)
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


def of_shippers(shippers: Mapping[str, ShipperStats]) -> Values:
    """The shippers' numbers, by the name of what each ships to (a word of ours)."""
    values = Values()
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
        found = _read(self._file)
        if found is not None:
            self._before.add(found[1], gauges=False)

    def publish(self, values: Values) -> None:
        """Put this process's numbers where others find them."""
        mine = Values()
        mine.add(self._before)
        mine.add(values)
        self._mine = mine
        fresh = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh.write_bytes(orjson.dumps({"at": self._now(), "values": mine}))
            fresh.replace(self._file)

    def total(self) -> Values:
        """The numbers of all processes; this one's as of its last `publish`, whatever its file says."""
        total = Values()
        total.add(self._mine)
        with contextlib.suppress(OSError):
            for path in sorted(self._folder.glob("*.json")):
                found = _read(path) if path != self._file else None
                if found is not None:
                    total.add(found[1], gauges=self._now() - found[0] < FRESH)
        return total


def _read(path: Path) -> tuple[float, Values] | None:
    """What a file holds, as far as this version knows it; None when it is not there or cannot be read."""
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
        return float(tree["at"]), known
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
