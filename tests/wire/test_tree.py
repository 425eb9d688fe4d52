from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.errors import BodyError
from akto_proxy.model import Role
from akto_proxy.wire.tree import MAX_DEPTH, Pairs, Reading, has_duplicates, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def leaves(data: bytes, role: Role = Role.USER, **more: Any) -> list[tuple[str, str]]:
    return [(leaf[1], leaf[0]) for leaf in Reading(data, parse(data)[0], role, **more).leaves]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a" :2}',
        b'{"a":1, "a"\t:2, "b":"x\\":"}',
        b'{"a":1,"\\u0061":2}',
        b'[{"b":{"a":1,"c":[],"a":2}}]',
        b'{"a":"\\":","a":2,"b"\n:1}',
    ],
)
def test_a_key_that_comes_twice_is_seen(data: bytes) -> None:
    assert parse(data)[1]


@given(VALUES, st.sampled_from([None, 0, 1]), st.booleans())
def test_json_without_duplicates_has_none(tree: Any, indent: int | None, ascii_: bool) -> None:
    data = json.dumps(tree, indent=indent, ensure_ascii=ascii_).encode("utf-8", "replace")
    assert parse(data)[1] is False


@given(st.lists(st.sampled_from(["a", "b", '"', ":", '\\":', " "]), min_size=2, max_size=5), st.sampled_from(["", " "]))
def test_duplicates_are_found_whatever_stands_around(keys: list[str], space: str) -> None:
    data = ("{" + ",".join(f'{json.dumps(key)}{space}:"{space}:"' for key in keys) + "}").encode()
    assert parse(data)[1] == (len(set(keys)) < len(keys))


def test_both_values_of_a_double_key_are_read() -> None:
    assert leaves(b'{"text":"one","text":"two","x":"one"}') == [
        ("/text", "one"), ("/text", "two"), ("/*key", "x"), ("/*", "one"),
    ]  # fmt: skip
    assert has_duplicates([{"a": Pairs([("b", 1), ("b", 2)])}])


def test_unknown_names_are_text_and_stand_in_no_place() -> None:
    assert leaves(b'{"jane@example.com":{"my secret":"v"},"content":"c"}') == [
        ("/*key", "jane@example.com"), ("/*/*key", "my secret"), ("/*/*", "v"), ("/content", "c"),
    ]  # fmt: skip


def test_an_id_that_is_a_sentence_is_text() -> None:
    assert leaves(b'{"id":"my ssn is 219-09-9999","object":"list"}') == [("/id", "my ssn is 219-09-9999")]


def test_a_long_number_in_an_unknown_field_is_text() -> None:
    data = b'{"card":4111111111111111,"n":5,"created":1763900000}'
    reading = Reading(data, parse(data)[0], Role.USER)
    assert reading.leaves[1][:2] == ("4111111111111111", "/*")
    assert reading.write({1: "[CARD]"}) == b'{"card":"[CARD]","n":5,"created":1763900000}'


@pytest.mark.parametrize(
    ("data", "text", "written"),
    [
        (b'{"inputs":4111111111111111}', "4111111111111111", b'{"inputs":"[CARD]"}'),
        (b'{"prompt":4111111111111111.0}', "4111111111111111", b'{"prompt":"[CARD]"}'),
        (b'{"x":4.111111111111111e15}', "4111111111111111", b'{"x":"[CARD]"}'),
        (b'{"inputs":[1,4111111111111111]}', "4111111111111111", b'{"inputs":[1,"[CARD]"]}'),
        (b'{"stop":["a",[{"b":"c"}],4111111111111111,"z"]}', "4111111111111111", b'"c"}],"[CARD]","z"]}'),
        (b'{"x":[null,4111111111111111]}', "4111111111111111", b'{"x":[null,"[CARD]"]}'),
    ],
)
def test_a_long_number_in_any_form_is_text(data: bytes, text: str, written: bytes) -> None:
    reading = Reading(data, parse(data)[0], Role.USER)
    index = [leaf[0] for leaf in reading.leaves].index(text)
    assert reading.write({index: "[CARD]"}).endswith(written)


def test_counters_and_embeddings_are_no_text() -> None:
    assert leaves(b'{"created":1763900000,"seed":99999999999,"embedding":[0.1,-2e9],"index":7}') == []


