from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.wire.splice import encode, mend, splice

NUMBERS = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def strings(tree: Any) -> list[str]:
    """Every string of a tree in the order of the document, keys too."""
    if type(tree) is str:
        return [tree]
    if type(tree) is dict:
        return [text for key, value in tree.items() for text in (key, *strings(value))]
    return [text for child in tree for text in strings(child)] if type(tree) is list else []


@given(JSON, st.data(), st.sampled_from([None, 1]), st.booleans())
def test_one_string_changes_and_nothing_else(tree: Any, data: st.DataObject, indent: int | None, plain: bool) -> None:
    source = json.dumps(tree, indent=indent, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    found = strings(tree)
    if not found:
        return
    nth = data.draw(st.integers(0, len(found) - 1))
    out = splice(source, {nth: "new \u2028 text"}, shadows=False)
    token = encode("new \u2028 text")
    assert token in out
    assert out.replace(token, json.dumps(found[nth], ensure_ascii=plain).encode("utf-8", "surrogatepass"), 1) == source


def test_new_strings_are_ascii() -> None:
    assert splice('{"a":"世"}'.encode(), {1: "界\u2028"}, shadows=False) == b'{"a":"\\u754c\\u2028"}'


def test_a_number_is_named_after_its_key() -> None:
    assert splice(b'{"a":1,"card": 4111111111111111 ,"b":2}', {-2: "[CARD]"}, shadows=False) == (
        b'{"a":1,"card": "[CARD]" ,"b":2}'
    )


def test_what_repeats_an_edited_token_is_emptied() -> None:
    entry = {
        "token": "key",
        "id": 7,
        "bytes": [107],
        "logprob": -0.1,
        "top_logprobs": [{"token": "key", "bytes": [107]}],
    }
    source = orjson.dumps({"id": 5, "content": [entry, {**entry, "token": "ok"}], "token_ids": [1, 2]})
    tree = orjson.loads(splice(source, {3: ""}, shadows=True))
    assert tree["content"][0] == {"token": "", "id": 0, "bytes": [], "logprob": -0.1, "top_logprobs": []}
    assert tree["content"][1] == {**entry, "token": "ok"}
    assert tree["token_ids"] == []
    assert tree["id"] == 5


def test_tokens_beside_an_edited_text_are_emptied() -> None:
    source = b'{"generated_text":"a key","details":{"tokens":[{"id":1,"text":"a","logprob":0}],"seed":null}}'
    assert orjson.loads(splice(source, {1: "a [X]"}, shadows=True)) == {
        "generated_text": "a [X]",
        "details": {"tokens": [], "seed": None},
    }


def test_a_request_keeps_its_ids() -> None:
    assert splice(b'{"id":5,"logprob":1,"bytes":[1],"text":"a"}', {4: "b"}, shadows=False) == (
        b'{"id":5,"logprob":1,"bytes":[1],"text":"b"}'
    )


def test_a_label_in_the_place_of_a_number_becomes_a_string() -> None:
    old = '{"card": 4111111111111111, "to": "a", "n": [1, 2]}'
    assert mend(old, '{"card": [CARD], "to": "[X]", "n": [1, 2]}') == '{"card": "[CARD]", "to": "[X]", "n": [1, 2]}'
    assert mend(old, "gone") == "gone"
    assert mend("[1]", "[[X]]") == '["[X]"]'
