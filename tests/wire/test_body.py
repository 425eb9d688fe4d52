from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard

from akto_proxy.errors import BodyError
from akto_proxy.model import Direction, Role, Usage
from akto_proxy.wire.body import Body, Query, read
from akto_proxy.wire.route import canonical, resolve

Reader = Callable[..., Body]
MESSAGES = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
CHAT = {"model": "tgi", "messages": MESSAGES, "stream": True}


def texts(body: Body) -> dict[str, str]:
    return {segment.place: segment.text for segment in body.segments}


def test_a_chat_request(request_body: Reader) -> None:
    body = request_body({**CHAT, "max_tokens": 5, "tools": [{"type": "function", "function": {"name": "f"}}]})
    assert texts(body) == {
        "/model": "tgi", "/messages/0/content": "s", "/messages/1/content": "u", "/tools/0/function/name": "f",
    }  # fmt: skip
    assert [segment.role for segment in body.segments] == [Role.USER, Role.SYSTEM, Role.USER, Role.SYSTEM]
    assert (body.model, body.stream, body.max_tokens, body.tools, body.unreadable) == ("tgi", True, 5, ["f"], "")
    assert body.texts == [segment.text for segment in body.segments]
    assert body.roles == [segment.role for segment in body.segments]
    assert body.places == [segment.place for segment in body.segments]


def test_an_answer(answer_body: Reader) -> None:
    body = answer_body(
        {"model": "m", "choices": [{"message": {"role": "assistant", "content": "a"}, "finish_reason": "stop"}],
         "usage": {"prompt_tokens": 8, "completion_tokens": 14}}
    )  # fmt: skip
    assert texts(body) == {"/model": "m", "/choices/0/message/content": "a"}
    assert body.roles == [Role.ASSISTANT, Role.ASSISTANT]
    assert body.usage == Usage(8, 14)
    assert body.segments[0].direction is Direction.RESPONSE


def test_nothing_is_written_when_nothing_changed(request_body: Reader) -> None:
    data = b' { "inputs" : "caf\xc3\xa9", "n": 1.50, "big": 123456789012345678901234567890 }\n'
    body = request_body(data)
    assert body.write({}) is data
    assert body.write({0: "[X]"}) == data.replace(b"caf\xc3\xa9", b"[X]")


@pytest.mark.parametrize("path", ["/", "/generate", "/v1/chat/completions", "/invocations"])
def test_double_keys_are_refused_in_requests_only(path: str) -> None:
    data = b'{"inputs":"a","inputs":"b"}'
    with pytest.raises(BodyError) as caught:
        read(resolve("POST", path), Direction.REQUEST, b"application/json", b"", data)
    assert (caught.value.reason, caught.value.status) == ("duplicate_key", 400)
    answer = read(resolve("POST", path), Direction.RESPONSE, b"application/json", b"", data)
    assert answer.duplicate
    assert answer.texts == ["a", "b"]
    assert answer.write({0: "x", 1: "y"}) == b'{"inputs":"x","inputs":"y"}'


CODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
    b"deflate": zlib.compress,
    b"Deflate": lambda data: zlib.compress(data)[2:-4],
    b"br": brotli.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
    b"gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("encoding", CODERS)
def test_encoded_bodies_are_read_and_passed_unchanged(encoding: bytes, request_body: Reader) -> None:
    data = CODERS[encoding](b'{"inputs":"a"}')
    body = request_body(data, encoding=encoding)
    assert body.texts == ["a"]
    assert body.encoded
    assert body.write({}) is data
    assert body.write({0: "b"}) == b'{"inputs":"b"}'


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"zstd", b"deflate"])
def test_bombs_are_refused(encoding: bytes, request_body: Reader) -> None:
    with pytest.raises(BodyError) as caught:
        request_body(CODERS[encoding](b" " * 300_000), encoding=encoding, max_size=100_000)
    assert caught.value.status == 413
    with pytest.raises(BodyError):
        request_body(b" " * 300_000, max_size=100_000)


