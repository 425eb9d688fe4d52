"""Streams through the whole guard path: whatever the cutting, the caller reads what the whole text became."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.errors import UpstreamError
from akto_proxy.model import Action

KEY = "AKIAQ3EGR7ZL5XWVT2MH"
MAIL = "jane.roe@corp-mail.com"
TEXT = f"Grüße 日本 one {KEY} two {MAIL}, three 4539 1488 0343 6467. End"

BLOCKING = """
version: 1
policies:
  - name: no-keys
    severity: high
    rules:
      - detect: [secrets]
        action: block
"""


def chunk(text: str, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "delta": {"content": text}, "finish_reason": None, **more}
    tree = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(tree, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def payloads(out: bytes) -> list[Any]:
    lines = [line[5:].strip() for line in out.decode().split("\n") if line.startswith("data:")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def said(out: bytes, index: int = 0) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for tree in payloads(out)
        for choice in tree.get("choices", ())
        if choice["index"] == index
    )


def pieces(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in itertools.pairwise(places)]


def whole(path: Any, text: str) -> str:
    _, (_, body) = path.answer({"choices": [{"message": {"content": text}}]})
    return json.loads(body)["choices"][0]["message"]["content"]


def finish(exchange: Any) -> Any:
    return exchange.trace(status=200, client_gone=False, first_byte=1, upstream_first=1, total=2)


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=30), bites=st.lists(st.integers(1, 90), min_size=1, max_size=30))
def test_a_stream_says_what_the_whole_answer_says(path: Any, cuts: list[int], bites: list[int]):
    """Cut the text into events anywhere, and the bytes of the events anywhere again."""
    data = b"".join(chunk(piece) for piece in pieces(TEXT, cuts)) + DONE
    cut: list[bytes] = []
    while data:
        size = bites[len(cut) % len(bites)]
        cut.append(data[:size])
        data = data[size:]
    exchange, out = path.stream(cut)
    assert said(out) == whole(path, TEXT)
    assert KEY not in out.decode()
    assert out.endswith(DONE)
    assert KEY not in repr(finish(exchange))


@settings(max_examples=60, deadline=None)
@given(words=st.lists(st.text("abc dé\n日", max_size=6), max_size=20), style=st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_clean_events_pass_byte_for_byte(path: Any, words: list[str], style: str):
    data = [chunk(word).replace(b"\n\n", style.encode()) for word in words] + [b": ping" + style.encode(), DONE]
    assert path.stream(data)[1] == b"".join(data)


def test_as_many_events_come_out_as_went_in(path: Any):
    events = [chunk(piece) for piece in pieces(TEXT, list(range(0, 200, 3)))]
    out = path.stream([*events, DONE])[1]
    assert out.count(b"data: ") == len(events) + 1


def test_choices_are_lanes_of_their_own(path: Any):
    half, rest = KEY[:9], KEY[9:]
    out = path.stream([chunk(half, 0), chunk("hello ", 1), chunk(rest, 0), chunk("world ", 1), DONE])[1]
    assert (said(out, 0), said(out, 1)) == ("<SECRET>", "hello world ")
    assert KEY not in said(out, 0) + said(out, 1)


def test_the_repeated_text_of_a_last_tgi_event_is_redacted_too(path: Any):
    def event(text: str, whole: str | None = None) -> bytes:
        return f"data:{json.dumps({'token': {'id': 1, 'text': text}, 'generated_text': whole})}\n\n".encode()

    events = [event("a "), event(KEY[:5]), event(KEY[5:]), event(".", f"a {KEY}.")]
    exchange, _ = path.send({"inputs": "x"}, "/generate_stream")
    exchange.head(200, [(b"Content-Type", b"text/event-stream")])
    out = b"".join(exchange.chunk(one) for one in events) + exchange.end()
    assert KEY.encode() not in out
    assert KEY[5:].encode() not in out
    assert payloads(out)[-1]["generated_text"] == "a <SECRET>."


def test_cumulative_streams_repeat_what_was_redacted(path: Any):
    texts = ["a ", f"a {KEY[:8]}", f"a {KEY}", f"a {KEY} b", f"a {KEY} b c"]
    events = [f"data: {json.dumps({'text': text, 'meta_info': {'id': 'x'}})}\n\n".encode() for text in texts]
    exchange, _ = path.send({"text": "x", "stream": True}, "/generate")
    exchange.head(200, [(b"Content-Type", b"text/event-stream")])
    out = b"".join(exchange.chunk(event) for event in [*events, DONE]) + exchange.end()
    assert KEY[:8].encode() not in out
    assert payloads(out)[-1]["text"] == "a <SECRET> b c"


def test_tool_call_arguments_are_redacted_across_deltas(path: Any):
    def call(arguments: str) -> bytes:
        return chunk("", delta={"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]})

    out = path.stream([call('{"to": "x'), call(f'", "key": "{KEY[:7]}'), call(f'{KEY[7:]}"}}'), DONE])[1]
    joined = "".join(tree["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for tree in payloads(out))
    assert json.loads(joined) == {"to": "x", "key": "<SECRET>"}


def test_a_block_ends_the_stream_with_a_notice_and_nothing_of_the_match(make_path: Any):
    exchange, out = make_path(BLOCKING).stream(
        [chunk("fine "), chunk(KEY[:6]), chunk(KEY[6:] + " x"), chunk("more"), DONE]
    )
    assert exchange.cut
    assert said(out).startswith("fine ")
    assert KEY[:6] not in out.decode()
    assert payloads(out)[-1]["choices"][0]["finish_reason"] == "content_filter"
    assert out.endswith(DONE)
    trace = finish(exchange)
    assert (trace.outcome, trace.verdict) == ("blocked", Action.BLOCK)
    assert KEY not in repr(trace)


def test_an_upstream_that_fails_in_the_middle_is_told_in_the_stream(path: Any):
    exchange, out = path.stream([chunk("hello ")])
    exchange, _ = path.send({"stream": True, "messages": []})
    exchange.head(200, [(b"Content-Type", b"text/event-stream")])
    exchange.chunk(chunk("hello "))
    tail = exchange.abort(UpstreamError("reset", reason="reset"))
    assert b"error" in tail
    assert finish(exchange).outcome == "upstream_error"
    assert out


def test_an_event_too_large_to_read_ends_the_stream(path: Any):
    exchange, out = path.stream([b"data: " + b"x" * (1 << 20), b"x" * 4096])
    assert exchange.cut
    assert b"xxxx" not in out


def test_a_stream_without_an_ending_gives_up_what_it_held(path: Any):
    assert said(path.stream([chunk("name "), chunk("jane")])[1]) == "name jane"


def test_the_trace_keeps_the_text_assembled_and_masked(path: Any):
    exchange, _ = path.stream([chunk("a "), chunk(KEY[:4]), chunk(KEY[4:]), chunk(" b"), DONE])
    body = json.loads(finish(exchange).response.body)
    assert body["choices"][0]["message"]["content"] == "a <SECRET> b"


@pytest.mark.parametrize("size", [10, 100_000])
def test_what_is_kept_is_bounded(make_path: Any, size: int):
    exchange, _ = make_path(keep=1000).stream([chunk("word " * (size // 5)), DONE])
    trace = finish(exchange)
    assert len(trace.response.body) < 2500
    assert trace.response.truncated is (size > 1000)
