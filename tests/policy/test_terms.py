from __future__ import annotations

from akto_proxy.policy.terms import STRENGTH, Levels, level


def test_levels_of_scores():
    scores = {0.0: "low", 0.59: "low", 0.6: "medium", 0.84: "medium", 0.85: "high", 1.0: "high"}
    assert {score: level(score) for score in scores} == scores


def test_every_replacement_has_a_strength_and_removing_is_the_strongest():
    assert max(STRENGTH, key=STRENGTH.__getitem__) == "remove"


def test_levels_read_names():
    assert Levels.model_validate({"low": "alert"}).model_dump() == {"low": "alert", "medium": "alert", "high": "block"}
