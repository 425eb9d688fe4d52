"""Local passwords: never right for nobody, never kept, never too easy."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher

from akto_proxy.dashboard.passwords import Passwords

GOOD = "correct horse battery staple"


def test_only_the_password_of_an_account_is_right() -> None:
    made = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    kept = made.hash(GOOD)
    assert kept.startswith("$argon2id$")
    assert made.hash(GOOD) != kept
    assert made.check(kept, GOOD)
    for encoded, password in (
        (kept, "wrong"),
        ("", GOOD),
        ("", "not the password of anybody"),
        ("!", GOOD),
        ("x" * 99, ""),
    ):
        assert not made.check(encoded, password)


@pytest.mark.parametrize(
    ("password", "name", "good"),
    [
        (GOOD, "", True),
        ("short", "", False),
        ("a" * 40, "", False),
        ("x" * 201, "", False),
        ("ada ada lovelace", "Ada", False),
    ],
)
def test_length_counts_and_guessable_does_not(password: str, name: str, good: bool) -> None:
    assert (Passwords.weakness(password, name) == "") == good