@pytest.mark.parametrize(
    ("encoding", "data"),
    [(b"compress", b"x"), (b"gzip", b"x"), (b"gzip", gzip.compress(b"{}", mtime=0)[:-9]),
     (b"br", b"\xff\xff"), (b"zstd", b"x"),
     (b"deflate", b"x"), (b"gzip,gzip,gzip,gzip", b"x"), (b"br", brotli.compress(b"abc" * 99)[:5])],
)  # fmt: skip
def test_what_cannot_be_decoded_is_refused_or_unreadable(
    encoding: bytes, data: bytes, request_body: Reader, answer_body: Reader
) -> None:
    with pytest.raises(BodyError) as caught:
        request_body(data, encoding=encoding)
    assert (caught.value.status, caught.value.reason) == (415, "encoding")
    body = answer_body(data, encoding=encoding)
    assert body.unreadable == "encoding"
    assert body.write({}) == data


def test_an_answer_that_is_not_in_its_encoding_is_read_as_it_is(answer_body: Reader) -> None:
    body = answer_body({"content": "my ssn"}, encoding=b"gzip")
    assert (body.texts, body.unreadable) == (["my ssn"], "encoding")


@pytest.mark.parametrize("charset", [b"utf-7", b"ibm037", b"hz-gb-2312", b'"UTF-7"'])
def test_a_charset_that_hides_ascii_is_refused(charset: bytes, request_body: Reader) -> None:
    with pytest.raises(BodyError) as caught:
        request_body(b'{"inputs":"a"}', b"application/json; charset=" + charset)
    assert (caught.value.status, caught.value.reason) == (415, "charset")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("named", [b"text/plain", b"application/octet-stream"])
def test_text_in_other_unicode_encodings(codec: str, named: bytes, request_body: Reader) -> None:
    body = request_body("Jane Doé".encode(codec), named)
    assert body.texts[0].lstrip("\ufeff") == "Jane Doé"
    assert body.write({0: "x"}).decode(codec).lstrip("\ufeff") == "x"


def test_text_that_only_seems_wide_is_read_both_ways(request_body: Reader) -> None:
    body = request_body(b"\x00\xff" * 500 + b"my ssn", b"application/octet-stream")
    assert [("my ssn" in text) for text in body.texts] == [False, True]
    assert body.write({1: "x"}) == b"x"
    assert body.write({0: "x", 1: "y"}) == b"[REDACTED]"


def test_text_with_a_nul_is_read_and_marked(request_body: Reader) -> None:
    body = request_body(b"my ssn and more words\x00", b"text/plain")
    assert (body.texts, body.unreadable) == (["my ssn and more words\x00"], "binary")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"a&" * 20_000, b"application/x-www-form-urlencoded"),
        (b"\n\n" * 400_000, b"text/event-stream"),
        (b"1\n" * 500_000, b"application/x-ndjson"),
        (b"[" + b"[]," * 500_000 + b"1]", b"application/json"),
        (b'{"inputs":"[' + b"[]," * 500_000 + b'\\\\u0031]"}', b"application/json"),
    ],
)
def test_what_would_become_too_many_objects_is_refused(data: bytes, named: bytes, request_body: Reader) -> None:
    with pytest.raises(BodyError) as caught:
        request_body(data, named)
    assert (caught.value.status, caught.value.reason) == (413, "elements")


def test_many_brackets_in_a_text_are_only_text(request_body: Reader) -> None:
    assert request_body({"inputs": "[{," * 700_000}).unreadable == ""


@pytest.mark.parametrize("named", [b"application/json", b"text/plain", b"", b"application/x-www-form-urlencoded"])
def test_json_is_json_under_any_name(named: bytes, request_body: Reader) -> None:
    assert texts(request_body(b'{"inputs":"a\\u0062"}', named)) == {"/inputs": "ab"}


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_json_in_other_unicode_encodings(codec: str, request_body: Reader) -> None:
    assert request_body('{"inputs":"世"}'.encode(codec)).texts == ["世"]


