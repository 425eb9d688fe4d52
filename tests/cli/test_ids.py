import os

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.cli.ids import uuid7


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
    assert len({make() for _ in range(1000)}) == 1000
