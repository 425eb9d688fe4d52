from __future__ import annotations

from collections.abc import Callable

import pytest

from akto_proxy.spool.audit import Entry, Report, Signer, Verifier
from akto_proxy.spool.frame import GENESIS, Frame, Kind, decode, encode

SIGNER = Signer(b"s" * 32)


def chain(count: int, every: int = 5) -> list[Entry]:
    """A chain of `count` traces with a checkpoint each `every`."""
    entries, value, number = [], GENESIS, 0

    def add(kind: Kind, payload: bytes) -> None:
        nonlocal value, number
        data, value = encode(kind, number, value, payload)
        (frame,) = decode(data)
        assert isinstance(frame, Frame)
        entries.append(Entry(kind.name.lower(), number, frame.digest, frame.chain, frame.payload))
        number += 1

    for index in range(count):
        add(Kind.TRACE, b"record %d" % index)
        if index % every == every - 1:
            add(Kind.CHECKPOINT, SIGNER.checkpoint("w", number - 1, value, 1.5))
    return entries


def verify(entries: list[Entry], keys: list[bytes] | None = None, writer: str = "w") -> Report:
    verifier = Verifier(writer, [SIGNER.public] if keys is None else keys)
    for entry in entries:
        verifier.add(entry)
    return verifier.finish()


def test_an_untouched_chain_is_sound_and_signed() -> None:
    report = verify(chain(20))
    assert report.ok
    assert (report.records, report.checkpoints) == (20, 4)
    assert report.signed_to == report.last - 1


def test_an_erased_record_does_not_break_the_chain() -> None:
    entries = chain(20)
    entries[3] = Entry("trace", 3, entries[3].digest, entries[3].chain, None)
    report = verify(entries)
    assert report.ok
    assert report.erased == 1


TAMPERING: list[Callable[[list[Entry]], object]] = [
    lambda e: e.__setitem__(3, Entry("trace", 3, e[3].digest, e[3].chain, b"changed")),
    lambda e: e.pop(3),
    lambda e: e.insert(3, e[4]),
    lambda e: e.__setitem__(slice(3, 5), [e[4], e[3]]),
    lambda e: e.__setitem__(3, Entry("trace", 3, bytes(32), e[3].chain, None)),
    lambda e: e.__setitem__(5, Entry("checkpoint", 5, e[5].digest, e[5].chain, (e[5].body or b"").replace(b"w", b"v"))),
]


@pytest.mark.parametrize("tamper", TAMPERING, ids=["change", "remove", "double", "swap", "digest", "signature"])
def test_tampering_is_found(tamper: Callable[[list[Entry]], object]) -> None:
    entries = chain(20)
    tamper(entries)
    assert not verify(entries).ok


def test_a_chain_written_anew_by_who_has_no_key_is_found() -> None:
    entries = chain(20)
    stranger = Signer(b"x" * 32)
    value, forged = GENESIS, []
    for entry in entries:
        body = b"forged" if entry.number == 2 else entry.body or b""
        if entry.kind == "checkpoint":
            body = stranger.checkpoint("w", entry.number - 1, value, 1.5)
        data, value = encode(Kind[entry.kind.upper()], entry.number, value, body)
        (frame,) = decode(data)
        assert isinstance(frame, Frame)
        forged.append(Entry(entry.kind, entry.number, frame.digest, frame.chain, body))
    report = verify(forged)
    assert not report.ok
    assert "unknown key" in report.problems[0]


def test_a_checkpoint_of_another_writer_does_not_count() -> None:
    assert not verify(chain(5), writer="other").ok


def test_missing_records_that_the_writer_declared_dropped_are_only_counted() -> None:
    entries = [entry for entry in chain(20) if not 4 <= entry.number < 8]
    gap = b'{"first":4,"last":7,"at":1.0}'
    data, value = encode(Kind.GAP, entries[-1].number + 1, entries[-1].chain, gap)
    (frame,) = decode(data)
    assert isinstance(frame, Frame)
    entries.append(Entry("gap", frame.number, frame.digest, value, gap))
    report = verify(entries)
    assert report.ok, report.problems
    assert report.dropped == 4


def test_a_chain_whose_beginning_expired_is_taken_from_its_first_link() -> None:
    report = verify(chain(20)[7:])
    assert report.ok, report.problems
    assert report.signed_to > 0
