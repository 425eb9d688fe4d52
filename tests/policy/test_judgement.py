from __future__ import annotations

from akto_proxy.model import Finding
from akto_proxy.policy.judgement import Edit, merge


def edit(start: int, end: int, replacement: str = "label", score: float = 0.8) -> Edit:
    return Edit(start, end, replacement, Finding(start, end, "r", "E", "pii", score), "p")


def test_overlapping_edits_become_their_union_with_the_strongest_replacement():
    (made,) = merge([edit(0, 5, "token", 1.0), edit(3, 9, "label")])
    assert (made.start, made.end, made.replacement, made.policy) == (0, 9, "label", "p")


def test_neighbours_stay_apart_and_order_is_by_start():
    assert [(item.start, item.end) for item in merge([edit(5, 9), edit(0, 5)])] == [(0, 5), (5, 9)]
