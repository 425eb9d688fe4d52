"""The file of learned limits: written at once, read when it changed, never worse for being broken."""

from __future__ import annotations

import json
from pathlib import Path

from akto_proxy.limits.learned import FILE, SLOTS, LearnedFile, rows_of, write_learned

ONE = '{"name": "learned.main.user.requests", "limit": 5, "per": 60.0, "by": ["user"]}'


def test_what_is_written_is_read_once_until_it_changes(tmp_path: Path) -> None:
    file = LearnedFile(tmp_path)
    assert not file.look()
    write_learned(tmp_path, rows_of([(3, ONE)]))
    assert file.look()
    assert [(item.slot, item.limit.limit) for item in file.limits] == [(3, 5.0)]
    assert not file.look()
    stamp = (tmp_path / FILE).stat().st_mtime_ns
    write_learned(tmp_path, rows_of([(3, ONE)]))
    assert (tmp_path / FILE).stat().st_mtime_ns == stamp
    write_learned(tmp_path, [])
    assert file.look()
    assert file.limits == ()


def test_a_broken_file_leaves_in_force_what_is(tmp_path: Path) -> None:
    write_learned(tmp_path, rows_of([(0, ONE)]))
    file = LearnedFile(tmp_path)
    file.look()
    (tmp_path / FILE).write_text("{")
    assert not file.look()
    assert len(file.limits) == 1
    assert file.unreadable == 1


def test_a_row_that_is_no_limit_is_counted_and_the_others_hold(tmp_path: Path) -> None:
    rows = [{"slot": 0, "limit": {"name": "x"}}, {"slot": SLOTS, "limit": json.loads(ONE)}, *rows_of([(1, ONE)])]
    write_learned(tmp_path, rows)
    file = LearnedFile(tmp_path)
    assert file.look()
    assert [item.slot for item in file.limits] == [1]
    assert file.unreadable == 1


def test_no_file_any_more_is_no_limit_any_more(tmp_path: Path) -> None:
    write_learned(tmp_path, rows_of([(0, ONE)]))
    file = LearnedFile(tmp_path)
    file.look()
    (tmp_path / FILE).unlink()
    assert file.look()
    assert file.limits == ()
