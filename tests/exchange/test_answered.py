import json
from typing import Any

import pytest

MAIL = "jane.roe@corp-mail.com"


def finish(exchange: Any, status: int = 200) -> Any:
    return exchange.trace(status=status, client_gone=False, first_byte=1, upstream_first=1, total=2)


def test_personal_data_in_an_answer_is_redacted(path: Any):
    exchange, (headers, body) = path.answer({"choices": [{"message": {"content": f"mail {MAIL} now"}}]})
    assert MAIL.encode() not in body
    assert "EMAIL_ADDRESS" in json.loads(body)["choices"][0]["message"]["content"]
    assert MAIL not in repr(finish(exchange))
    assert not [name for name, _ in headers if name.lower() == b"content-length"]


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, b'{"error":"401 Unauthorized","code":"UNAUTHORIZED"}', "upstream_unauthorized"),
        (400, b'{"error":"Bad Request: The endpoint is paused, ask a maintainer"}', "upstream_paused"),
        (503, b'{"error":"503 Service Unavailable","code":"SERVICE_UNAVAILABLE"}', "upstream_scaled_to_zero"),
        (500, b'{"error":"boom"}', "upstream_error"),
        (422, b'{"error":"bad field"}', "ok"),
    ],
)
def test_upstream_states_pass_as_they_are_and_are_told_apart(path: Any, status: int, body: bytes, outcome: str):
    exchange, (_, sent) = path.answer(body, status=status)
    assert sent == body
    assert finish(exchange, status).outcome == outcome


def test_an_error_that_echoes_the_prompt_is_redacted_too(path: Any):
    _, (_, sent) = path.answer({"error": f"received: b'my mail is {MAIL}'"}, status=400)
    assert MAIL.encode() not in sent
