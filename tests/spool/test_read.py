from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from akto_proxy.errors import StorageError
from akto_proxy.spool.frame import Damage, Frame, Kind
from akto_proxy.spool.layout import Cursor, read_cursor, segments, write_cursor
from akto_proxy.spool.read import quarantine, read_chunk, read_segment, undelivered
from akto_proxy.spool.writer import Spool

Open = Callable[..., Spool]


def drain(directory: Path, limit: int) -> list[bytes]:
    cursor, found = Cursor(), []
    while (chunk := read_chunk(directory, cursor, limit=limit)) is not None:
        found += [item.payload for item in chunk.items if isinstance(item, Frame) and item.kind is Kind.TRACE]
        cursor = chunk.cursor
    return found


@pytest.mark.parametrize("limit", [1, 90, 1000, 10**6])
def test_chunks_of_any_size_give_every_record_once(open_spool: Open, limit: int) -> None:
    spool = open_spool(segment_bytes=3_000)
    records = [b"%d" % number + b"x" * (number * 7 % 900) for number in range(60)]
    for record in records:
        spool.append(record)
    assert drain(spool.directory, limit) == records


def test_a_half_written_end_is_left_alone_while_its_writer_may_go_on(open_spool: Open) -> None:
    spool = open_spool(signed=False)
    spool.append(b"whole")
    path = segments(spool.directory)[-1]
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\xa7KTT" + bytes(30))
    chunk = read_chunk(spool.directory, Cursor(), limit=10**6)
    assert chunk is not None
    assert chunk.cursor.offset == size
    assert not any(isinstance(item, Damage) for item in chunk.items)
    assert read_chunk(spool.directory, chunk.cursor, limit=10**6) is None


def test_damage_in_a_sealed_segment_is_given_and_set_aside_and_the_rest_read(open_spool: Open, root: Path) -> None:
    spool = open_spool(segment_bytes=2_000)
    for _ in range(40):
        spool.append(b"x" * 200)
    path = segments(spool.directory)[0]
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(bytes(data[:-50]))  # and its end is cut, which only a broken disk can do to a sealed segment
    chunk = read_chunk(spool.directory, Cursor(), limit=10**6)
    assert chunk is not None
    damage = [item for item in chunk.items if isinstance(item, Damage)]
    assert len(damage) == 2
    for item in damage:
        kept = quarantine(root, path, item)
        assert kept is not None
        assert kept.read_bytes() == path.read_bytes()[item.start : item.end]
    assert len(drain(spool.directory, 10**6)) == 38


def test_cursors_survive_and_nonsense_means_the_beginning(open_spool: Open) -> None:
    spool = open_spool()
    spool.append(b"x")
    assert undelivered(spool.directory) == spool.used
    write_cursor(spool.directory, Cursor(0, 20, 1))
    assert read_cursor(spool.directory) == Cursor(0, 20, 1)
    assert undelivered(spool.directory) == spool.used - 20
    (spool.directory / "cursor").write_bytes(b"\x00garbage")
    assert read_cursor(spool.directory) == Cursor()


def test_a_segment_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.seg"):
        list(read_segment(tmp_path / "gone.seg"))
