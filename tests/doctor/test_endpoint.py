from __future__ import annotations

import pytest

from akto_proxy.doctor import endpoint
from akto_proxy.doctor.facts import HttpFacts, StreamFacts, Target
from akto_proxy.doctor.result import State, Trouble

HF = Target("https", "abc.us-east-1.aws.endpoints.huggingface.cloud", 443)
APP = Target("http", "app.internal", 80)


@pytest.mark.parametrize(
    ("status", "body", "words", "trouble"),
    [
        (401, b"", "401", Trouble.AUTH),
        (403, b"", "403", Trouble.AUTH),
        (400, b'{"error":"Bad Request: The endpoint is paused, ask"}', "paused", Trouble.REACH),
        (503, b'{"code":"SERVICE_UNAVAILABLE"}', "scaled to zero", Trouble.REACH),
        (404, b"", "404", Trouble.REACH),
        (500, b"", "5xx", Trouble.REACH),
        (503, b"busy", "5xx", Trouble.REACH),
    ],
)
def test_the_states_are_told_apart(status: int, body: bytes, words: str, trouble: Trouble):
    result = endpoint.state(HttpFacts(status, body=body), HF, token=True)
    assert (result.state, result.trouble) == (State.FAIL, trouble)
    assert words in result.what
    assert result.fix
    assert endpoint.inference(HttpFacts(status, body=body)).trouble is trouble


def test_without_a_token_401_is_what_a_private_endpoint_says():
    assert endpoint.state(HttpFacts(401), HF, token=False).state is State.OK
    assert endpoint.state(HttpFacts(200), HF, token=False).state is State.WARN
    assert endpoint.state(HttpFacts(200), APP, token=False).state is State.OK


def test_an_application_need_not_have_a_health_page():
    assert endpoint.state(HttpFacts(404), APP, token=False).state is State.OK
    assert endpoint.state(HttpFacts(404), HF, token=False).state is State.FAIL


def test_a_wrong_model_name_is_a_warning():
    assert endpoint.inference(HttpFacts(422)).state is State.WARN


def streamed(*arrivals: float) -> StreamFacts:
    return StreamFacts(HttpFacts(200, seconds=arrivals[-1]), arrivals)


def test_streams():
    smooth, lump = streamed(0.1, 0.3, 0.5, 0.7), streamed(0.70, 0.701, 0.702)
    assert endpoint.stream(smooth, smooth).state is State.OK
    assert endpoint.stream(lump, smooth).state is State.FAIL
    assert endpoint.stream(lump, lump).state is State.WARN
    assert endpoint.stream(StreamFacts(HttpFacts(401)), smooth).state is State.SKIP
    assert endpoint.stream(streamed(0.01, 0.02), streamed(0.01, 0.02)).state is State.OK, "too quick to tell"


def test_a_token_that_is_lost_on_the_way():
    assert endpoint.token_passed(HttpFacts(200), HttpFacts(401)).trouble is Trouble.AUTH
    assert endpoint.token_passed(HttpFacts(401), HttpFacts(401)).state is State.SKIP
    assert endpoint.token_passed(HttpFacts(200), HttpFacts(200)).state is State.OK