@pytest.mark.parametrize("data", [b'{"inputs":"a"', b"{'a':1}", b'{"a":1}{"b":2}', b'{"a":"\xff"}', b"not json"])
def test_what_is_no_json_is_read_as_text_and_marked(data: bytes, request_body: Reader) -> None:
    body = request_body(data)
    assert body.unreadable == "json"
    assert body.texts == [data.decode("utf-8", "replace")]
    assert body.write({0: "x"}) == b"x"


def test_json_that_only_lenient_parsers_take(request_body: Reader) -> None:
    body = request_body(b'{"inputs":"a","n":NaN,"m":-Infinity}')
    assert body.unreadable == ""
    assert body.write({0: "b"}) == b'{"inputs":"b","n":NaN,"m":-Infinity}'


@pytest.mark.parametrize(
    "tree",
    [{"input": [[1, 2]]}, {"prompt": [1]}, {"inputs": [5, "a"]}, {"prompt": [[1], [2]]}, {"input_ids": [1]}],
)  # fmt: skip
def test_token_ids_are_unreadable(tree: Any, request_body: Reader, answer_body: Reader) -> None:
    assert request_body(tree).unreadable == "token_ids"
    assert answer_body(tree).unreadable == ""


def test_encoded_documents_are_unreadable(request_body: Reader) -> None:
    assert request_body({"file_data": "JVBERi0x" * 20}).unreadable == "document"
    assert request_body({"prompt_embeds": "JVBERi0x" * 20}).unreadable == "embeddings"


def test_form_bodies(request_body: Reader) -> None:
    body = request_body(b"prompt=my+ssn&file=a%20b&secret%40x=1&model", b"application/x-www-form-urlencoded; a=b")
    assert texts(body) == {"/prompt": "my ssn", "/file": "a b", "/*key": "secret@x", "/*": "1"}
    assert body.write({0: "x&y"}) == b"prompt=x%26y&file=a%20b&secret%40x=1&model"


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nJane Doe\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="jane.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFF\x00\xff"
    b'\r\n--b\r\nContent-Disposition: form-data; name="odd@x"\r\n\r\nv\r\n--b--\r\n'
)


def test_multipart_bodies(request_body: Reader) -> None:
    body = request_body(MULTIPART, b'multipart/form-data; boundary="b"')
    assert texts(body) == {"/prompt": "Jane Doe", "/filename": "jane.wav", "/*key": "odd@x", "/*": "v"}
    assert (body.unreadable, body.media) == ("", ["audio/wav"])
    assert body.write({0: "[PERSON]", 1: 'a"\r\nb'}) == MULTIPART.replace(b"Jane Doe", b"[PERSON]").replace(
        b"jane.wav", b"a   b"
    )


@pytest.mark.parametrize("data", [MULTIPART[:-8], b"", b"--b", MULTIPART.replace(b"\r\n\r\n", b"\r\n")])
def test_broken_multipart_is_unreadable(data: bytes, request_body: Reader) -> None:
    assert request_body(data, b"multipart/form-data; boundary=b").unreadable == "multipart"


def test_multipart_without_boundary_or_with_a_document(request_body: Reader) -> None:
    assert request_body(MULTIPART, b"multipart/form-data").unreadable == "multipart"
    document = MULTIPART.replace(b"audio/wav", b"application/pdf")
    assert request_body(document, b"multipart/form-data; boundary=b").unreadable == "binary"
    text = MULTIPART.replace(b"audio/wav", b"text/plain").replace(b"RIFF\x00\xff", b"my ssn")
    assert "my ssn" in request_body(text, b"multipart/form-data; boundary=b").texts
    coded = MULTIPART.replace(b"\r\n\r\nJane", b"\r\nContent-Transfer-Encoding: base64\r\n\r\nJane")
    assert request_body(coded, b"multipart/form-data; boundary=b").unreadable == "multipart"


