from __future__ import annotations

import os
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.errors import ConfigError
from akto_proxy.store.seal import SealError, opener, parse_keys, sealer

OLD, NEW = (b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@given(st.binary(max_size=500))
def test_what_is_sealed_opens_whole_and_never_looks_the_same(data: bytes) -> None:
    seal = sealer(NEW, os.urandom)
    first, second = seal(data), seal(data)
    assert first != second
    assert opener(NEW)(first) == opener(NEW)(second) == data


def test_a_rotated_key_still_opens_what_it_sealed() -> None:
    before = sealer(OLD, os.urandom)(b"text")
    after = sealer(f"{NEW},{OLD}", os.urandom)(b"text")
    both = opener(f"{NEW}, {OLD}")
    assert both(before) == both(after) == b"text"
    assert after.split(".")[1] == next(iter(parse_keys(NEW)))
    with pytest.raises(SealError, match="not among"):
        opener(NEW)(before)


def test_a_changed_text_does_not_open() -> None:
    text = sealer(NEW, os.urandom)(b"text")
    version, key, body = text.split(".")
    for bad in (
        text[:-8],
        f"v2.{key}.{body}",
        f"{version}.{key}.{body[:-4]}AAAA",
        f"{version}.{key}.!",
        "",
        "v1",
        "v1..",
    ):
        with pytest.raises(SealError):
            opener(NEW)(bad)


def test_the_plain_text_is_not_in_the_sealed_one() -> None:
    assert "secret" not in sealer(NEW, os.urandom)(b"secret")


@pytest.mark.parametrize("keys", ["", " , ", "short", b64encode(b"x" * 16).decode(), "####"])
def test_keys_that_cannot_be_used_are_refused_without_being_repeated(keys: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sealer(keys, os.urandom)
    assert not keys.strip(" ,") or keys not in str(caught.value)
