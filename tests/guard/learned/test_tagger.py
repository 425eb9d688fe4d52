import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.config import assets
from akto_proxy.guard.learned.features import PIECE
from akto_proxy.guard.learned.tagger import NameTagger
from akto_proxy.model import Role, Segment

TAGGER = NameTagger.load(assets.read_bytes("guard/weights/names.bin"))


def names(text):
    return {(f.rule, text[f.start : f.end]) for f in TAGGER.tag(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My name is Laura Jensen and I live in Copenhagen.", {("person", "Laura Jensen"), ("location", "Copenhagen")}),
        ("Hi, I'm Pavel Novák, calling about my order.", {("person", "Pavel Novák")}),
        ("Flights from Lisbon to Nairobi, please.", {("location", "Lisbon"), ("location", "Nairobi")}),
    ],
)
def test_names_are_found_where_they_are(text, expected):
    assert expected <= names(text)


@pytest.mark.parametrize(
    "text", ["How do I sort a list in Python?", "the meeting is on monday at nine", "", "\n \n", "42 + 7"]
)
def test_texts_without_names_are_left_alone(text):
    assert names(text) == set()


def test_a_name_far_down_a_long_text_is_found_once():
    text = "The weather was fine that day. " * (PIECE // 20) + "My name is Laura Jensen. " + "It rained later. " * 300
    assert [text[f.start : f.end] for f in TAGGER.tag(text) if f.rule == "person"] == ["Laura Jensen"]


def test_findings_are_personal_data_with_presidio_names():
    [(number, finding), *_] = TAGGER.check([Segment("x", "", Role.SYSTEM), Segment("My name is Laura Jensen.", "")])
    assert number == 1
    assert (finding.entity, finding.category) == ("PERSON", "pii")
    assert 0 < finding.score <= 1


@settings(max_examples=60)
@given(st.text(st.characters(), max_size=120))
def test_any_text_is_read_and_findings_lie_in_it(text):
    found = TAGGER.tag(text)
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(a.end <= b.start for a, b in itertools.pairwise(found))
