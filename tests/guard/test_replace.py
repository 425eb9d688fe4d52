from __future__ import annotations

import pytest

from akto_proxy.guard.replace import KINDS, Replacer, Vault, mask, replace

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


def test_a_token_comes_back_only_through_its_vault():
    vault = Vault()
    token = MINE.render("token", "EMAIL_ADDRESS", MAIL, vault)
    assert vault.get(token) == MAIL
    assert Vault().get(token) is None


def test_a_full_vault_gives_labels_and_counts():
    vault = Vault(limit=1)
    MINE.render("token", "A", "first", vault)
    assert MINE.render("token", "A", "second", vault) == "<A>"
    assert (len(vault), vault.dropped) == (1, 1)
