"""The table of all metrics: name, kind, labels, what it counts. docs/metrics.md says the same, compared by a test.

Names that OpenTelemetry's GenAI conventions have are theirs, written as Prometheus wants them; so are the bounds of
their histograms.
"""

# ruff: noqa: E501 - a row of a table reads better whole
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

GUARD_SECONDS: Final = (5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5)
REQUEST_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
FIRST_SECONDS: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
TOKEN_SECONDS: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
TOKENS: Final = tuple(4.0**n for n in range(14))


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
akto_proxy_limited_total              limit,mode                     Calls over a limit: refused (`enforce`) or only counted (`shadow`).
akto_proxy_limit_cuts_total           -                              Streams ended by a limit that was used up.
akto_proxy_limits_away_total          -                              Calls decided without Redis, while it was away.
akto_proxy_blocked_calls_total        -                              Calls of callers that are blocked for a time.
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
akto_proxy_otlp_failures_total        -                              Pushes of metrics that the OpenTelemetry collector did not take.
akto_proxy_otlp_rejected_total        signal                         Spans or points it said it dropped from what it took.
akto_proxy_external_asked_total       -                              Questions to external checks.
akto_proxy_external_cached_total      -                              Questions that an earlier answer settled.
akto_proxy_external_failed_total      -                              Texts for which an external check had no verdict.
akto_proxy_external_rested_total      -                              Questions not asked because the checker kept failing.
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
            "gen_ai_server_time_per_output_token_seconds",
            "histogram",
            "Time of a streamed answer after its first token, for each further token that the model server reported.",
            ("gen_ai_operation_name",),
            TOKEN_SECONDS,
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
