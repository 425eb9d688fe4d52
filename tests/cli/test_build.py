"""The guard built out of its parts: custom rules compiled apart, once, and kept."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from akto_proxy.cli import build
from akto_proxy.config.settings import load
from akto_proxy.errors import PolicyError
from akto_proxy.guard.rule import Rule
from akto_proxy.policy.schema import parse_policies

CUSTOM = (Rule("custom:p:0", "CUSTOM", "custom", r"badge \d{4}"),)


def policy(pattern: str) -> str:
    rule = f"{{regex: '{pattern}', match: [xxy], no_match: [y], action: block}}"
    return f"version: 1\npolicies:\n  - name: own\n    rules: [{rule}]\n"


def test_custom_rules_are_compiled_apart_once_and_then_found_on_disk(tmp_path: Path):
    built = build.engine(CUSTOM, tmp_path, custom=CUSTOM)
    (kept,) = tmp_path.glob("*.vectorscan")
    assert kept.read_bytes() == built.dump()
    started = time.perf_counter()
    again = build.engine(CUSTOM, tmp_path, custom=CUSTOM, deadline=0.0)  # no time to compile: it must not
    assert time.perf_counter() - started < 1
    assert [(hit.start, hit.end) for hit in again.scan("my badge 1234")] == [(3, 13)]


def test_a_custom_rule_that_passes_the_deadline_is_refused_with_a_sentence(tmp_path: Path):
    with pytest.raises(PolicyError, match=r"longer than 0\.01 s to compile: make the repeats smaller"):
        build.engine(CUSTOM, tmp_path, custom=CUSTOM, deadline=0.01)
    assert not list(tmp_path.glob("*.vectorscan"))


def test_a_folder_that_cannot_be_written_costs_time_and_not_function(tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert build.engine(CUSTOM, tmp_path / "file" / "cache", custom=CUSTOM).scan("badge 1234")


def test_the_guard_of_a_policy_file_finds_its_own_rule(tmp_path: Path):
    settings = load({"DATA_DIR": str(tmp_path)})
    guard = build.guard(settings, parse_policies(policy("xx+"), "own.yaml"))
    assert [finding.rule for finding in guard.scanner.engine.scan("a xxx b")] == ["custom:own:0"]
    assert len(list((tmp_path / "cache").glob("*.vectorscan"))) == 1


def test_the_pages_find_the_database_that_the_guard_compiled(tmp_path: Path):
    here = load({"DATA_DIR": str(tmp_path)})
    build.guard(here)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.vectorscan")}
    assert len(kept) == 1
    scanner = build.scanner_for_pages(here)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").glob("*.vectorscan")} == kept
    assert {rule.id for rule in build.shipped_rules()} <= scanner.engine.rule_ids


def test_an_unknown_pack_is_told_with_the_known_ones():
    with pytest.raises(Exception, match=r"no pack `nope`; there are: .*pci-dss"):
        build.pack("nope")


def test_a_reload_that_leaves_the_rules_alone_builds_no_engine(tmp_path: Path):
    here = load({"DATA_DIR": str(tmp_path)})
    first = build.guard(here, parse_policies(policy("xx+"), "own.yaml"))
    other = policy("xx+").replace("action: block", "action: alert")
    second = build.guard(here, parse_policies(other, "own.yaml"))
    third = build.guard(here, parse_policies(policy("xy+"), "own.yaml"))
    assert first.policies.version != second.policies.version
    assert first.scanner.engine is second.scanner.engine
    assert third.scanner.engine is not first.scanner.engine
