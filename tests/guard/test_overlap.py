from __future__ import annotations

from akto_proxy.guard.overlap import resolve
from akto_proxy.model import Finding


def found(start, end, rule="r", category="pii", score=1.0) -> Finding:
    return Finding(start, end, rule, "E", category, score)


def test_the_higher_score_then_the_longer_then_the_earlier_stays():
    assert resolve([found(0, 9, score=0.5), found(2, 4)]) == [found(2, 4)]
    assert resolve([found(2, 4), found(0, 9)]) == [found(0, 9)]
    assert resolve([found(2, 4), found(3, 5)]) == [found(2, 4)]
    assert resolve([found(4, 6), found(0, 4)]) == [found(0, 4), found(4, 6)]


def test_secrets_and_personal_data_compete_and_nothing_else_hides_them():
    value, attack = found(2, 4, "email"), found(0, 50, "override", "injection")
    own = found(1, 5, "mine", "custom", 0.1)
    assert resolve([value, attack, own]) == [attack, own, value]
    assert resolve([value, found(0, 9, "key", "secrets", 0.3)]) == [value]


def test_a_guessed_name_gives_way_to_what_has_a_form_but_not_to_a_mere_link():
    name = found(0, 6, "person", score=0.97)
    secret = found(0, 11, "prose-secret", "secrets", 0.6)
    assert resolve([name, secret]) == [secret]
    assert resolve([name, found(0, 40, "url", score=0.3)]) == [name]
    assert resolve([name, found(4, 12, "location", score=0.99)]) == [found(4, 12, "location", score=0.99)]
