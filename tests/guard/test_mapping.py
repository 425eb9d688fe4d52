from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.guard.mapping import Builder, View


def test_copied_pieces_map_one_to_one_and_made_ones_whole():
    builder = Builder("ab%41%42cd")
    builder.put("AB", 2, 8)
    view = builder.view("decoded", None)
    assert view.text == "abABcd"
    assert view.span(0, 2) == (0, 2)
    assert view.span(2, 3) == view.span(3, 4) == (2, 8)
    assert view.span(1, 5) == (1, 9)


def test_views_of_views_map_to_the_first_text():
    builder = Builder("x-y-z")
    builder.skip(1, 2)
    builder.skip(3, 4)
    joined = builder.view("joined", None)
    turned = View("reversed", joined.text[::-1], parent=joined, flip=True)
    assert (turned.text, turned.name) == ("zyx", "joined+reversed")
    assert turned.span(0, 1) == (4, 5)
    assert turned.span(1, 3) == (0, 3)


@given(st.text(max_size=30), st.sets(st.integers(0, 29)))
def test_every_kept_character_maps_to_itself(text, gone):
    builder = Builder(text)
    for place in sorted(place for place in gone if place < len(text)):
        builder.skip(place, place + 1)
    view = builder.view("shorter", None)
    for place, char in enumerate(view.text):
        start, end = view.span(place, place + 1)
        assert text[start:end] == char
