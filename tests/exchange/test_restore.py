import json
import re
from typing import Any

import pytest

MAIL = "jane.roe@corp-mail.com"
TOKENS = """
version: 1
policies:
  - name: tokens
    severity: medium
    rules:
      - detect: [EMAIL_ADDRESS]
        action: redact
        redact: token
"""


def sent(path: Any, **more: Any) -> tuple[Any, str]:
    exchange, forward = path.send({"messages": [{"role": "user", "content": f"write to {MAIL}"}], **more})
    found = re.search(rb"<EMAIL_ADDRESS_[a-z2-7]{10}>", forward.body)
    assert found is not None
    assert MAIL.encode() not in forward.body
    return exchange, found[0].decode()


def test_a_token_is_put_back_in_the_answer_to_its_caller(make_path: Any):
    exchange, token = sent(make_path(TOKENS))
    exchange.head(200, [(b"Content-Type", b"application/json")])
    _, body = exchange.body(json.dumps({"choices": [{"message": {"content": f"sent to {token}!"}}]}).encode())
    assert json.loads(body)["choices"][0]["message"]["content"] == f"sent to {MAIL}!"
    trace = exchange.trace(status=200, client_gone=False, first_byte=1, upstream_first=1, total=2)
    assert MAIL not in repr(trace)


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_a_token_is_put_back_in_a_stream_however_it_is_cut(make_path: Any, size: int):
    exchange, token = sent(make_path(TOKENS), stream=True)
    exchange.head(200, [(b"Content-Type", b"text/event-stream")])
    text = f"sent to {token}, done"
    out = b""
    for at in range(0, len(text), size):
        tree = {"choices": [{"index": 0, "delta": {"content": text[at : at + size]}}]}
        out += exchange.chunk(b"data: " + json.dumps(tree).encode() + b"\n\n")
    out += exchange.end()
    trees = [json.loads(line[6:]) for line in out.decode().split("\n") if line.startswith("data: ")]
    assert "".join(tree["choices"][0]["delta"]["content"] for tree in trees) == f"sent to {MAIL}, done"
    assert MAIL not in repr(exchange.trace(status=200, client_gone=False, first_byte=1, upstream_first=1, total=2))


def test_a_token_of_somebody_else_stays_a_token(make_path: Any):
    path = make_path(TOKENS)
    _, token = sent(path)
    _, (_, body) = path.answer({"choices": [{"message": {"content": token}}]})
    assert token.encode() in body
