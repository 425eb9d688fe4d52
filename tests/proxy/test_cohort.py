from collections.abc import Callable
from typing import Any

from akto_proxy.proxy.cohort import Cohort


class Loop:
    """A loop that is turned by hand."""

    def __init__(self) -> None:
        self.ready: list[Callable[[], object]] = []
        self.turns = 0

    def turn(self) -> None:
        ready, self.ready = self.ready, []
        self.turns += 1
        for work in ready:
            work()


def test_works_of_one_turn_are_done_together_in_the_order_they_came():
    loop, done = Loop(), []
    cohort = Cohort(loop.ready.append, done.append)
    for number in range(3):
        cohort.add(lambda number=number: done.append(number))  # type: ignore[misc]
    assert not done
    assert len(loop.ready) == 1
    loop.turn()
    assert done == [0, 1, 2]


def test_a_work_that_makes_another_is_followed_by_it_in_the_next_turn():
    loop = Loop()
    done: list[Any] = []
    cohort = Cohort(lambda work: loop.ready.append(work), done.append)
    cohort.add(lambda: cohort.add(lambda: done.append("second")))
    loop.turn()
    assert not done
    loop.turn()
    assert done == ["second"]


def test_what_one_raises_keeps_no_other_from_its_turn():
    loop = Loop()
    faults: list[BaseException] = []
    done: list[int] = []
    cohort = Cohort(lambda work: loop.ready.append(work), faults.append)
    cohort.add(lambda: done.append(1 // 0))
    cohort.add(lambda: done.append(1))
    loop.turn()
    assert done == [1]
    assert [type(fault) for fault in faults] == [ZeroDivisionError]
