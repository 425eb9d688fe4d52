"""What a process must still tell Redis: said until it is heard, and counted once."""

from __future__ import annotations

from akto_proxy.limits.ledger import Bucket, Ledger, micro
from akto_proxy.limits.limiter import LimitCounters
from akto_proxy.limits.script import Line, Reply
from akto_proxy.limits.table import Ask

ASK = Ask(7, 0, 1000, charge=1, hold=5)


def said(ledger: Ledger, ask: Ask = ASK) -> tuple[tuple[Ask, Bucket], Line]:
    bucket = ledger.bucket(ask.key)
    return (ask, bucket), ledger.line(ask, bucket, 0.0, beat=False)


def heard(ledger: Ledger, pair: tuple[Ask, Bucket], line: Line, *, wanted: bool = True) -> None:
    ledger.learn([pair], [line], Reply(-1, 0, (True,), (0,), (1,)), 0.0, wanted=wanted)


def test_a_settlement_is_said_again_under_its_serial_until_it_is_heard() -> None:
    ledger = Ledger(LimitCounters())
    ledger.owe(7, 5, 20)
    pair, line = said(ledger)
    assert (line.serial, line.release, line.debt) == (1, 5, 20)
    _, meanwhile = said(ledger)
    assert meanwhile.serial == 0, "it is under way"
    ledger.lost([pair, pair])
    ledger.owe(7, 0, 3)
    pair, again = said(ledger)
    assert (again.serial, again.release, again.debt) == (1, 5, 20)
    heard(ledger, pair, again)
    _, rest = said(ledger)
    assert (rest.serial, rest.debt) == (2, 3)


def test_what_was_granted_to_nobody_is_given_back() -> None:
    ledger = Ledger(LimitCounters())
    heard(ledger, *said(ledger), wanted=False)
    assert ledger.waiting(all_of_them=False) == [7]
    assert (ledger.bucket(7).held, ledger.bucket(7).release) == (0, 5)


def test_a_heartbeat_names_what_is_held_too() -> None:
    ledger = Ledger(LimitCounters())
    heard(ledger, *said(ledger))
    assert ledger.waiting(all_of_them=False) == []
    assert ledger.waiting(all_of_them=True) == [7]


def test_many_callers_cannot_grow_what_is_remembered() -> None:
    counters = LimitCounters()
    ledger = Ledger(counters, room=50)
    ledger.owe(1, 0, 9)
    for number in range(2, 200):
        ledger.bucket(number)
    assert len(ledger) == 50
    assert counters.forgotten == 1


def test_microseconds_are_rounded_up() -> None:
    assert (micro(1), micro(1000), micro(1001)) == (1, 1, 2)
