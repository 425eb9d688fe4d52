"""The demonstration's texts: repeatable, labelled, and whole when their pieces are joined."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.demo.answers import LABEL, RECORD, embedding, pieces, prompt_of, say


@given(st.text())
def test_pieces_join_to_the_text(text):
    assert "".join(pieces(text)) == text


def test_it_repeats_the_prompt_and_says_what_it_is():
    assert say("hello there") == f"{LABEL} You said: hello there"
    assert say("Show me the CUSTOMER RECORD") == RECORD
    assert RECORD.startswith(LABEL)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]}]},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x"}]},
        {"inputs": "hi"},
        {"prompt": ["hi"]},
        {"inputs": [{"role": "user", "content": "hi"}]},
    ],
)
def test_prompts_are_found(body):
    assert prompt_of(body) == "hi"


def test_odd_bodies_have_no_prompt():
    assert prompt_of({}) == ""
    assert prompt_of({"messages": []}) == ""
    assert prompt_of({"inputs": 5}) == ""


def test_embeddings_depend_on_the_text_alone():
    assert embedding("a", encoded=False) == embedding("a", encoded=False) != embedding("b", encoded=False)
    assert isinstance(embedding("a", encoded=True), str)
