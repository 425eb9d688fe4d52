"""The demonstration's routes answer as the servers that they are shaped like."""

import json

import pytest

from akto_proxy.demo.routes import respond


def post(path, **body):
    return respond("POST", path, json.dumps(body).encode())


def events(reply):
    return [json.loads(e[6:]) for e in reply.events if b"[DONE]" not in e]


def test_tgi_shapes():
    assert json.loads(post("/", inputs="hi").body)[0]["generated_text"].endswith("You said: hi")
    assert json.loads(post("/generate", inputs="hi").body)["generated_text"].endswith("You said: hi")
    detailed = json.loads(post("/generate", inputs="hi", parameters={"details": True}).body)
    assert "".join(t["text"] for t in detailed["details"]["tokens"]) == detailed["generated_text"]
    for reply in (post("/generate_stream", inputs="a b"), post("/", inputs="a b", stream=True)):
        seen = events(reply)
        assert "".join(e["token"]["text"] for e in seen) == seen[-1]["generated_text"]
        assert all(e["generated_text"] is None for e in seen[:-1])


def test_openai_shapes():
    ask = {"model": "m", "messages": [{"role": "user", "content": "a b"}]}
    whole = json.loads(post("/v1/chat/completions", **ask).body)
    reply = post("/v1/chat/completions", **ask, stream=True, stream_options={"include_usage": True})
    assert reply.events[-1] == b"data: [DONE]\n\n"
    seen = events(reply)
    text = "".join(c["delta"].get("content", "") for e in seen for c in e["choices"])
    assert text == whole["choices"][0]["message"]["content"]
    assert seen[-1]["usage"] == whole["usage"]
    assert seen[-2]["choices"][0]["finish_reason"] == "stop"
    plain = json.loads(post("/v1/completions", prompt="a b").body)["choices"][0]["text"]
    streamed = events(post("/v1/completions", prompt="a b", stream=True))
    assert "".join(e["choices"][0]["text"] for e in streamed) == plain
    assert len(json.loads(post("/v1/embeddings", input=["a", "b"]).body)["data"]) == 2


@pytest.mark.parametrize("path", ["/", "/health", "/info", "/v1/models", "/ping"])
def test_reading_routes(path):
    assert respond("GET", path, b"").status == 200


def test_what_is_wrong_is_said():
    assert respond("GET", "/nothing", b"").status == 404
    assert respond("DELETE", "/generate", b"").status == 404
    assert respond("POST", "/generate", b"{").status == 422
    assert respond("POST", "/generate", b"[]").status == 422
    assert post("/generate").status == 422
    assert post("/generate_stream").status == 422
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/embeddings"):
        assert post(path).status == 400
