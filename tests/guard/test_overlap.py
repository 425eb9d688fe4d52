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
