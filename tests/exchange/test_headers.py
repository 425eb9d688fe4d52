from __future__ import annotations

import pytest

from akto_proxy.exchange.headers import header, outward, without

HEADERS = [(b"X-A", b"1"), (b"x-a", b"2"), (b"Content-Type", b"text/plain")]


def test_names_are_asked_in_any_case_and_the_first_value_counts() -> None:
    assert header(HEADERS, b"x-a") == b"1"
    assert header(HEADERS, b"x-b") == b""


def test_what_is_left_keeps_its_order_and_case() -> None:
    assert without(HEADERS, (b"content-type",)) == HEADERS[:2]


@pytest.mark.parametrize(
    ("name", "passes"),
    [(b"X-Proxied-Host", False), (b"X-Akto-Trace-Id", False), (b"server-timing", False), (b"x-request-id", True)],
)
def test_what_names_inner_addresses_or_is_ours_does_not_reach_the_caller(name: bytes, passes: bool) -> None:
    for _ in range(2):  # the second time from memory
        assert outward([(name, b"v")])[0] == ([(name, b"v")] if passes else [])


def test_the_callers_headers_and_what_they_say_of_the_body_are_read_in_one_pass() -> None:
    said = [*HEADERS, (b"CONTENT-TYPE", b"text/html"), (b"Content-Encoding", b"gzip"), (b"X-PROXIED-By", b"10.0.0.1")]
    assert outward(said) == (said[:-1], b"text/plain", b"gzip")


def test_what_is_remembered_is_bounded_and_the_rest_is_read_all_the_same() -> None:
    many = [(b"x-%d" % number, b"") for number in range(2000)]
    assert outward(many)[0] == many
    assert outward([(b"x-proxied-anything", b"10.0.0.1"), (b"coNTent-tYPe", b"a/b")]) == (
        [(b"coNTent-tYPe", b"a/b")],
        b"a/b",
        b"",
    )
