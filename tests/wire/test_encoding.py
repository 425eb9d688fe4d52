from __future__ import annotations

import gzip

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.errors import BodyError
from akto_proxy.wire.encoding import UndecodableError, decode


@given(st.binary(max_size=200), st.integers(1, 199))
def test_damaged_data_never_raises_anything_else(data: bytes, cut: int) -> None:
    for name in (b"gzip", b"deflate", b"br", b"zstd", b"gzip, zstd"):
        for given_data in (data, gzip.compress(data)[:cut]):
            try:
                decode(given_data, name, 1000)
            except (UndecodableError, BodyError):
                continue


def test_identity_is_no_encoding() -> None:
    assert decode(b"abc", b"identity", 10) == b"abc"
    assert decode(b"abc", b" , identity", 10) == b"abc"


def test_the_bound_is_exact() -> None:
    for name, coder in ((b"gzip", gzip.compress), (b"zstd", zstandard.ZstdCompressor().compress)):
        assert decode(coder(b"a" * 100), name, 100) == b"a" * 100
        with pytest.raises(BodyError):
            decode(coder(b"a" * 101), name, 100)


def test_several_zstd_frames() -> None:
    compress = zstandard.ZstdCompressor().compress
    assert decode(compress(b"a") + compress(b"b"), b"zstd", 10) == b"ab"
