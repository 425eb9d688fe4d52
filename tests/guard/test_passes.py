from __future__ import annotations

import pytest

from akto_proxy.guard.passes import Pass, Plan, pack, unpack
from akto_proxy.guard.trigger import Ask


def asked() -> Plan:
    return Plan(
        [Ask("[0-9]{4}"), Ask("[0-9]{4}", ((b"pin", b"code"),)), Ask("", ((b"aa",), (b"bb",))), Ask(), Ask("[0-9]{4}")]
    )


@pytest.mark.parametrize(
    ("data", "rules"),
    [(b"1234", {0, 4}), (b"code 1234", {0, 1, 4}), (b"CODE", set()), (b"BB aa", {2}), (b"aa", set()), (b"", set())],
)
def test_a_rule_is_named_when_all_it_asks_for_occurs(data, rules):
    made = asked().compile()
    assert set(made.run(data)) == rules
    assert set(Pass.load(made.dump()).run(data)) == rules


def test_only_what_ends_later_counts():
    made = Plan([Ask("", ((b"abc",),)), Ask("", ((b"cde",),))], once=False).compile()
    assert made.since(b"abc cde", 3) == [1]
    assert sorted(made.since(b"abc cde abc", 3)) == [0, 1]


def test_nothing_to_ask_is_never_answered():
    made = Plan([]).compile()
    assert made.run(b"abc") == Pass.load(made.dump()).run(b"abc") == []


def test_what_is_not_whole_is_refused():
    data = pack([b"a", b"", b"bcd"])
    assert unpack(data) == [b"a", b"", b"bcd"]
    with pytest.raises(ValueError, match="whole"):
        unpack(data[:-1] + b"x")