def test_text_and_binary_bodies(request_body: Reader) -> None:
    assert request_body("héllo".encode(), b"text/plain").texts == ["héllo"]
    assert request_body(b"hello", b"").texts == ["hello"]
    assert request_body(b"<a>b</a>", b"application/xml").write({0: "x"}) == b"x"
    assert request_body(b"my ssn", b"image/png").texts == ["my ssn"]
    sound = request_body(b"RIFF\x00\x01", b"")
    assert (sound.media, sound.unreadable) == (["audio/wav"], "")
    assert request_body(b"\x00\x01", b"application/octet-stream").unreadable == "binary"
    empty = request_body(b"", b"")
    assert (empty.unreadable, empty.segments, empty.write({})) == ("", [], b"")
    assert request_body(b"", b"application/json").unreadable in ("", "json")


def test_ndjson_and_event_bodies_join_their_lanes(answer_body: Reader) -> None:
    lines = b'{"message":{"content":"jane"},"done":false}\n{"message":{"content":"@x.com"},"done":true}\n'
    body = answer_body(lines, b"application/x-ndjson")
    assert body.texts == ["jane@x.com"]
    assert body.write({0: "[X]"}) == lines.replace(b"jane", b"[X]").replace(b"@x.com", b"")
    events = answer_body(b'data: {"token":{"text":"a"}}\n\ndata: {"token":{"text":"b"}}\n\n', b"text/event-stream")
    assert events.texts == ["ab"]
    assert events.write({}) == b'data: {"token":{"text":"a"}}\n\ndata: {"token":{"text":"b"}}\n\n'


def test_a_query_string_is_text() -> None:
    query = Query(canonical(b"/?prefix=my+ssn&top_k=5&jane%40x=1").query)
    assert {segment.place: segment.text for segment in query.segments} == {
        "query/prefix": "my ssn", "query/top_k": "5", "query/*key": "jane@x", "query/*": "1",
    }  # fmt: skip
    assert query.write({}) == b"prefix=my+ssn&top_k=5&jane%40x=1"
    assert query.write({0: "a b&"}) == b"prefix=a+b%26&top_k=5&jane%40x=1"


def test_every_recorded_body_reads_and_stays_byte_for_byte(recorded: Path | None, sent: Any) -> None:
    if recorded is None:
        pytest.skip("the recorded clients are not on this machine")
    case = json.loads(recorded.read_text())
    for request in case["requests"] if isinstance(case, dict) and "requests" in case else []:
        route = resolve(request["method"], canonical(request["target"].encode()).path)
        assert not route.denied
        headers = {name.lower(): value.encode() for name, value in request["headers"]}
        data = sent(request)
        body = read(route, Direction.REQUEST, headers.get("content-type", b""), b"", data)
        assert body.write({}) == data
        assert body.unreadable in ("", "token_ids")
        everything = body.write({at: f"zz{at}" for at in range(len(body.texts))})
        again = read(route, Direction.REQUEST, headers.get("content-type", b""), b"", everything)
        assert all(text.startswith("zz") for text in again.texts)


def test_every_recorded_answer_reads_and_stays_byte_for_byte(recorded: Path | None, chat: Any) -> None:
    if recorded is None:
        pytest.skip("the recorded clients are not on this machine")
    case = json.loads(recorded.read_text())
    answer = case.get("response") if isinstance(case, dict) else None
    if not answer or answer.get("stream") or "body_text" not in answer:
        return
    data = answer["body_text"].encode()
    body = read(chat, Direction.RESPONSE, b"application/json", b"", data)
    assert body.write({}) == data
    edited = body.write(dict.fromkeys(range(len(body.texts)), "zz")) if body.texts else data
    assert b"jane.doe" not in edited
