import json

import pytest

from akto_proxy.demo.shapes import reply


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/", {"inputs": "hi"}, lambda tree: tree[0]["generated_text"]),
        ("/generate", {"inputs": "hi"}, lambda tree: tree["generated_text"]),
        (
            "/v1/chat/completions",
            {"messages": [{"content": "hi"}]},
            lambda tree: tree["choices"][0]["message"]["content"],
        ),
        ("/v1/completions", {"prompt": "hi"}, lambda tree: tree["choices"][0]["text"]),
    ],
)
def test_each_route_answers_in_its_shape(path, body, place):
    assert place(reply("POST", path, json.dumps(body).encode()).tree).endswith("hi")


def test_streams_say_what_whole_answers_say():
    chat = {"messages": [{"content": "some words here"}], "stream": True}
    events = reply("POST", "/v1/chat/completions", json.dumps(chat).encode()).events
    assert events[-1] == b"data: [DONE]\n\n"
    trees = [json.loads(event[6:]) for event in events[:-1]]
    assert "".join(tree["choices"][0]["delta"].get("content", "") for tree in trees).endswith("some words here")
    native = reply("POST", "/generate_stream", b'{"inputs": "some words here"}').events
    trees = [json.loads(event[6:]) for event in native]
    assert "".join(tree["token"]["text"] for tree in trees) == trees[-1]["generated_text"]


@pytest.mark.parametrize("path", ["/health", "/info", "/v1/models", "/"])
def test_it_says_that_it_is_a_demonstration(path):
    assert "demo" in json.dumps(reply("GET", path, b"").tree)


def test_what_it_does_not_know_is_refused():
    assert reply("GET", "/x", b"").status == reply("POST", "/x", b"{}").status == 404
    assert reply("POST", "/", b"{").status == 400
