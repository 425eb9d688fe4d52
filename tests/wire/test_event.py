from __future__ import annotations

from akto_proxy.wire.event import Event, Mould, Slot
from akto_proxy.wire.framing import ServerSent
from akto_proxy.wire.route import Route
from akto_proxy.wire.stream import StreamReader

CHAT = Route("openai.chat", "openai")
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


def test_a_long_number_in_place_of_a_short_one_is_read():
    """A mould lets numbers differ from event to event, but not one that could be a card."""
    reader = StreamReader(CHAT)
    for number in (1, 2, 3, 4111111111111111, 5):
        chunk = b'data: {"account":%d,"created":17900000%02d,"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
        (event,) = reader.feed(chunk % (number, number % 100))
        assert ("4111111111111111" in [slot.text for slot in event.slots]) is (number > 9)
        for slot in event.slots:
            if slot.lane is None:
                reader.trust(slot.text)
