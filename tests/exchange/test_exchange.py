from typing import Any

import pytest

KEY = "AKIAQ3EGR7ZL5XWVT2MH"
MAIL = "jane.roe@corp-mail.com"
JSON = (b"Content-Type", b"application/json")


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def finish(exchange: Any, status: int = 200) -> Any:
    return exchange.trace(status=status, client_gone=False, first_byte=1, upstream_first=1, total=2)


def test_clean_request_and_answer_pass_byte_for_byte(path: Any):
    body = b'{ "messages":[{"role":"user","content":"Gr\xc3\xbc\xc3\x9fe \\u2028"}],\n "model":"m" }'
    exchange, forward = path.send(body)
    assert forward.body == body
    exchange.head(200, [JSON])
    assert exchange.body(b'{"choices" : [ ]}')[1] == b'{"choices" : [ ]}'
    assert finish(exchange).outcome == "ok"


def test_credentials_are_in_no_trace(path: Any):
    headers = [JSON, (b"Authorization", b"Bearer hf_canary"), (b"Cookie", b"canary"), (b"x-custom", b"canary")]
    exchange, forward = path.send(chat("hi"), headers=headers)
    assert (b"Authorization", b"Bearer hf_canary") in forward.headers
    assert "canary" not in repr(finish(exchange))


def test_metadata_capture_keeps_no_text(make_path: Any):
    exchange, _ = make_path(capture="metadata").send(chat("a quiet sentence"))
    assert "quiet" not in repr(finish(exchange))


@pytest.mark.parametrize(
    "event",
    [
        '{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"name":"get_weather","arguments":""}}]}}]}',
        '{"type":"response.output_item.added","item":{"type":"function_call","name":"get_weather","arguments":""}}',
        '{"type":"content_block_start","content_block":{"type":"tool_use","name":"get_weather","input":{}}}',
    ],
)
def test_a_trace_names_the_tools_that_a_streamed_answer_called(path: Any, event: str):
    exchange, _ = path.send(chat("what is the weather?", stream=True))
    exchange.head(200, [(b"content-type", b"text/event-stream")])
    exchange.chunk(f"data: {event}\n\n".encode())
    exchange.end()
    assert ("tool", "get_weather") in finish(exchange).tags
