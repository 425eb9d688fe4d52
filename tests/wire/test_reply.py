from __future__ import annotations

import json
from typing import Any

import pytest

from akto_proxy.wire.reply import block_tail, error_body, error_kind, error_tail, keepalive, shape
from akto_proxy.wire.route import resolve
from akto_proxy.wire.stream import StreamReader

MESSAGE = "Blocked by policy p1 (rule r, trace t) \u2028"
FORMS = ["openai", "tgi", "tei", "toolkit", "anthropic", "ollama", "generic"]


def reader(path: str, sent: bytes = b"", content_type: bytes = b"text/event-stream") -> StreamReader:
    made = StreamReader(resolve("POST", path), content_type)
    made.feed(sent)
    return made


def payloads(data: bytes) -> list[Any]:
    lines = [line[6:] for line in data.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line) if line != b"[DONE]" else "[DONE]" for line in lines]


def test_the_combined_form() -> None:
    kind, body = error_body("openai", 400, "m", "content_filter", "policy_violation")
    assert kind == b"application/json"
    assert json.loads(body) == {
        "error": {"message": "m", "type": "policy_violation", "param": None, "code": "content_filter"},
        "error_type": "validation",
        "message": "m",
    }


@pytest.mark.parametrize("form", FORMS)
def test_every_form_shows_the_message_and_is_never_resent(form: str) -> None:
    message = "The following `model_kwargs` are not used by the model: ['x']"
    body = error_body(form, 400, message, "content_filter", "policy_violation")[1]
    assert b"model_kwargs" not in body
    assert b"are not used" in body


def test_native_forms() -> None:
    assert json.loads(error_body("tgi", 400, "m", "c", "t")[1]) == {"error": "m", "error_type": "validation"}
    assert json.loads(error_body("tgi", 429, "m", "c", "t")[1])["error_type"] == "overloaded"
    assert json.loads(error_body("tgi", 502, "m", "c", "t")[1])["error_type"] == "generation"
    assert json.loads(error_body("tei", 413, "m", "c", "t")[1])["error_type"] == "Validation"
    assert json.loads(error_body("toolkit", 400, "m", "c", "t")[1]) == {"error": "m"}
    assert json.loads(error_body("anthropic", 413, "m", "c", "t")[1])["error"]["type"] == "request_too_large"
    assert json.loads(error_body("anthropic", 500, "m", "c", "t")[1])["error"]["type"] == "api_error"


CHAT = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m",'
    b'"choices":[{"index":%d,"delta":{"content":"a"}}]}\n\n'
)


def test_a_blocked_chat_ends_every_choice() -> None:
    chunk, done = payloads(block_tail(reader("/v1/chat/completions", CHAT % 0 + CHAT % 1), MESSAGE))
    assert done == "[DONE]"
    assert (chunk["id"], chunk["created"], chunk["model"]) == ("chatcmpl-1", 5, "m")
    assert [(choice["index"], choice["delta"], choice["finish_reason"]) for choice in chunk["choices"]] == [
        (0, {"content": MESSAGE}, "content_filter"), (1, {"content": MESSAGE}, "content_filter"),
    ]  # fmt: skip


def test_a_blocked_completion_and_a_block_before_the_first_event() -> None:
    chunk = payloads(block_tail(reader("/v1/completions"), MESSAGE))[0]
    assert (chunk["object"], chunk["choices"][0]["text"]) == ("text_completion", MESSAGE)
    assert payloads(block_tail(reader("/v1/chat/completions"), MESSAGE))[0]["choices"][0]["index"] == 0


def test_a_blocked_tgi_stream_ends_in_its_own_error() -> None:
    assert payloads(block_tail(reader("/generate_stream"), MESSAGE)) == [{"error": MESSAGE, "error_type": "validation"}]


def test_a_blocked_responses_stream() -> None:
    sent = (
        b'data: {"type":"response.created","response":{"id":"resp_9","model":"m"}}\n\n'
        b'data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1",'
        b'"output_index":0,"content_index":0,"delta":"a"}\n\n'
    )
    out = block_tail(reader("/v1/responses", sent), MESSAGE)
    delta, end = payloads(out)
    assert (delta["type"], delta["item_id"], delta["delta"], delta["sequence_number"]) == (
        "response.output_text.delta", "msg_1", MESSAGE, 5,
    )  # fmt: skip
    assert (end["type"], end["sequence_number"]) == ("response.incomplete", 6)
    assert end["response"]["incomplete_details"] == {"reason": "content_filter"}
    assert end["response"]["output"][0]["content"][0]["text"] == MESSAGE
    assert b"event: response.incomplete\n" in out


