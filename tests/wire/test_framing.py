from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.wire.framing import TEXT, Framing, Lines, ServerSent

PIECES = st.lists(
    st.sampled_from([b"data:", b" ", b"x", b"\n", b"\r", b"\r\n", b":", b"\n\n", b"event: a", b"id", b"\xef\xbb\xbf"]),
    max_size=12,
).map(b"".join)  # fmt: skip


def split(framing: Framing, data: bytes) -> list[bytes]:
    raws = []
    while (end := framing.find(data, 0)) >= 0:
        raws.append(data[:end])
        data = data[end:]
    while data:
        end = framing.find_last(data)
        raws.append(data[:end])
        data = data[end:]
    return raws


@pytest.mark.parametrize("framing", [ServerSent(), Lines()])
@given(PIECES)
def test_nothing_is_lost_and_a_rewrite_of_nothing_is_nothing(framing: Framing, data: bytes) -> None:
    raws = split(framing, data)
    assert b"".join(raws) == data
    for raw in raws:
        framing.open(raw)
        assert raw
    if isinstance(framing, ServerSent):
        assert all(framing.write(raw, {}) == raw for raw in raws)


@pytest.mark.parametrize(
    ("raw", "payload"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"data:{}\n\n", b"{}"),
        (b"data:  {}\n\n", b" {}"),
        (b"data: {}\r\n\r\n", b"{}"),
        (b"data: {}\r\r", b"{}"),
        (b"\xef\xbb\xbfdata: {}\n\n", b"{}"),
        (b"event: message\ndata: a\ndata\ndata: b\n\n", b"a\n\nb"),
        (b"data: {}", b"{}"),
        (b"data: a\rdata: b\r\n\n", b"a\nb"),
        (b": hi\n\n", None),
        (b"\n\n", None),
    ],
)
def test_payloads(raw: bytes, payload: bytes | None) -> None:
    assert ServerSent().open(raw)[0] == payload


def test_comments_and_odd_fields_are_texts() -> None:
    raw = b": my ssn\nevent: secret\nid: jane@x.com\nretry: 5\nnonsense: here\nalone\ndata: {}\n\n"
    payload, notes = ServerSent().open(raw)
    assert payload == b"{}"
    assert [note[:2] for note in notes] == [
        ("my ssn", "/comment"), ("secret", "/event"), ("jane@x.com", "/id"),
        ("nonsense: here", "/comment"), ("alone", "/comment"),
    ]  # fmt: skip
    edits = {note.spot: "[X]\n" for note in notes}
    assert ServerSent().write(raw, edits) == (b": [X] \nevent: [X] \nid: [X] \nretry: 5\n[X] \n[X] \ndata: {}\n\n")


def test_known_names_of_events_are_no_text() -> None:
    assert ServerSent().open(b"event: response.completed\nid: 7\ndata: {}\n\n")[1] == []


def test_text_payloads_keep_to_data_lines() -> None:
    assert ServerSent().write(b"data: a\r\n\r\n", {TEXT: "x\ny"}) == b"data: x\r\ndata: y\r\n\r\n"
    assert ServerSent().write(b"data:a\ndata:b\n\n", {TEXT: "x"}) == b"data:x\ndata:\n\n"
    assert Lines().write(b" text \n", {TEXT: "x\ny"}) == b" x y \n"


def test_json_over_several_data_lines_keeps_them() -> None:
    raw = b'event: a\ndata: {"text":\ndata: "b"}\n\n'
    assert ServerSent().write(raw, {1: "c"}) == b'event: a\ndata: {"text":\ndata: "c"}\n\n'


def test_a_carriage_return_at_the_end_waits() -> None:
    framing = ServerSent()
    assert framing.find(b"data: x\r\n\r", 0) == -1
    assert framing.find(b"data: x\r\n\r\n", 0) == 11
    assert framing.find(b"data: x\r\ndata: y", 0) == -1
    assert framing.find(b"data: x\r\rd", 0) == 9
