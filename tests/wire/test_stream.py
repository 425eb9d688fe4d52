from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.errors import BodyError
from akto_proxy.model import Usage
from akto_proxy.wire.route import resolve
from akto_proxy.wire.stream import Event, StreamReader

Make = Callable[..., list[Event]]
ROUTE = resolve("POST", "/v1/chat/completions")


def seen(events: list[Event]) -> list[Any]:
    return [
        (event.raw, event.kind, event.done, event.finish_reason,
         [(slot.text, slot.place, slot.lane, slot.cumulative, slot.new) for slot in event.slots])
        for event in events
    ]  # fmt: skip


def feed(pieces: list[bytes], content_type: bytes = b"text/event-stream") -> list[Event]:
    reader = StreamReader(ROUTE, content_type)
    return [event for piece in pieces for event in reader.feed(piece)] + reader.finish()


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    marks = [0, *sorted(mark % (len(data) + 1) for mark in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(marks)]


def joined(events: list[Event]) -> dict[str, str]:
    lanes: dict[str, str] = {}
    for event in events:
        for slot in event.slots:
            if slot.lane:
                lanes[slot.lane] = lanes.get(slot.lane, "") + slot.new
    return lanes


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, 10_000), max_size=20))
def test_cuts_do_not_matter(stream_file: Path, cuts: list[int]) -> None:
    data = stream_file.read_bytes()
    whole = feed([data])
    assert b"".join(event.raw for event in whole) == data
    assert all(event.write({}) is event.raw for event in whole)
    assert seen(feed(cut(data, cuts))) == seen(whole)


def test_a_byte_at_a_time(stream_file: Path) -> None:
    data = stream_file.read_bytes()
    assert seen(feed([data[at : at + 1] for at in range(len(data))])) == seen(feed([data]))


def test_every_slot_reads_as_written(stream_file: Path) -> None:
    for event in feed([stream_file.read_bytes()]):
        for at, slot in enumerate(event.slots):
            new = "new \u2028 text"
            again = feed([event.write({at: new})])
            assert len(again) == 1
            assert new in [other.text for other in again[0].slots]
            assert "\u2028".encode() not in event.write({at: new}) or slot.place in ("/comment", "/data")


def test_moulds_read_as_the_parser_does(stream_file: Path) -> None:
    data = stream_file.read_bytes()
    alone = [event for whole in feed([data]) for event in feed([whole.raw])]
    assert [entry[4] for entry in seen(alone)] == [entry[4] for entry in seen(feed([data]))]


CHUNK = b'data: {"created":%d,"choices":[{"index":0,"delta":{"content":%s}}]}\n\n'


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(-5, 99), st.text(max_size=6), st.booleans()), max_size=12))
def test_a_mould_never_changes_what_is_read(chunks: list[tuple[int, str, bool]]) -> None:
    raws = [
        CHUNK % (number, json.dumps(text, ensure_ascii=plain).encode("utf-8", "surrogatepass"))
        for number, text, plain in chunks
    ]
    together = feed([b"".join(raws)])
    assert seen(together) == [entry for raw in raws for entry in seen(feed([raw]))]


@pytest.mark.parametrize(
    "odd",
    [
        b'data: {"created":01,"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n',
        b'data: {"created":1,"choices":[{"index":0,"delta":{"content":"x","y":"z"}}]}\n\n',
        b'data: {"created":1,"choices":[{"index":0,"delta":{"content":"\xff"}}]}\n\n',
        b'data: {"created":1,"choices":[{"index":0,"delta":{"content":"a\\"}}]}\n\n',
        b'data: {"created":1,"choices":[{"index":1,"delta":{"content":"x"}}]}\n\n',
        b'data: {"created":1,"a":"\\"created\\":1","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n',
    ],
)
def test_what_only_looks_like_the_last_event_is_parsed(odd: bytes) -> None:
    first = CHUNK % (1, b'"hello"')
    assert seen(feed([first + first + odd]))[2:] == seen(feed([odd]))


def test_a_text_that_equals_a_name_makes_no_mould_of_the_name() -> None:
    first = b'data: {"token":{"text":"\\u0074oken"}}\n\n'
    other = b'data: {"secret":{"text":"\\u0074oken"}}\n\n'
    assert seen(feed([first + other]))[1:] == seen(feed([other]))


def test_the_mould_is_used() -> None:
    reader = StreamReader(ROUTE)
    events = [event for number in range(5) for event in reader.feed(CHUNK % (number, b'"hello"'))]
    assert [event.tree is None for event in events] == [False, True, True, True, True]
    assert [slot.text for event in events for slot in event.slots] == ["hello"] * 5
    assert events[4].write({0: "x"}) == CHUNK % (4, b'"x"')
    reader.trust("hello")
    assert reader.feed(CHUNK % (6, b'"hello"'))[0].tree is not None


def test_cumulative_text_gives_what_is_new(events: Make) -> None:
    data = b"".join(
        b'data: {"text":%s,"meta_info":{"id":"%032d"},"output_ids":[1,2]}\n\n' % (json.dumps(text).encode(), 0)
        for text in ("ja", "jane@x", "jane@x.com")
    )
    found = events(data, path="/generate")
    assert [(slot.text, slot.new, slot.cumulative) for event in found for slot in event.slots] == [
        ("ja", "ja", True), ("jane@x", "ne@x", True), ("jane@x.com", ".com", True),
    ]  # fmt: skip
    assert json.loads(found[2].write({0: "[X]"})[6:]) == {
        "text": "[X]",
        "meta_info": {"id": "0" * 32},
        "output_ids": [],
    }
    pieces = events(data.replace(b"jane@x", b"ne@x"), path="/generate")
    assert pieces[1].slots[0].cumulative is False


