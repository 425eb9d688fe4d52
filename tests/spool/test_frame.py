from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.spool.frame import GENESIS, HEAD, Damage, Frame, Kind, decode, encode, repack

PAYLOADS = st.lists(st.binary(max_size=300), min_size=1, max_size=8)


def written(payloads: list[bytes]) -> list[bytes]:
    frames, chain = [], GENESIS
    for number, payload in enumerate(payloads):
        data, chain = encode(Kind.TRACE, number, chain, payload)
        frames.append(data)
    return frames


@given(PAYLOADS)
def test_what_is_encoded_is_decoded_and_chained(payloads: list[bytes]) -> None:
    frames = written(payloads)
    items = list(decode(b"".join(frames)))
    chain = GENESIS
    for item, payload, data in zip(items, payloads, frames, strict=True):
        assert isinstance(item, Frame)
        assert item.payload == payload
        assert item.digest == sha256(payload).digest()
        chain = sha256(chain + item.digest).digest()
        assert item.chain == chain
        assert repack(item) == data


@given(PAYLOADS, st.data())
def test_a_cut_at_any_place_loses_nothing_before_it(payloads: list[bytes], data: st.DataObject) -> None:
    frames = written(payloads)
    whole = b"".join(frames)
    cut = data.draw(st.integers(0, len(whole)))
    items = list(decode(whole[:cut]))
    sound = [item for item in items if isinstance(item, Frame)]
    ends = [sum(len(frame) for frame in frames[: n + 1]) for n in range(len(frames))]
    assert len(sound) == sum(end <= cut for end in ends)
    rest = [item for item in items if isinstance(item, Damage)]
    assert len(rest) == (0 if cut in (0, *ends) else 1)
    assert all(item.torn for item in rest)


@settings(max_examples=200)
@given(PAYLOADS, st.data())
def test_any_changed_byte_is_found_and_costs_at_most_its_own_record(payloads: list[bytes], data: st.DataObject) -> None:
    frames = written(payloads)
    whole = bytearray(b"".join(frames))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    items = list(decode(bytes(whole)))
    sound = [item.number for item in items if isinstance(item, Frame)]
    ends = [sum(len(frame) for frame in frames[: n + 1]) for n in range(len(frames))]
    hit = next(n for n, end in enumerate(ends) if at < end)
    assert sound == [n for n in range(len(frames)) if n != hit]
    assert sum(item.end - item.start for item in items) == len(whole)


def test_a_record_that_looks_like_a_frame_is_still_only_a_record() -> None:
    inner, _ = encode(Kind.TRACE, 7, GENESIS, b"inside")
    outer, _ = encode(Kind.TRACE, 0, GENESIS, inner + inner)
    (item,) = decode(outer)
    assert isinstance(item, Frame)
    assert item.payload == inner + inner
    assert len(outer) == HEAD + 2 * len(inner)
