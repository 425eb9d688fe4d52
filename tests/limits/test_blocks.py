from __future__ import annotations

from pathlib import Path
from typing import Any

from akto_proxy.limits.blocks import Blocked, Blocks, write_blocks
from akto_proxy.model import Caller


def test_a_block_comes_into_force_and_ends(tmp_path: Path, clock: Any) -> None:
    blocks = Blocks(tmp_path, clock.seconds)
    caller = Caller(ip="10.0.0.1", user="eve")
    assert not blocks.until(caller)
    assert not blocks.some()
    write_blocks(tmp_path, [Blocked("user", "eve", clock.seconds() + 60)])
    clock.tick(1.1)
    assert blocks.some()
    assert blocks.until(caller)
    assert not blocks.until(Caller(ip="10.0.0.1", user="adam"))
    clock.tick(60)
    assert not blocks.until(caller)


def test_a_block_can_be_taken_back(tmp_path: Path, clock: Any) -> None:
    write_blocks(tmp_path, [Blocked("ip", "10.0.0.1", clock.seconds() + 60)])
    blocks = Blocks(tmp_path, clock.seconds)
    assert blocks.until(Caller(ip="10.0.0.1"))
    write_blocks(tmp_path, [])
    clock.tick(2)
    assert not blocks.until(Caller(ip="10.0.0.1"))


def test_an_unreadable_file_changes_nothing(tmp_path: Path, clock: Any) -> None:
    write_blocks(tmp_path, [Blocked("ip", "10.0.0.1", clock.seconds() + 600)])
    blocks = Blocks(tmp_path, clock.seconds)
    assert blocks.until(Caller(ip="10.0.0.1"))
    (tmp_path / "blocks.json").write_text("{broken")
    clock.tick(2)
    assert blocks.until(Caller(ip="10.0.0.1"))
    assert blocks.unreadable == 1


def test_an_empty_value_blocks_nobody(tmp_path: Path, clock: Any) -> None:
    write_blocks(tmp_path, [Blocked("user", "", clock.seconds() + 600)])
    assert not Blocks(tmp_path, clock.seconds).until(Caller(ip="10.0.0.1"))