def test_a_blocked_anthropic_stream() -> None:
    sent = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}\n\n'
    frames = payloads(block_tail(reader("/v1/messages", sent), MESSAGE))
    assert [frame["type"] for frame in frames] == [
        "content_block_stop", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop",
    ]  # fmt: skip
    assert frames[2]["delta"]["text"] == MESSAGE
    assert [frame.get("index") for frame in frames[:4]] == [0, 1, 1, 1]


def test_blocked_ndjson_streams() -> None:
    sent = b'{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"content":"a"},"done":false}\n'
    chat = reader("/api/chat", sent, b"application/x-ndjson")
    end = json.loads(block_tail(chat, MESSAGE))
    assert (end["model"], end["message"]["content"], end["done"]) == ("m", MESSAGE, True)
    generate = reader("/api/generate", b"", b"application/x-ndjson")
    assert json.loads(block_tail(generate, MESSAGE))["response"] == MESSAGE
    assert json.loads(error_tail(chat, "m")) == {"error": "m"}
    assert keepalive(chat) == b""


def test_other_engines_are_told_by_their_events() -> None:
    sglang = reader("/generate", b'data: {"text":"a","meta_info":{}}\n\n')
    assert shape(sglang) == "sglang"
    assert payloads(block_tail(sglang, MESSAGE))[-1] == "[DONE]"
    llamacpp = reader("/completion", b'data: {"content":"a","stop":false}\n\n')
    assert payloads(block_tail(llamacpp, MESSAGE))[0]["stop"] is True
    assert shape(reader("/", CHAT % 0)) == "chat"
    assert shape(reader("/", b'data: {"token":{"text":"a"}}\n\n')) == "tgi"


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("/v1/chat/completions", "error"),
        ("/generate_stream", "error"),
        ("/v1/responses", "response"),
        ("/v1/messages", "error"),
    ],
)
def test_a_failed_stream_is_never_taken_for_complete(path: str, first: str) -> None:
    out = error_tail(reader(path), "upstream failed")
    assert first in payloads(out)[0]
    assert b"upstream failed" in out
    assert b"finish_reason" not in out


def test_tails_and_keepalives_are_ascii_events() -> None:
    for path in ("/v1/chat/completions", "/generate_stream", "/v1/responses", "/v1/messages", "/completion"):
        out = block_tail(reader(path), MESSAGE)
        assert out.isascii()
        assert out.endswith(b"\n\n")
    assert keepalive(reader("/generate_stream")) == b":\n\n"


def test_the_openai_library_reads_our_endings() -> None:
    chat = pytest.importorskip("openai.types.chat")
    responses = pytest.importorskip("openai.types.responses")
    chat.ChatCompletionChunk.model_validate(payloads(block_tail(reader("/v1/chat/completions"), MESSAGE))[0])
    blocked = payloads(block_tail(reader("/v1/responses"), MESSAGE))[-1]
    responses.ResponseIncompleteEvent.model_validate(blocked)
    responses.ResponseFailedEvent.model_validate(payloads(error_tail(reader("/v1/responses"), "m", "server_error"))[-1])


def test_an_event_of_the_caller_is_continued() -> None:
    made = reader("/v1/chat/completions")
    event = made.feed(CHAT % 2)[0]
    made.feed(b'data: {"error":"x"}\n\n')
    assert payloads(block_tail(made, MESSAGE, event))[0]["id"] == "chatcmpl-1"
    assert shape(reader("/v1/responses", b'data: {"type":"error","message":"x"}\n\n')) == "responses"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
        (502, "api_error"),
    ],
)
def test_the_class_of_an_error_is_that_of_its_status(status, kind):
    assert error_kind(status) == kind
    _, body = error_body("anthropic", status, "no", "code", kind)
    assert json.loads(body)["error"]["type"] == kind
