from __future__ import annotations

from akto_proxy.wire.event import Event, Mould, Slot
from akto_proxy.wire.framing import ServerSent

RAW = b'data: {"token":{"id":5,"text":"ab"},"index":1}\n\n'


def made(text: str = "ab", raw: bytes = RAW) -> Event:
    event = Event(raw, "json", (Slot(text, "/token/text", "/token/text"),), (3,), ServerSent())
    event.tree = {"token": {}}
    return event


def test_a_proven_mould_casts_events_with_other_numbers() -> None:
    mould = Mould()
    assert mould.propose(made()) == RAW.replace(b"ab", b"~")
    mould.prove([("~", "/token/text", "/token/text", 3)])
    slots = mould.cast(RAW.replace(b"ab", b"xyz").replace(b"5", b"1234").replace(b":1}", b":77}"))
    assert slots is not None
    assert (slots[0].text, slots[0].lane) == ("xyz", "/token/text")
    for other in (
        RAW + b"\n",
        RAW.replace(b"ab", b""),
        RAW.replace(b"ab", b"a\\n"),
        RAW.replace(b"5", b"05"),
        RAW[:-1],
    ):
        assert mould.cast(other) is None


def test_a_mould_that_reads_otherwise_is_forgotten() -> None:
    mould = Mould()
    mould.propose(made())
    mould.prove([("~", "/other", None, 3)])
    assert mould.head == b""


def test_no_mould_of_an_ambiguous_text() -> None:
    assert Mould().propose(made("text", RAW.replace(b"ab", b"text"))) == b""
    assert Mould().propose(made('a"b')) == b""
    assert Mould().propose(made("", RAW)) == b""


def test_moulds_without_use_are_not_made_for_ever() -> None:
    mould = Mould()
    for _ in range(4):
        assert mould.propose(made())
        mould.prove([("~", "/token/text", "/token/text", 3)])
    assert mould.propose(made()) == b""
