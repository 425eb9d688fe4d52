import os

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.cli.ids import AT_ONCE, uuid7


@given(st.integers(0, 2**48 - 2), st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_time_and_have_the_form_of_version_7(now: int, first: bytes, second: bytes):
    times = iter((now, now + 1))
    noise = iter((first, second))
    make = uuid7(lambda: next(times), lambda _: next(noise))
    one, two = make(), make()
    assert one < two
    assert len(one) == 32
    assert (one[12], one[16] in "89ab") == ("7", True)


def test_ids_differ_within_a_millisecond():
    make = uuid7(lambda: 1, os.urandom)
    assert len({make() for _ in range(10 * AT_ONCE)}) == 10 * AT_ONCE


def test_random_bytes_are_fetched_for_many_ids_at_once_and_none_is_used_twice():
    asked: list[int] = []

    def counted(size: int) -> bytes:
        asked.append(size)
        return os.urandom(size)

    make = uuid7(lambda: 1, counted)
    ids = [make() for _ in range(AT_ONCE)]
    assert asked == [10 * AT_ONCE]
    assert len({one[13:] for one in ids}) == AT_ONCE
    make()
    assert len(asked) == 2
