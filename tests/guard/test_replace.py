from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.replace import KINDS, Replacer, Restorer, Vault, mask, replace, restore

MINE = Replacer(b"k" * 32)
MAIL = "joe@example.org"


def test_spans_are_replaced_from_left_to_right():
    assert replace("a bc d", [(5, 6, "Z"), (2, 4, "<X>")]) == "a <X> Z"
    assert replace("same", []) == "same"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_hides_the_text_and_is_the_same_each_time(kind):
    made = MINE.render(kind, "EMAIL_ADDRESS", MAIL)
    assert "joe" not in made
    assert made == Replacer(b"k" * 32).render(kind, "EMAIL_ADDRESS", MAIL)


@pytest.mark.parametrize("kind", ["hash", "token", "surrogate"])
def test_the_key_decides(kind):
    assert MINE.render(kind, "X", "abcdefghij") != Replacer(b"other").render(kind, "X", "abcdefghij")


@pytest.mark.parametrize(
    ("text", "masked"),
    [("4111 1111 1111 1234", "**** **** **** 1234"), ("123-45-6789", "***-**-6789"), ("hunter2", "*******"), ("", "")],
)
def test_a_mask_leaves_the_last_four_of_long_texts(text, masked):
    assert mask(text) == masked


def test_labels_and_tokens_name_the_entity():
    assert MINE.render("label", "EMAIL_ADDRESS", MAIL) == "<EMAIL_ADDRESS>"
    assert MINE.render("token", "EMAIL_ADDRESS", MAIL).startswith("<EMAIL_ADDRESS_")


def test_tokens_come_back_however_the_answer_is_cut():
    vault = Vault()
    token = MINE.render("token", "EMAIL_ADDRESS", MAIL, vault)
    other = MINE.render("token", "PERSON", "Zoë", vault)
    piece = st.sampled_from([token, other, "<", ">", "<b>", token[:9], "1 < 2", " ", "<EMAIL_ADDRESS>"])

    @settings(max_examples=150, deadline=None)
    @given(st.lists(piece, max_size=8).map("".join), st.lists(st.integers(1, 9), min_size=1))
    def check(text, cuts):
        restorer, out, at, turn = Restorer(vault), "", 0, 0
        while at < len(text):
            size = cuts[turn % len(cuts)]
            out += restorer.feed(text[at : at + size])
            at, turn = at + size, turn + 1
        out += restorer.finish()
        assert out == restore(text, vault) == text.replace(token, MAIL).replace(other, "Zoë")

    check()


def test_only_what_a_token_begins_with_is_held():
    vault = Vault()
    token = MINE.render("token", "PERSON", "Zoë", vault)
    restorer = Restorer(vault)
    assert restorer.feed("a <b> c < d <PER") == "a <b> c < d "
    assert restorer.feed("SONAL>") == "<PERSONAL>"
    assert restorer.feed(token[:5]) + restorer.feed(token[5:]) == "Zoë"


def test_a_full_vault_gives_labels_and_counts():
    vault = Vault(limit=1)
    MINE.render("token", "A", "first", vault)
    assert MINE.render("token", "A", "second", vault) == "<A>"
    assert (len(vault), vault.dropped) == (1, 1)
