from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.errors import BodyError
from akto_proxy.wire.route import Target, canonical, resolve


@pytest.mark.parametrize(
    "target",
    [
        b"http://evil/v1/models",
        b"//evil/v1/models",
        b"evil:443",
        b"*",
        b"",
        b"/v1//models",
        b"/v1/../pause",
        b"/v1/./models",
        b"/v1/..",
        b"/v1/%2e%2e/pause",
        b"/v1%2fmodels",
        b"/v1%2Fmodels",
        b"/v1%5cmodels",
        b"/v1\\models",
        b"/v1/models;a=b",
        b"/v1/%6dodels",
        b"/v1/models%",
        b"/v1/models%2",
        b"/v1/models%zz",
        b"/v1/models%00",
        b"/v1/models%0a",
        b"/v1/models%20",
        b"/v1/models%252e",
        b"/v1/models%3fa",
        b"/v1/models%23a",
        b"/v1/models#a",
        b"/v1/mod els",
        b"/v1/models\x00",
        b"/v1/mod\xc3\xa9ls",
        b"/v1/models%ff",
        b"/v1/models%c2%85",
        b"/v1/models%e2%80%a8",
        b"/generate?a=%zz",
        b"/generate?a=\x01",
        b"/generate?a=\xc3\xa9",
        b"/@evil/../x",
    ],
)
def test_a_target_with_two_meanings_is_refused(target: bytes) -> None:
    with pytest.raises(BodyError) as caught:
        canonical(target)
    assert caught.value.reason == "path"
    assert caught.value.status == 400


def test_a_plain_target_is_itself() -> None:
    assert canonical(b"/v1/chat/completions") == Target("/v1/chat/completions")
    assert canonical(b"/") == Target("/")


def test_query_pairs_are_decoded() -> None:
    target = canonical(b"/?prefix=my+ssn%20is&x&=y&a=b=c")
    assert target.query == b"prefix=my+ssn%20is&x&=y&a=b=c"
    assert target.pairs == (("prefix", "my ssn is"), ("x", ""), ("", "y"), ("a", "b=c"))


def test_an_escape_that_is_needed_is_decoded() -> None:
    assert canonical(b"/v1/models/%E4%B8%96").path == "/v1/models/世"


def test_a_long_target_is_refused() -> None:
    with pytest.raises(BodyError) as caught:
        canonical(b"/" + b"a" * 10_000)
    assert caught.value.status == 414


@given(st.binary(max_size=40))
def test_what_is_accepted_has_one_meaning(tail: bytes) -> None:
    try:
        target = canonical(b"/" + tail)
    except BodyError:
        return
    assert target.path.startswith("/")
    assert "//" not in target.path
    assert "\\" not in target.path
    assert ".." not in target.path.split("/")
    assert target.path.isprintable()


@pytest.mark.parametrize(
    ("method", "path", "name", "form"),
    [
        ("POST", "/", "root", "tgi"),
        ("POST", "/generate", "tgi.generate", "tgi"),
        ("POST", "/generate_stream", "tgi.generate_stream", "tgi"),
        ("POST", "/v1/chat/completions", "openai.chat", "openai"),
        ("POST", "/v1/completions", "openai.completions", "openai"),
        ("POST", "/v1/responses", "openai.responses", "openai"),
        ("GET", "/v1/responses/resp_1", "openai.response", "openai"),
        ("POST", "/v1/embeddings", "openai.embeddings", "openai"),
        ("POST", "/v1/messages", "anthropic.messages", "anthropic"),
        ("POST", "/api/chat", "ollama.chat", "ollama"),
        ("POST", "/embed", "tei.embed", "tei"),
        ("POST", "/rerank", "rerank", "tei"),
        ("POST", "/predict", "toolkit.predict", "toolkit"),
        ("POST", "/invocations", "sagemaker.invocations", "tgi"),
        ("POST", "/vertex", "vertex.predict", "tgi"),
        ("POST", "/tokenize", "tokenize", "tgi"),
        ("POST", "/decode", "detokenize", "tgi"),
        ("POST", "/infill", "llamacpp.infill", "openai"),
        ("POST", "/completion", "llamacpp.completion", "openai"),
        ("POST", "/v1/audio/transcriptions", "openai.transcription", "openai"),
        ("POST", "/v2/models/m/versions/1/infer", "kserve.infer", "tgi"),
    ],
)
def test_inference_routes_are_open_and_guarded(method: str, path: str, name: str, form: str) -> None:
    route = resolve(method, path)
    assert (route.name, route.form, route.denied, route.guarded) == (name, form, "", True)


@pytest.mark.parametrize("path", ["/", "/health", "/info", "/v1/models", "/v1/models/meta/llama", "/version"])
def test_routes_without_texts_pass_unread(path: str) -> None:
    assert not resolve("GET", path).guarded
    assert not resolve("GET", path).denied
    assert resolve("HEAD", path) == resolve("GET", path)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/pause"),
        ("POST", "/update_weights"),
        ("POST", "/update_weights_from_disk"),
        ("GET", "/slots"),
        ("POST", "/slots/0"),
        ("POST", "/_custom_router/set-backends"),
        ("POST", "/load_model"),
        ("POST", "/reset"),
        ("GET", "/metrics"),
        ("GET", "/props"),
        ("POST", "/v1/load_lora_adapter"),
        ("POST", "/sleep"),
    ],
)
def test_administrative_routes_are_closed_with_the_reason(method: str, path: str) -> None:
    assert "administrative" in resolve(method, path).denied


def test_unknown_routes_and_methods_are_closed() -> None:
    assert "unknown route" in resolve("POST", "/v1/chat/completions/").denied
    assert "unknown route" in resolve("GET", "/nowhere").denied
    assert "method" in resolve("DELETE", "/v1/chat/completions").denied
    assert resolve("POST", "/V1/CHAT/COMPLETIONS").denied


def test_extra_routes_open_what_was_closed() -> None:
    route = resolve("POST", "/custom/a", ["POST:/custom/*"])
    assert (route.name, route.guarded, route.denied) == ("extra", True, "")
    assert resolve("GET", "/custom/a", ["POST:/custom/*"]).denied
    assert not resolve("GET", "/metrics", ["*:/metrics"]).denied
    assert resolve("POST", "/generate", ["*:/*"]).name == "tgi.generate"


def test_preflight_is_known_for_known_paths_only() -> None:
    assert resolve("OPTIONS", "/generate").name == "cors"
    assert resolve("OPTIONS", "/nowhere").denied


def test_only_the_stream_route_always_streams() -> None:
    assert resolve("POST", "/generate_stream").always_stream
    assert not resolve("POST", "/generate").always_stream


def test_a_path_with_a_word_of_the_callers_own_says_so() -> None:
    assert resolve("GET", "/v1/models/jane").named
    assert resolve("POST", "/any", ["POST:/any"]).named
    assert not resolve("POST", "/v1/chat/completions").named
