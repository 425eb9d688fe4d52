"""What several text parts of one message hold together, and what they do not."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.guard.engine import Engine
from akto_proxy.guard.parts import END, message_of, runs
from akto_proxy.guard.rule import Rule
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Role, Segment

KEY = "zk_a1b2c3d4e5f6a7b8"
SCANNER = Scanner(Engine([Rule("key", "SECRET", "secrets", r"zk_[0-9a-f]{16}")]))
ORDER = Scanner(Engine([Rule("order", "PROMPT_INJECTION", "injection", r"ignore\s+all\s+previous\s+instructions")]))


def parts(*texts: str, role: Role = Role.USER) -> list[Segment]:
    return [Segment(text, f"/messages/0/content/{n}/text", role) for n, text in enumerate(texts)]


def pieces(scanner: Scanner, segments: list[Segment]) -> list[str]:
    found = scanner.scan(segments)
    return [s.text[f.start : f.end] for s, own in zip(segments, found, strict=True) for f in own]


@given(st.integers(1, len(KEY) - 1), st.integers(0, 3 * END), st.integers(0, 3 * END))
def test_a_key_cut_anywhere_between_two_parts_is_found_in_both(cut: int, before: int, after: int) -> None:
    left, right = "x " * before + KEY[:cut], KEY[cut:] + " y" * after
    assert pieces(SCANNER, parts(left, right)) == [KEY[:cut], KEY[cut:]]


@given(st.sets(st.integers(1, len(KEY) - 1)))
def test_a_key_of_many_parts_is_found_in_all(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(KEY)]
    texts = [KEY[a:b] for a, b in itertools.pairwise(edges)]
    assert "".join(pieces(SCANNER, parts(*texts))) == KEY


def test_one_word_a_part_is_an_order_too() -> None:
    assert pieces(ORDER, parts("ignore", "all", "previous", "instructions")) == [
        "ignore", "all", "previous", "instructions",
    ]  # fmt: skip


def test_a_key_that_one_part_holds_is_found_once_and_what_follows_stays() -> None:
    assert pieces(SCANNER, parts(f"my {KEY}", "and more")) == [KEY]


def test_parts_of_other_messages_and_roles_are_not_put_together() -> None:
    apart = [Segment(KEY[:9], "/messages/0/content/0/text"), Segment(KEY[9:], "/messages/1/content/0/text")]
    assert pieces(SCANNER, apart) == []
    roles = [*parts(KEY[:9]), Segment(KEY[9:], "/messages/0/content/1/text", Role.TOOL)]
    assert pieces(SCANNER, roles) == []


def test_a_message_of_one_part_is_not_read_again() -> None:
    assert runs(parts("one")) == []
    assert runs([Segment("a", "/messages/0/content"), Segment("b", "/messages/1/content")]) == []


def test_of_long_parts_only_the_ends_are_read_again() -> None:
    assert sum(len(run.text) for run in runs(parts("a" * 100_000, "b" * 100_000))) <= 4 * END + 2


def test_what_is_a_part() -> None:
    assert message_of("/messages/3/content/0/text") == "/messages/3/content"
    assert message_of("/messages/3/content/1") == "/messages/3/content"
    assert message_of("/system/0/text") == "/system"
    for place in ("/messages/3/content", "/input/1", "/inputs", "query/q", "", "/text", "/tools/0/text"):
        assert message_of(place) == ""
