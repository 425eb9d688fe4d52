"""Numbers, times and sizes read the same everywhere."""

from __future__ import annotations

import pytest

from akto_proxy.dashboard import formats


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234, "1,234"), (99999, "99,999"), (123456, "123k"), (1.25e6, "1.2M"), (3e9, "3.0B")]
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.0125, "0.0125"), (1.5, "1.5"), (20.0, "20"), (12_345.6, "12,346"), (2e6, "2.0M")]
)
def test_amounts_keep_their_small_parts(value: float, text: str) -> None:
    assert formats.amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(85, "85 µs"), (4200, "4.2 ms"), (250_000, "250 ms"), (1.3e6, "1.30 s"), (1.2e8, "120 s")]
)
def test_durations_have_the_unit_one_reads(value: float, text: str) -> None:
    assert formats.micros(value) == text


@pytest.mark.parametrize(("value", "text"), [(30, "30 s"), (60, "1 min"), (90, "90 s"), (7200, "2 h"), (172800, "2 d")])
def test_spans_are_in_their_largest_whole_unit(value: float, text: str) -> None:
    assert formats.span(value) == text


def test_shares_tell_rare_from_none() -> None:
    assert [formats.percent(n, 10_000) for n in (0, 1, 40, 5000)] == ["0 %", "<0.1 %", "0.4 %", "50 %"]
    assert formats.percent(1, 0) == "0 %"
    assert formats.change(0, 0) == "none before either"
    assert formats.change(15, 10) == "50 % more than before"


def test_a_broken_clock_takes_no_page_down() -> None:
    for at in (1e300, -1e300, float("nan")):
        assert formats.utc(at).startswith("1970")
    ago = formats.ago(lambda: 1000.0)
    assert [ago(995), ago(940), ago(4600)] == ["now", "1 min ago", "in 1 h"]


def test_lines_stay_in_their_box() -> None:
    points = [tuple(map(float, pair.split(","))) for pair in formats.points([0, 5, 10, 0], 64, 22).split()]
    assert [x for x, _ in points] == [0.0, 21.3, 42.7, 64.0]
    assert all(0 <= y <= 22 for _, y in points)
    assert formats.points([0], 64, 22)


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox 145 on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36", "Chrome 141 on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) Version/18.1 Safari/605.1.15", "Safari 18 on macOS"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("", "unknown"),
    ],
)
def test_a_browser_is_named_in_a_few_words(agent: str, shown: str) -> None:
    assert formats.browser(agent) == shown


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("caller key:ebda63b12b5a5bd9 (ada)", "ada, key ebda63b1"),
        ("caller key:ebda63b12b5a5bd9", "key ebda63b1"),
        ("caller ip:::1", "::1"),
        ("caller user:a (b)", "a (b)"),
        ("proxy edge-1", "proxy edge-1"),
        ("", "this deployment"),
    ],
)
def test_who_an_incident_is_about(subject: str, shown: str) -> None:
    assert formats.whom(subject) == shown


def test_how_often_is_said_from_the_second_time_on() -> None:
    assert [formats.times(n) for n in (0, 1, 2)] == ["", "", ", 2 times"]
