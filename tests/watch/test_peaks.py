"""What a caller does again and again, by day and by hour."""

from __future__ import annotations

import pytest

from akto_proxy.watch.peaks import Peaks, Silence, Tops

START = 1_699_833_600.0
HOUR, DAY = 3_600.0, 86_400.0


def hours(tops: Tops, first: int, last: int, job: float) -> None:
    """So many hours; a job at noon goes so high."""
    for hour in range(first, last):
        tops.learn(job if hour % 24 == 12 else 1.0, START + hour * HOUR)


def test_a_nightly_job_is_known_at_its_hour_and_not_at_others() -> None:
    tops = Tops()
    hours(tops, 0, 14 * 24, 60.0)
    assert tops.usual(START + 14 * DAY + 12 * HOUR) == pytest.approx(60.0)
    assert tops.usual(START + 14 * DAY + 13 * HOUR) == pytest.approx(60.0), "people come early, and clocks change"
    assert tops.usual(START + 14 * DAY + 3 * HOUR) == pytest.approx(1.0)


def test_what_came_once_is_not_usual_and_what_comes_again_and_again_is() -> None:
    tops = Tops()
    hours(tops, 0, 16 * 24, 1.0)
    hours(tops, 16 * 24, 17 * 24, 100.0)
    assert tops.usual(START + 17 * DAY + 12 * HOUR) < 35
    hours(tops, 17 * 24, 24 * 24, 100.0)
    assert tops.usual(START + 24 * DAY + 12 * HOUR) > 85


def test_a_silence_is_told_once_and_a_usual_one_never() -> None:
    silence = Silence()
    told = [silence.add(10.0, START + n * 300) for n in range(20)]
    assert [number for number, strange in enumerate(told) if strange] == [2]
    for day in range(1, 5):
        silence.end()
        [silence.add(10.0, START + day * DAY + n * 300) for n in range(20)]
    silence.end()
    assert not any(silence.add(10.0, START + 5 * DAY + n * 300) for n in range(20))


@pytest.mark.parametrize("made", [Peaks(), Tops(), Silence()])
def test_what_is_kept_is_checked(made: Peaks | Tops | Silence) -> None:
    assert type(made).load(made.dump()).dump() == made.dump()
    with pytest.raises((TypeError, ValueError)):
        type(made).load([[1.0], 2, 3] if not isinstance(made, Tops) else [[1.0], 2])