def test_a_payload_that_is_no_json_is_text(events: Make) -> None:
    found = events(b'data: my ssn\n\ndata: {"error": "jane "said""}\n\n')
    assert [(event.kind, event.slots[0].text) for event in found] == [
        ("text", "my ssn"),
        ("text", '{"error": "jane "said""}'),
    ]
    assert joined(found) == {"/data": 'my ssn{"error": "jane "said""}'}
    assert found[0].write({0: "[X]"}) == b"data: [X]\n\n"


def test_done_and_errors_and_comments(events: Make) -> None:
    data = b': ping\n\ndata: {"error":{"message":"m"}}\n\ndata: [DONE]\n\n'
    found = events(data)
    assert [(event.kind, event.done) for event in found] == [("other", False), ("error", False), ("done", True)]
    assert [[slot.text for slot in event.slots] for event in found] == [["ping"], ["m"], []]
    for last in (b'{"type":"response.completed"}', b'{"type":"message_stop"}', b'{"content":"","stop":true}'):
        assert events(b"data: " + last + b"\n\n")[0].done


def test_ndjson(events: Make) -> None:
    data = b'{"message":{"content":"a"},"done":false}\n\n{"message":{"content":"b"},"done":true,"eval_count":2}'
    found = events(data, b"application/x-ndjson")
    assert b"".join(event.raw for event in found) == data
    assert joined(found) == {"/message/content": "ab"}
    assert (found[-1].done, found[-1].usage) == (True, Usage(0, 2))
    assert found[0].write({0: "x"}) == b'{"message":{"content":"x"},"done":false}\n'


def test_an_unfinished_last_event_is_read(events: Make) -> None:
    for end in (b"", b"\n", b"\r\n", b"\r"):
        found = events(b'data: {"token":{"text":"jane"}}' + end)
        assert [slot.text for event in found for slot in event.slots] == ["jane"]
        assert b"".join(event.raw for event in found).endswith(end)


def test_double_keys_in_an_event_are_both_read(events: Make) -> None:
    found = events(b'data: {"generated_text":"one","generated_text":"two"}\n\n')
    assert [slot.text for slot in found[0].slots] == ["one", "two"]


def test_double_keys_around_running_text_end_the_stream(events: Make) -> None:
    with pytest.raises(BodyError) as caught:
        events(b'data: {"choices":[{"index":0,"delta":{"content":"a","content":"b"}}]}\n\n')
    assert caught.value.reason == "duplicate_key"


def test_a_byte_order_mark_is_for_the_beginning(events: Make) -> None:
    assert len(events(b"\xef\xbb\xbfdata: {}\n\n")) == 1
    with pytest.raises(BodyError) as caught:
        events(b"data: {}\n\n\xef\xbb\xbfdata: {}\n\n")
    assert caught.value.reason == "framing"


@pytest.mark.parametrize(
    "payload", [b'{"card":4111111111111111}', b'{"choices":[{"delta":{"content":4111111111111111}}]}']
)
def test_a_long_number_in_an_event_is_text(payload: bytes, events: Make) -> None:
    event = events(b"data: " + payload + b"\n\n")[0]
    at = [slot.text for slot in event.slots].index("4111111111111111")
    assert event.write({at: "[CARD]"}) == event.raw.replace(b"4111111111111111", b'"[CARD]"')


def test_finish_reason_usage_and_choices() -> None:
    reader = StreamReader(ROUTE)
    events = reader.feed(
        b'data: {"choices":[{"index":3,"delta":{},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
    )
    assert (events[0].finish_reason, events[0].usage, reader.choices) == ("stop", Usage(1, 2), {3})
    assert reader.events == 1


def test_an_event_without_end_is_refused() -> None:
    reader = StreamReader(ROUTE, max_event=100)
    reader.feed(b"data: " + b"x" * 90)
    assert reader.pending == 96
    with pytest.raises(BodyError) as caught:
        reader.feed(b"x" * 10)
    assert (caught.value.reason, caught.value.status) == ("event_size", 502)


def test_a_slot_does_not_show_its_text(events: Make) -> None:
    assert "jane" not in repr(events(b'data: {"token":{"text":"jane"}}\n\n')[0].slots)


def test_a_large_event_in_small_pieces_is_joined_once() -> None:
    event = b'data: {"token":{"text":"' + b"x" * 200_000 + b'"}}\n\n'
    reader = StreamReader(ROUTE)
    found = [each for at in range(0, len(event), 10) for each in reader.feed(event[at : at + 10])]
    assert [each.raw for each in found] == [event]
    assert reader.pending == 0


def test_pieces_without_a_line_end_are_counted_and_finished() -> None:
    reader = StreamReader(ROUTE, max_event=30)
    assert reader.feed(b"data: ") == reader.feed(b"jane") == []
    assert reader.pending == 10
    assert [slot.text for event in reader.finish() for slot in event.slots] == ["jane"]
    reader.feed(b"data: ")
    for _ in range(24):
        reader.feed(b"x")
    with pytest.raises(BodyError):
        reader.feed(b"x")


def test_an_event_that_is_no_object_or_has_no_index(events: Make) -> None:
    assert [slot.text for slot in events(b'data: ["a",{"text":"b"}]\n\n')[0].slots] == ["a", "b"]
    assert [slot.text for slot in events(b'data: {"choices":["a",{"text":"b"}]}\n\n')[0].slots] == ["a", "b"]