def test_what_escapes_hide_in_json_in_a_string_is_read() -> None:
    data = json.dumps({"arguments": r'{"to":"jane\u0040example.com","n":"plain"}'}).encode()
    reading = Reading(data, parse(data)[0], Role.USER)
    assert [leaf[1] for leaf in reading.leaves] == ["/arguments", "/arguments#/*"]
    assert reading.leaves[1][0] == "jane@example.com"
    assert json.loads(json.loads(reading.write({1: "[EMAIL]"}))["arguments"]) == {"to": "[EMAIL]", "n": "plain"}


def test_edits_outside_and_inside_a_json_string_meet() -> None:
    inner = r'{"to":"jane\u0040example.com","key":"sk-123"}'
    data = json.dumps({"arguments": inner}).encode()
    reading = Reading(data, parse(data)[0], Role.USER)
    out = reading.write({0: inner.replace("sk-123", "[KEY]"), 1: "[EMAIL]"})
    assert json.loads(json.loads(out)["arguments"]) == {"to": "[EMAIL]", "key": "[KEY]"}
    both = reading.write({0: inner.replace("jane", "[NAME]"), 1: "[EMAIL]"})
    assert json.loads(json.loads(both)["arguments"])["to"] == "[REDACTED]"
    broken = reading.write({0: "{", 1: "[EMAIL]"})
    assert json.loads(broken)["arguments"] == "[REDACTED]"


def test_json_in_json_in_a_string_is_read_too() -> None:
    deep = json.dumps({"a": json.dumps({"b": json.dumps({"to": "jane\u2028@x"})})})
    data = json.dumps({"content": deep}).encode()
    reading = Reading(data, parse(data)[0], Role.USER)
    at = next(index for index, leaf in enumerate(reading.leaves) if leaf[0] == "jane\u2028@x")
    out = reading.write({at: "[X]"})
    assert json.loads(json.loads(json.loads(json.loads(out)["content"])["a"])["b"]) == {"to": "[X]"}


def test_a_label_for_a_number_keeps_tool_arguments_valid() -> None:
    data = json.dumps({"arguments": '{"card": 4111111111111111}'}).encode()
    out = Reading(data, parse(data)[0], Role.USER).write({0: '{"card": [CARD]}'})
    assert json.loads(json.loads(out)["arguments"]) == {"card": "[CARD]"}


def test_media_is_no_text_but_its_head_and_address_are_kept() -> None:
    png = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z9AARAwQCgAr7gX9DLoYbwAAAABJRU5ErkJggg=="
    tree = {"image_url": {"url": "data:image/png;base64," + png}, "image": png, "url": "HTTP://10.0.0.1/a.png"}
    data = json.dumps(tree).encode()
    reading = Reading(data, tree, Role.USER)
    assert reading.media == ["data:image/png;base64,", "data:image/png;base64,", "HTTP://10.0.0.1/a.png"]
    assert [leaf[0] for leaf in reading.leaves] == ["data:image/png;base64", "HTTP://10.0.0.1/a.png"]
    assert json.loads(reading.write({0: "data:x"}))["image_url"]["url"] == "data:x," + png


@pytest.mark.parametrize(
    "url", ["data:text/plain;base64,bXkgc3Nu", "data:text/plain,my ssn", "data:image/png;base64,my ssn"]
)
def test_a_data_url_that_is_or_hides_text_is_text(url: str) -> None:
    assert leaves(json.dumps({"url": url}).encode()) == [("/url", url)]


def test_tokens_of_one_list_are_one_text() -> None:
    entry: list[dict[str, Any]] = [{"token": piece, "logprob": -1, "bytes": [1]} for piece in ("jane@", "x.com")]
    for token in entry:
        token["top_logprobs"] = [{"token": token["token"], "logprob": -1}]
    data = json.dumps({"choices": [{"logprobs": {"content": entry}}]}).encode()
    reading = Reading(data, parse(data)[0], Role.ASSISTANT, shadows=True)
    texts = [leaf[0] for leaf in reading.leaves]
    assert "jane@x.com" in texts
    tree = json.loads(reading.write({texts.index("jane@x.com"): "[EMAIL]"}))
    first, second = tree["choices"][0]["logprobs"]["content"]
    assert (first["token"], second["token"]) == ("[EMAIL]", "")
    assert first["bytes"] == second["bytes"] == first["top_logprobs"] == second["top_logprobs"] == []


