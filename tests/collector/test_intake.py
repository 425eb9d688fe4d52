"""Batches of many senders, written together: none waits for ever, none is told yes that was not written."""

import asyncio

import pytest

from akto_proxy.collector.intake import Batch, Intake
from akto_proxy.collector.problem import Problem
from akto_proxy.errors import StorageError
from akto_proxy.model import Trace
from akto_proxy.store.face import Entry


class Disk:
    """A store that writes when it is let, or fails."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.fails: Exception | None = None

    def insert_many(self, entries, notes) -> int:
        if self.fails is not None:
            raise self.fails
        self.groups.append(len(entries))
        return len(entries)


def batch(first: int, count: int) -> Batch:
    traces = (
        Trace(f"{number:032x}", 1.0, "e", "POST", "/", "r", "v", 200, "ok") for number in range(first, first + count)
    )
    return Batch([Entry(trace) for trace in traces])


@pytest.fixture
def disk() -> Disk:
    return Disk()


async def test_those_who_wait_share_a_transaction(disk: Disk) -> None:
    intake = Intake(disk)  # type: ignore[arg-type]
    await asyncio.gather(*(intake.put(batch(number * 10, 10)) for number in range(50)))
    assert sum(disk.groups) == intake.written == 500
    assert len(disk.groups) < 50
    intake.close()


async def test_all_of_a_group_learn_that_it_failed_and_may_come_again(disk: Disk) -> None:
    intake = Intake(disk, waiting=100)  # type: ignore[arg-type]
    for error in (StorageError("disk full"), OverflowError("a value of a caller")):
        disk.fails = error
        results = await asyncio.gather(*(intake.put(batch(n * 10, 10)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(result, Problem) and result.status == 503 for result in results)
        assert "caller" not in repr(results)
    assert (intake.written, intake.failed) == (0, 60)
    disk.fails = None
    await intake.put(batch(0, 100))
    assert intake.written == 100
    intake.close()


async def test_beyond_its_room_nobody_waits(disk: Disk) -> None:
    intake = Intake(disk, waiting=10)  # type: ignore[arg-type]
    with pytest.raises(Problem) as refused:
        await intake.put(batch(0, 11))
    assert (refused.value.status, refused.value.headers["retry-after"]) == (503, "2")
    assert await intake.put(batch(0, 10)) == 10
    intake.close()


async def test_what_arrived_is_told_once_it_is_written(disk: Disk) -> None:
    told: list[int] = []
    intake = Intake(disk, arrived=lambda: told.append(sum(disk.groups)))  # type: ignore[arg-type]
    await intake.put(batch(0, 10))
    disk.fails = StorageError("disk full")
    with pytest.raises(Problem):
        await intake.put(batch(10, 10))
    assert told == [10]
    intake.close()
