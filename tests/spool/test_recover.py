"""Taking over what a dead writer left, wherever it was cut."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from akto_proxy.spool.audit import Entry, Signer, Verifier
from akto_proxy.spool.frame import GENESIS, Damage
from akto_proxy.spool.layout import Cursor, segments, write_cursor
from akto_proxy.spool.read import read_all
from akto_proxy.spool.recover import Tail, recover
from akto_proxy.spool.writer import Spool

Open = Callable[..., Spool]


def sizes(directory: Path) -> list[int]:
    return [path.stat().st_size for path in segments(directory)]


@pytest.mark.parametrize("cut", range(0, 1200, 37))
def test_for_every_cut_the_chain_goes_on_after_the_last_whole_record(open_spool: Open, root: Path, cut: int) -> None:
    spool = open_spool(signed=False)
    for number in range(8):
        spool.append(b"%d" % number * 50)
    spool.close()
    path = segments(spool.directory)[0]
    os.truncate(path, max(0, path.stat().st_size - cut))
    again = open_spool("w2", signed=False)
    again.append(b"more")
    again.close()
    assert again.directory == spool.directory
    verifier = Verifier(again.writer, [Signer(b"s" * 32).public])
    for _, item in read_all(again.directory):
        assert not isinstance(item, Damage)
        verifier.add(Entry(item.kind.name.lower(), item.number, item.digest, item.chain, item.payload))
    report = verifier.finish()
    assert report.ok, report.problems


def test_numbers_never_come_again_when_all_was_delivered_and_removed(tmp_path: Path) -> None:
    """The cursors alone say how far it was; the furthest counts, whoever is behind."""
    directory = tmp_path / "w1"
    directory.mkdir()
    write_cursor(directory, Cursor(40, 9, 57), "server")
    write_cursor(directory, Cursor(0, 0, 3), "otlp")
    assert recover(tmp_path, directory) == Tail(57, GENESIS, 0)


def test_a_last_segment_of_nothing_but_damage_uses_up_its_numbers(tmp_path: Path) -> None:
    directory = tmp_path / "w1"
    directory.mkdir()
    (directory / f"{100:020d}.seg").write_bytes(b"\x00" * 500)
    tail = recover(tmp_path, directory)
    assert tail.number >= 100
    assert tail.chain == GENESIS
