from __future__ import annotations

import pytest

from akto_proxy.guard.closure import Closures, closure
from akto_proxy.guard.syntax import parse


@pytest.mark.parametrize(
    ("pattern", "match"),
    [
        ("abc", "abc"),
        (r"\bAKIA[0-9A-Z]{16}\b", "AKIA0123456789ABCDEF"),
        ("(?:ab|cd){2,3}e", "abcdabe"),
        (r"a(?:b*c)+d$", "abbcccd"),
        (r"(?i)pass\s*=\s*(?P<v>\S{4,40})", "PASS = hunter22"),
        (r"x(?:y|zz)?[0-9]{1,20}\b", "xzz123456789012"),
        ("é[а-я]+", "éабв"),
    ],
)
def test_every_beginning_of_a_match_is_live(pattern, match):
    closures = Closures([(closure(parse(pattern)), 100)])
    for end in range(1, len(match) + 1):
        data = ("... " + match[:end]).encode()
        assert closures.earliest(data, 0) == 4, match[:end]


def test_what_cannot_go_on_is_not_live():
    closures = Closures([(closure(parse(r"\bAKIA[0-9A-Z]{16}\b")), 20)])
    for text in ("AKIA-", "xAKIA", "AKIA0123 ", "", "akia"):
        data = text.encode()
        assert closures.earliest(data, 0) == len(data), text


def test_beyond_its_reach_a_start_is_decided():
    closures = Closures([(closure(parse("ab*c")), 5)])
    assert closures.earliest(b"abbbb", 0) == 0
    assert closures.earliest(b"abbbbb", 0) == 6


def test_many_rules_share_groups_or_are_split():
    many = [(closure(parse(f"k{number}[a-z]{{5,900}}end{number}")), 1000) for number in range(300)]
    assert Closures(many).earliest(b"xx k299abc", 0) == 3