@pytest.mark.parametrize("key", ["output_token_logprobs", "input_token_logprobs"])
def test_sglang_tokens_are_one_text(key: str) -> None:
    data = json.dumps({"text": "jane@x.com", "meta_info": {key: [[-1, 5, "jane@"], [-1, 6, "x.com"]]}}).encode()
    assert leaves(data) == [("/text", "jane@x.com"), (f"/meta_info/{key}", "jane@x.com")]


def test_parts_of_a_message_stay_apart() -> None:
    data = b'{"content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]}'
    assert leaves(data) == [("/content/0/text", "one"), ("/content/1/text", "two")]


def test_depth_and_elements_are_bounded() -> None:
    for data in (b"[" * (MAX_DEPTH + 2) + b'"a"' + b"]" * (MAX_DEPTH + 2), b'{"a":' * 2000 + b"1" + b"}" * 2000):
        with pytest.raises(BodyError) as caught:
            Reading(data, parse(data)[0], Role.USER)
        assert caught.value.reason == "depth"
    wide = json.dumps(["a"] * 200_001).encode()
    with pytest.raises(BodyError) as caught:
        Reading(wide, parse(wide)[0], Role.USER)
    assert (caught.value.reason, caught.value.status) == ("elements", 413)


def test_half_a_character_can_be_encoded() -> None:
    assert leaves(b'{"content":"a\\ud800b"}') == [("/content", "a\ufffdb")]


def test_roles_come_from_the_message_and_its_type() -> None:
    tree = {
        "messages": [{"role": "developer", "content": "d"}, {"role": "tool", "content": "t"}, {"content": "u"}],
        "documents": [{"text": "doc"}],
        "input": [{"type": "function_call_output", "output": "o"}],
    }
    data = json.dumps(tree).encode()
    roles = {leaf[0]: leaf[2] for leaf in Reading(data, tree, Role.USER).leaves}
    assert roles == {"d": Role.SYSTEM, "t": Role.TOOL, "u": Role.USER, "doc": Role.TOOL, "o": Role.TOOL}


@given(VALUES, st.data())
def test_an_edited_leaf_reads_as_written(tree: Any, data: st.DataObject) -> None:
    source = json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace")
    reading = Reading(source, parse(source)[0], Role.USER)
    if not reading.leaves:
        return
    at = data.draw(st.integers(0, len(reading.leaves) - 1))
    out = reading.write({at: "new text \u2028 世"})
    after = Reading(out, parse(out)[0], Role.USER).leaves
    assert [leaf[0] for leaf in after].count("new text \u2028 世") == 1


def test_a_large_json_string_is_read_whole() -> None:
    value = json.dumps({"content": [f"text {number} \\ {'x' * 90}" for number in range(1000)]})
    data = json.dumps({"arguments": value}).encode()
    assert len(leaves(data)) == 1001


@pytest.mark.parametrize("value", ["{not json \\", "[1, \\]", '{"a": \\u0041}'])
def test_what_only_looks_like_json_in_a_string_is_text(value: str) -> None:
    assert leaves(json.dumps({"content": value}).encode()) == [("/content", value)]


def test_addresses_outside_of_address_fields_are_plain_text() -> None:
    reading = Reading(b"{}", {"content": "https://example.com/a", "user": "iVBORw0KGgo is text"}, Role.USER)
    assert reading.media == []
    assert len(reading.leaves) == 2


def test_a_data_url_of_an_image_that_is_words_is_text() -> None:
    words = base64.b64encode(b"mail jane@example.com, who lives at number nine, Elm Street").decode()
    data = json.dumps({"url": f"data:image/png;base64,{words}"}).encode()
    assert leaves(data) == [("/url", f"data:image/png;base64,{words}")]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"ssn": "1", "role": "user", "content": "c"}, {"1": "ssn"}),
        ({"ssn": 123456789}, {"123456789": "ssn"}),
        ({"input": {"api_key": "a"}}, {"a": "api_key"}),
        ({"pins": ["1", "2"], "text": "t"}, {"1": "pins", "2": "pins"}),
        ({"password": {"rule": "long"}}, {"long": "rule"}),  # of an object, its own fields say more
        ({"arguments": '{"pass\\u0077ord":"a\\u0062c"}'}, {"abc": "password"}),
    ],
)
def test_what_an_unknown_field_holds_keeps_its_name(body: Any, named: dict[str, str]) -> None:
    data = json.dumps(body).encode()
    reading = Reading(data, parse(data)[0], Role.USER)
    assert {reading.leaves[at][0]: key for at, key in reading.keys.items()} == named
