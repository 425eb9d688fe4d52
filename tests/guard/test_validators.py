"""Checksums and forms: known true and false values, and that nothing raises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.guard.validators import VALIDATORS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("card", "4111 1111 1111 1111"),
        ("card", "378282246310005"),
        ("iban", "GB29 NWBK 6016 1331 9268 19"),
        ("iban", "de89370400440532013000"),
        ("ipv4", "203.0.113.77"),
        ("ipv6", "2001:db8:85a3::8a2e:370:7334"),
        ("bitcoin", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
        ("bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("bitcoin", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
        ("aba_routing", "021000021"),
        ("npi", "1234567893"),
        ("us_ssn", "536-90-4399"),
        ("us_itin", "911-70-1234"),
        ("fi_hetu", "131052-308T"),
        ("sg_nric", "S1234567D"),
        ("hk_id", "A123456(3)"),
        ("tw_id", "A123456789"),
        ("au_abn", "51 824 753 556"),
        ("za_id", "8001015009087"),
        ("ru_snils", "112-233-445 95"),
        ("phone_international", "+49 30 901820"),
        ("phone_nanp", "(415) 555-0132"),
        ("date", "1984-03-09"),
        ("date_words", "9. März 1984"),
        ("email", "jo@acme.io"),
        ("secret_quoted", "Sy7N-t0h3T1c"),
        ("secret_strong", "Sy7Nt0h3T1cN0t4R5e6A8l9K2"),
        ("url_credentials", "https://bot:Sy7Nt0h3@h.acme.io/"),
    ],
)
def test_true(name: str, text: str) -> None:
    assert VALIDATORS[name](text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("card", "4111 1111 1111 1112"),
        ("card", "tracking 4111111111111111"),
        ("card", "0000 0000 0000 0000"),
        ("iban", "GB29 NWBK 6016 1331 9268 18"),
        ("iban", "ZZ29NWBK60161331926819"),
        ("ipv4", "127.0.0.1"),
        ("ipv4", "10.0.0.0/8"),
        ("ipv6", "::1"),
        ("bitcoin", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"),
        ("bitcoin", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5"),
        ("aba_routing", "021000022"),
        ("us_ssn", "666-12-3456"),
        ("us_itin", "911-69-1234"),
        ("fi_hetu", "131052-308U"),
        ("sg_nric", "S1234567E"),
        ("au_abn", "51 824 753 557"),
        ("phone_nanp", "(115) 555-0132"),
        ("phone_national", "2024-03-09"),
        ("date", "1984-13-39"),
        ("date_words", "12 lots 1984"),
        ("email", "git@github.com"),
        ("ipv6", "58::34:58"),
        ("ipv4", "100.64.0.0/10"),
        ("phone_national", "2019-07-14 14:22:32"),
        ("secret_quoted", "changeme"),
        ("secret_quoted", "${DB_PASSWORD}"),
        ("secret_bare", "config.secret2"),
        ("secret_bare", "get_token1("),
        ("secret_strong", "cts128_encrypt_key_schedule"),
        ("secret_strong", "my-sort-key"),
        ("not_placeholder", "sk_live_xxxxxxxxxxxxxxxx"),
        ("url_credentials", "https://user:<token>@h/"),
    ],
)
def test_false(name: str, text: str) -> None:
    assert not VALIDATORS[name](text)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"[A-Z]{0,3}[0-9 .\-/]{1,24}[A-Z0-9]{0,3}", fullmatch=True))
def test_no_check_raises_whatever_the_text(text: str) -> None:
    for name, check in VALIDATORS.items():
        assert isinstance(check(text), bool | float), name


@settings(max_examples=100)
@given(st.text("0123456789", min_size=1, max_size=30))
def test_luhn_accepts_exactly_one_check_digit(number: str) -> None:
    accepted = [d for d in "0123456789" if VALIDATORS["luhn"](number + d)]
    assert len(accepted) == 1 or set(number) | set(accepted) <= set(number[0])


@pytest.mark.parametrize("text", ["AKIAIOSFODNN7EXAMPLE", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"])
def test_an_example_of_a_vendors_exact_form_is_that_form(text: str) -> None:
    assert VALIDATORS["not_placeholder"](text)


@pytest.mark.parametrize("text", ["AKIAXXXXXXXXXXXXXXXX", "hf_<your-token>", "sk-0000000000000000"])
def test_a_form_that_was_never_filled_in_is_none(text: str) -> None:
    assert not VALIDATORS["not_placeholder"](text)
