from __future__ import annotations

import pytest

from akto_proxy.exchange.headers import by_name, header, is_internal, without

HEADERS = [(b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Type", b"text/plain")]


def test_names_are_asked_in_any_case_and_the_first_value_counts() -> None:
    assert header(HEADERS, b"x-a") == b"1"
    assert header(HEADERS, b"x-b") == b""
    assert by_name(HEADERS) == {b"x-a": b"1", b"content-type": b"text/plain"}


def test_what_is_left_keeps_its_order_and_case() -> None:
    assert without(HEADERS, (b"content-type",)) == HEADERS[:2]


@pytest.mark.parametrize(
    ("name", "internal"),
    [(b"X-Proxied-Host", True), (b"X-Akto-Trace-Id", True), (b"server-timing", True), (b"x-request-id", False)],
)
def test_what_names_inner_addresses_or_is_ours_is_internal(name: bytes, internal: bool) -> None:
    assert is_internal(name) is internal
    assert is_internal(name) is internal  # from memory


def test_what_is_remembered_is_bounded() -> None:
    assert not any(is_internal(b"x-%d" % number) for number in range(2000))
    assert is_internal(b"x-proxied-anything")
