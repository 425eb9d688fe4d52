import pytest

from akto_proxy.demo.talk import RECORD, answer, pieces, prompt_of


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"messages": [{"content": "a"}, {"content": "b"}]}, "b"),
        ({"messages": [{"content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}]}, "x y"),
        ({"inputs": "i"}, "i"),
        ({"prompt": ["p", "q"]}, "p q"),
        ({"input": "r"}, "r"),
        ({"other": 1}, ""),
        ([], ""),
    ],
)
def test_the_prompt_is_found_in_every_shape(body: object, prompt: str):
    assert prompt_of(body) == prompt


def test_it_repeats_or_shows_the_record_and_says_what_it_is():
    assert answer("hello").endswith("hello")
    assert "demonstration" in answer("hello")
    assert answer("the Record please") == RECORD


def test_pieces_are_the_text():
    assert "".join(pieces(RECORD)) == RECORD
    assert max(map(len, pieces(RECORD))) < 8
