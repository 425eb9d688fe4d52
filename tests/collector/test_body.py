"""A body's encodings: whole, damaged, and bombs."""

import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.collector.body import parse_json, unpack
from akto_proxy.collector.problem import Problem

PACK = {"gzip": gzip.compress, "zstd": zstandard.compress, "identity": bytes, "": bytes, " GZIP ": gzip.compress}


@given(st.binary(max_size=500), st.sampled_from(sorted(PACK)))
def test_for_every_body_and_encoding_what_was_packed_comes_out(data: bytes, encoding: str) -> None:
    assert unpack(PACK[encoding](data), encoding, 1000) == data


@given(st.binary(max_size=300), st.sampled_from(["gzip", "zstd"]))
def test_for_every_damage_there_is_an_answer_and_no_fault(data: bytes, encoding: str) -> None:
    status = 400
    try:
        unpack(data, encoding, 10_000)
    except Problem as problem:
        status = problem.status
    assert status in (400, 413)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_small_bomb_does_not_become_a_large_body(encoding: str) -> None:
    bomb = PACK[encoding](bytes(50_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(Problem) as refused:
        unpack(bomb, encoding, 1_000_000)
    assert refused.value.status == 413


def test_an_encoding_we_do_not_know_is_said() -> None:
    with pytest.raises(Problem) as refused:
        unpack(b"x", "br", 10)
    assert refused.value.status == 415


def test_what_is_no_json_is_named_by_its_place_and_not_repeated() -> None:
    with pytest.raises(Problem, match="line 2") as refused:
        parse_json(b'{"a":\n secret}')
    assert "secret" not in str(refused.value)
