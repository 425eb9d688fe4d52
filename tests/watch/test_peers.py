"""What most callers of an endpoint do together."""

from __future__ import annotations

from dataclasses import dataclass

from akto_proxy.watch.peers import LEAST, ROOM, WINDOW, Peers

START = 1_699_833_600.0
DAY = 86_400.0


@dataclass
class Caller:
    """Ten calls are usual of it in a window."""

    start: float = START
    calls: int = 0

    def usual(self, at: float) -> float:
        return 10.0


def busy(peers: Peers, callers: list[Caller], calls: list[int], windows: int, begin: float) -> float:
    """Some windows in which each caller calls so often; how busy the crowd is afterwards."""
    for turn in range(windows):
        for number, (caller, count) in enumerate(zip(callers, calls, strict=True)):
            caller.start, caller.calls = begin + turn * WINDOW, count
            peers.add(str(number), caller)
        factor = peers.factor(begin + (turn + 1) * WINDOW)
    return factor


def test_a_launch_is_seen_within_minutes_and_told_once() -> None:
    peers, callers = Peers(), [Caller() for _ in range(20)]
    assert busy(peers, callers, [10] * 20, 24, START) == 1.0
    assert busy(peers, callers, [30] * 20, 3, START + 24 * WINDOW) > 1.8
    assert peers.surge() is None, "a quarter of an hour is no lasting change"
    busy(peers, callers, [30] * 20, 24, START + 27 * WINDOW)
    surge = peers.surge()
    assert surge is not None
    assert (surge.callers, surge.of) == (20, 20)
    busy(peers, callers, [30] * 20, 12, START + 51 * WINDOW)
    assert peers.surge() is None


def test_one_loud_caller_is_no_crowd_and_few_callers_are_none() -> None:
    peers, callers = Peers(), [Caller() for _ in range(20)]
    assert busy(peers, callers, [10] * 19 + [5_000], 24, START) == 1.0
    few = [Caller() for _ in range(LEAST - 1)]
    assert busy(Peers(), few, [50] * len(few), 24, START) == 1.0


def test_who_does_not_call_has_a_voice_too() -> None:
    peers, callers = Peers(), [Caller() for _ in range(20)]
    busy(peers, callers, [10] * 20, 24, START)
    begin = START + 24 * WINDOW
    for turn in range(12):  # only eight go on, three times as busy
        for number in range(8):
            callers[number].start, callers[number].calls = begin + turn * WINDOW, 30
            peers.add(str(number), callers[number])
    assert peers.factor(begin + 12 * WINDOW) == 1.0


def test_after_a_quiet_day_the_next_change_is_news() -> None:
    peers, callers = Peers(), [Caller() for _ in range(20)]
    busy(peers, callers, [30] * 20, 24, START)
    assert peers.surge() is not None
    busy(peers, callers, [10] * 20, 13 * 24, START + DAY)
    busy(peers, callers, [30] * 20, 24, START + 4 * DAY)
    assert peers.surge() is not None


def test_votes_are_bounded_and_outlive_a_restart() -> None:
    peers = Peers()
    for number in range(3 * ROOM):
        peers.add(str(number), Caller(calls=30))
    kept = peers.dump()
    assert len(kept[0]) == ROOM
    assert Peers.load(kept).dump() == kept
