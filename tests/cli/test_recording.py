"""What a worker does with its traces, and what it says when the spool has no room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from akto_proxy.cli.recording import SAY_EVERY, Recording
from akto_proxy.errors import StorageError
from akto_proxy.model import Message, Trace
from akto_proxy.proxy.metrics import Meter
from akto_proxy.spool.frame import Frame, Kind
from akto_proxy.spool.read import read_all
from akto_proxy.spool.writer import Spool, SpoolFull, SpoolOptions

TRACE = Trace("0" * 32, 1.0, "e", "POST", "/p", "r", "v", 200, "ok", request=Message((), "x" * 2000, "text", 2000))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Iterator:
    made: list[Spool] = []

    def one(full: str, *, each: bool = False) -> tuple[Recording, Spool]:
        options = SpoolOptions(limit_bytes=20_000, full=full, fsync="each" if each else "off")  # type: ignore[arg-type]
        made.append(Spool(tmp_path / "spool", options, clock=clock, name="w"))
        return Recording(made[-1], Meter(), each=each, clock=clock), made[-1]

    yield one
    for spool in made:
        spool.close()


def kept(spool: Spool) -> int:
    return sum(isinstance(item, Frame) and item.kind is Kind.TRACE for _, item in read_all(spool.directory))


def test_losses_are_said_with_their_numbers_once_a_minute_and_so_is_their_end(make, clock: Clock) -> None:
    recording, spool = make("drop_oldest")
    with capture_logs() as said:
        recording.tick()
        for _ in range(40):
            recording.keep(TRACE)
            clock.now += 0.01
            recording.tick()
    (line,) = said
    assert (line["log_level"], line["event"]) == ("error", "traces are lost or not safe")
    assert 0 < line["dropped"] < spool.stats.dropped, "the rest is said in a minute"
    assert "SPOOL_MAX_SIZE" in line["reason"]
    with capture_logs() as said:
        for _ in range(3):
            clock.now += SAY_EVERY
            recording.tick()
    assert [line["event"] for line in said] == ["traces are lost or not safe", "traces are kept again"]
    assert said[1]["dropped"] == spool.stats.dropped


def test_a_trace_that_finds_no_room_is_lost_aloud(make, clock: Clock) -> None:
    recording, spool = make("block")
    taken = 0
    while spool.used + 3000 < 20_000:
        recording.keep(TRACE)
        taken += 1
    with pytest.raises(SpoolFull):
        recording.keep(TRACE)
    with capture_logs() as said:
        recording.tick()
    assert (said[0]["refused"], said[0]["dropped"]) == (1, 0)
    assert "drop_oldest" in said[0]["reason"]
    assert kept(spool) == taken


async def test_each_trace_is_synced_and_those_that_meet_share_it(make) -> None:
    recording, spool = make("drop_oldest", each=True)
    for _ in range(3):
        recording.keep(TRACE)
    await spool.commit()
    await spool.commit()
    assert 1 <= spool.stats.syncs <= 3


def test_a_spool_that_cannot_do_its_chores_stops_nothing(make, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, spool = make("drop_oldest")

    def broken() -> None:
        raise StorageError("cannot be removed: Read-only file system")

    monkeypatch.setattr(spool, "tick", broken)
    recording.tick()
    recording.keep(TRACE)
    assert kept(spool) == 1
