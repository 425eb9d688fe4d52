from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import iban, luhn

from akto_proxy.guard.surrogate import surrogate

KEY = b"k" * 32


def form(text: str) -> str:
    return "".join("9" if char.isdigit() else "a" if char.isalpha() else char for char in text)


def test_a_card_passes_its_check_and_keeps_its_form():
    made = surrogate(KEY, "CREDIT_CARD", "4111 1111 1111 1111")
    assert luhn.is_valid(made.replace(" ", ""))
    assert form(made) == form("4111 1111 1111 1111")
    assert made[0] == "4"


def test_an_account_passes_its_check():
    made = surrogate(KEY, "IBAN_CODE", "DE89 3704 0044 0532 0130 00")
    assert iban.is_valid(made, check_country=False)
    assert made.startswith("DE")


def test_a_phone_number_is_nobodys():
    assert "555-01" in surrogate(KEY, "PHONE_NUMBER", "415-212-1234")
    assert surrogate(KEY, "PHONE_NUMBER", "+44 20 7946 0958").startswith("+44 ")


@pytest.mark.parametrize(
    ("entity", "text", "begin"),
    [
        ("IP_ADDRESS", "10.1.2.3", "203.0.113."),
        ("IP_ADDRESS", "fe80::1", "2001:db8::"),
        ("URL", "https://a.b/c", "https://example.com/"),
        ("SECRET", "ghp_aB3dE5", "ghp_"),
    ],
)
def test_reserved_values_are_used_and_prefixes_kept(entity, text, begin):
    assert surrogate(KEY, entity, text).startswith(begin)


def test_names_mails_and_dates_have_their_form():
    assert len(surrogate(KEY, "PERSON", "Ann B. Miller").split()) == 3
    assert surrogate(KEY, "EMAIL_ADDRESS", "a@b.c").endswith("@example.com")
    assert form(surrogate(KEY, "DATE_OF_BIRTH", "12/31/1990")) == "99/99/9999"


@given(st.sampled_from(["CREDIT_CARD", "IBAN_CODE", "PHONE_NUMBER", "DATE_TIME", "SECRET", "X"]), st.text(max_size=30))
def test_any_text_has_one_and_it_is_not_itself(entity, text):
    made = surrogate(KEY, entity, text)
    assert made == surrogate(KEY, entity, text)
    assert made != text
