"""docs/faults.md: each fault, the promise, and the test that checks it. The page is made from this table."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "faults.md"
BEGIN = "<!-- made by tests/faults/test_table.py -->"
OURS = "faults/test_model_server.py"

FAULTS: list[tuple[str, str, str, str]] = [
    (
        "model server",
        "resets in the middle of a secret",
        "no half of it is released; the caller is told",
        f"{OURS}::test_a_reset_in_the_middle_of_a_secret_releases_no_half_of_it",
    ),
    (
        "model server",
        "silent in the middle of a secret",
        "ends after REQUEST_TIMEOUT; nothing held is released",
        f"{OURS}::test_silence_in_the_middle_of_a_secret_ends_in_time_and_releases_nothing",
    ),
    (
        "model server",
        "accepts and never answers",
        "504 after REQUEST_TIMEOUT",
        f"{OURS}::test_no_answer_at_all_is_a_504_in_time",
    ),
    (
        "model server",
        "one byte at a time",
        "guarded like a whole answer",
        f"{OURS}::test_a_byte_at_a_time_is_guarded_like_a_whole",
    ),
    (
        "model server",
        "a byte a second for ever",
        "ends after TOTAL_TIMEOUT",
        f"{OURS}::test_a_byte_a_second_for_ever_has_an_end",
    ),
    (
        "model server",
        "never ends",
        "stopped within 3 s of its caller leaving",
        f"{OURS}::test_a_stream_that_never_ends_stops_when_its_caller_leaves",
    ),
    (
        "model server",
        "sends less than it promised",
        "502; no half of a body passes",
        f"{OURS}::test_a_body_shorter_than_promised_never_passes_half",
    ),
    (
        "model server",
        "sends more than it promised",
        "the rest is dropped with the connection",
        f"{OURS}::test_a_body_longer_than_promised_costs_the_connection_only",
    ),
    ("model server", "sends garbage", "502", f"{OURS}::test_garbage_is_a_502"),
    (
        "model server",
        "sends what cannot be read",
        "refused where the policy is closed",
        f"{OURS}::test_what_cannot_be_read_does_not_pass_a_closed_policy",
    ),
    ("model server", "is not there", "502 at once", "proxy/test_ends.py::test_nobody_listens_upstream"),
    (
        "model server",
        "a kept connection died",
        "a new one is used, no call is lost",
        "proxy/test_flow.py::test_a_kept_connection_that_died_is_not_used",
    ),
    (
        "model server",
        "accepts no connection",
        "ends after CONNECT_TIMEOUT",
        "proxy/test_pool.py::test_a_listener_that_never_accepts_runs_into_the_time_limit",
    ),
    (
        "network",
        "an idle connection is dropped silently",
        "costs no call",
        "e2e/test_namespaces.py::test_an_idle_connection_that_was_dropped_silently_costs_no_call",
    ),
    (
        "network",
        "the name moves to another address",
        "followed within 5 s (the name is kept for 2)",
        f"{OURS}::test_a_name_that_moves_is_followed",
    ),
    (
        "caller",
        "does not read",
        "the model server is slowed, memory is bounded",
        "proxy/test_flow.py::test_a_slow_reader_slows_the_model_server",
    ),
    ("proxy", "a bug in the guard", "nothing passes", "proxy/test_ends.py::test_a_bug_in_the_guard_lets_nothing_pass"),
    (
        "proxy",
        "a storm of policy reloads",
        "every exchange is under one policy from start to end",
        f"{OURS}::test_a_storm_of_reloads_leaves_every_exchange_under_one_policy",
    ),
    (
        "proxy",
        "the certificate is replaced",
        "new connections have the new one, no restart",
        "proxy/test_server.py::test_a_certificate_is_replaced_without_a_restart",
    ),
    (
        "proxy",
        "any part is killed",
        "every answer a caller saw is kept once",
        "test_kills.py::test_every_answer_a_caller_saw_is_kept_once_whatever_is_killed",
    ),
    (
        "proxy",
        "a worker is killed",
        "what it held of limits is given back",
        "limits/test_shared.py::test_what_a_killed_worker_held_is_given_back",
    ),
    (
        "proxy",
        "stopped while answers run",
        "they end first, within DRAIN_TIMEOUT",
        "proxy/test_server.py::test_drain_lets_answers_end_and_takes_nothing_new",
    ),
    (
        "disk",
        "full, SPOOL_FULL=block",
        "calls are refused, what was taken is kept",
        "spool/test_disk.py::test_a_full_disk_blocks_and_keeps_all_it_took",
    ),
    (
        "disk",
        "full, SPOOL_FULL=drop_oldest",
        "the oldest go, counted and said in the chain",
        "spool/test_disk.py::test_a_full_disk_drops_the_oldest_and_takes_every_new_one",
    ),
    (
        "disk",
        "becomes read-only",
        "said; what was taken is there afterwards",
        "spool/test_disk.py::test_a_read_only_disk_is_said_and_what_was_taken_is_there_when_it_is_writable_again",
    ),
    (
        "disk",
        "a record is damaged",
        "set aside and counted, the rest is read",
        "spool/test_read.py::test_damage_in_a_sealed_segment_is_given_and_set_aside_and_the_rest_read",
    ),
    (
        "clock",
        "jumps back",
        "order, ages and chain stay right",
        "spool/test_writer.py::test_a_clock_that_jumps_back_changes_nothing",
    ),
    (
        "clock",
        "differs between machines",
        "shared limits stay exact",
        "limits/test_redis.py::test_machines_need_not_agree_on_the_time",
    ),
    (
        "collector",
        "away for long",
        "memory flat; all arrives once when it is back",
        "proxy/test_shipper.py::test_memory_stays_flat_and_all_arrives_after_a_long_outage",
    ),
    (
        "collector",
        "says no",
        "asked again, nothing lost",
        "proxy/test_shipper.py::test_a_server_that_says_no_is_asked_again_and_nothing_is_lost",
    ),
    (
        "collector",
        "is killed",
        "nothing lost, nothing twice",
        "collector/test_kills.py::test_each_part_killed_once_or_twice_loses_nothing",
    ),
    (
        "store",
        "cannot write",
        "said; nothing is acknowledged",
        "collector/test_app.py::test_a_store_that_cannot_write_is_said_and_nothing_is_acknowledged",
    ),
    (
        "store",
        "its writer is killed",
        "no acknowledged batch is lost",
        "store/test_sqlite.py::test_a_killed_writer_loses_no_acknowledged_batch",
    ),
    (
        "Redis",
        "killed and back",
        "limits go on locally, then together again",
        "limits/test_redis.py::test_redis_killed_and_back",
    ),
    (
        "Redis",
        "slow",
        "one wait, then asked again later",
        "limits/test_redis.py::test_a_slow_redis_costs_one_wait_and_is_asked_again",
    ),
    (
        "Redis",
        "lost its memory",
        "every process tells it again",
        "limits/test_redis.py::test_redis_that_lost_its_memory_is_told_by_every_process",
    ),
    (
        "external check",
        "keeps failing",
        "left alone for a while; the policy's fail mode decides",
        "proxy/test_external.py::test_a_checker_that_keeps_failing_is_left_alone_for_a_while",
    ),
]


def table() -> str:
    """The generated part of the page."""
    lines = ["| what | fault | promise | test |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {a} | {b} | {c} | `tests/{d}` |" for a, b, c, d in FAULTS])


def test_the_page_is_current() -> None:
    fresh = PAGE.read_text("utf-8").partition(BEGIN)[2].strip()
    assert fresh == table(), "write it again: PYTHONPATH=tests python -m faults.test_table"


def test_every_test_that_is_named_exists() -> None:
    for *_, test in FAULTS:
        path, _, name = test.partition("::")
        assert re.search(rf"def {name}\b", (TESTS / path).read_text("utf-8")), test


if __name__ == "__main__":
    head = PAGE.read_text("utf-8").partition(BEGIN)[0]
    PAGE.write_text(f"{head}{BEGIN}\n\n{table()}\n", "utf-8")
