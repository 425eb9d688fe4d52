import re
import time

from akto_proxy.proxy.profiler import Profiler, profiled


def busy(seconds: float, secret: str) -> int:
    until, turns = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        turns += len(secret)
    return turns


def test_it_says_where_the_time_went_and_nothing_of_what_was_there():
    profiler = Profiler(0.002)
    busy(0.4, "canary-value")
    profiler.stop()
    lines = profiler.folded().decode().splitlines()
    seen = [line for line in lines if re.search(r"\.busy:\d+ \d+$", line)]
    assert seen
    assert seen[0].index("test_it_says") < seen[0].index(".busy:")
    assert "canary" not in "".join(lines)


def test_it_is_a_page_beside_the_others():
    profiler = Profiler(10)
    pages = profiled(lambda method, target: (200, b"text/plain", b"other") if target == b"/other" else None, profiler)
    profiler.stop()
    assert pages(b"GET", b"/debug/profile?x=1") == (200, b"text/plain; charset=utf-8", b"")
    assert pages(b"GET", b"/other") == (200, b"text/plain", b"other")
    assert pages(b"GET", b"/none") is None
