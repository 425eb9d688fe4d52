import pytest

from akto_proxy.errors import UpstreamError
from akto_proxy.exchange.outcome import OUTCOMES, of_answer, of_failure


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (200, b"", ""),
        (400, b"The endpoint is paused, ask", "upstream_paused"),
        (400, b"bad", ""),
        (401, b"", "upstream_unauthorized"),
        (403, b"", "upstream_forbidden"),
        (404, b"", "upstream_not_found"),
        (503, b'"code":"SERVICE_UNAVAILABLE"', "upstream_scaled_to_zero"),
        (503, b"Loading model", "upstream_error"),
    ],
)
def test_states_of_an_endpoint_are_told_apart(status: int, body: bytes, word: str):
    assert of_answer(status, body) == word
    assert word in ("", *OUTCOMES)


@pytest.mark.parametrize(("reason", "status"), [("unreachable", 502), ("idle_timeout", 504), ("truncated", 502)])
def test_failures_have_a_status_and_a_word(reason: str, status: int):
    code, word, message = of_failure(UpstreamError("x", reason=reason))
    assert (code, word in OUTCOMES) == (status, True)
    assert message.endswith(".")


@pytest.mark.parametrize("reason", ["unreachable", "dns", "tls", "certificate"])
def test_an_endpoint_that_was_not_reached_is_not_taken_for_a_bad_answer(reason: str):
    assert of_failure(UpstreamError("x", reason=reason))[1] == "upstream_unreachable"
    assert of_failure(UpstreamError("x", reason="connect_timeout"))[1] == "upstream_timeout"
