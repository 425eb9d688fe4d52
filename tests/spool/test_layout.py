"""Who has delivered how far, and whose directory a writer's is."""

import os
from pathlib import Path

import pytest

from akto_proxy.spool.layout import (
    Cursor,
    fastest_cursor,
    forget_readers,
    owned,
    read_cursor,
    remove_writer,
    slowest_cursor,
    take_lock,
    write_cursor,
    writers,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "w1"
    made.mkdir()
    fd = take_lock(made)
    assert fd is not None
    os.close(fd)
    return made


def test_each_reader_has_a_cursor_and_the_slowest_holds_the_segments(directory: Path) -> None:
    far, near = Cursor(10, 500, 14), Cursor(0, 80, 1)
    write_cursor(directory, far, "server")
    write_cursor(directory, near, "otlp")
    assert read_cursor(directory, "server") == far
    assert slowest_cursor(directory, ("server", "otlp")) == near
    assert slowest_cursor(directory, ("server",)) == far
    assert slowest_cursor(directory) == near
    assert fastest_cursor(directory) == far
    assert slowest_cursor(directory, ("server", "new")) == Cursor(), "who never read has everything to come"


def test_a_reader_that_is_gone_holds_nothing_back(directory: Path) -> None:
    write_cursor(directory, Cursor(10, 500, 14), "server")
    write_cursor(directory, Cursor(0, 80, 1), "otlp")
    forget_readers(directory, ("server",))
    assert slowest_cursor(directory) == Cursor(10, 500, 14)
    assert read_cursor(directory, "otlp") == Cursor()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"first": "x"}', b"\xff"])
def test_a_cursor_that_cannot_be_read_is_the_beginning(directory: Path, data: bytes) -> None:
    (directory / "cursor-server").write_bytes(data)
    assert read_cursor(directory, "server") == Cursor()
    assert slowest_cursor(directory) == fastest_cursor(directory) == Cursor()


def test_a_directory_has_one_owner_and_is_removed_whole(directory: Path) -> None:
    fd = take_lock(directory)
    assert fd is not None
    assert take_lock(directory) is None
    with owned(directory) as ours:
        assert not ours
    os.close(fd)
    with owned(directory) as ours:
        assert ours
        for reader in ("", "server", "otlp"):
            write_cursor(directory, Cursor(1, 2, 3), reader)
        (directory / "00000000000000000000.seg").write_bytes(b"x")
        remove_writer(directory)
    assert not directory.exists()
    assert writers(directory.parent) == []
