"""Tamper evidence: signed checkpoints over a writer's hash chain, and the check that finds what was changed.

Each frame's chain value is SHA-256(chain before, digest of the record), so a removed, changed, added or moved record
breaks every later value. Who can write the files could compute a new chain; so a checkpoint, signed with an Ed25519 key
every some records, pins it. What follows the last checkpoint is chained but not yet signed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_LABEL = b"akto-proxy checkpoint 1\n"
PROBLEMS_KEPT = 100
"""Problems described one by one in a report; all are counted."""


class Signer:
    """Signs checkpoints. `seed` is the 32-byte Ed25519 private key."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = sha256(self.public).hexdigest()[:16]

    def checkpoint(self, writer: str, number: int, chain: bytes, at: float) -> bytes:
        """The note that pins `chain`, the value after the frame `number`."""
        signature = self._key.sign(_message(writer, number, chain.hex(), at))
        return orjson.dumps(
            {
                "writer": writer,
                "number": number,
                "chain": chain.hex(),
                "at": at,
                "key": self.key_id,
                "signature": signature.hex(),
            }
        )


def _message(writer: str, number: int, chain: str, at: float) -> bytes:
    return _LABEL + orjson.dumps([writer, number, chain, at])


@dataclass(frozen=True, slots=True)
class Entry:
    """One link as it is kept: `body` is None where the record was erased or expired, `sound` false where damaged."""

    kind: str
    number: int
    digest: bytes
    chain: bytes
    body: bytes | None


@dataclass(slots=True)
class Report:
    """What the check of one writer found. `ok` is true when nothing is wrong."""

    writer: str
    records: int = 0
    erased: int = 0
    dropped: int = 0
    checkpoints: int = 0
    signed_to: int = -1
    last: int = -1
    wrong: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether no record was changed, removed or moved."""
        return self.wrong == 0

    def problem(self, text: str) -> None:
        """Count a problem and keep its words, up to a limit."""
        self.wrong += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(text)


class Verifier:
    """Checks one writer's links in order. `keys` are the trusted public keys; without any, signatures are not checked.

    `start` is where the kept part of the chain begins when older links were removed by retention: unknown is fine,
    the first link is then taken as given and a later checkpoint proves it.
    """

    def __init__(self, writer: str, keys: Iterable[bytes] = ()) -> None:
        self.report = Report(writer)
        self._keys = {sha256(key).hexdigest()[:16]: Ed25519PublicKey.from_public_bytes(key) for key in keys}
        self._chain: bytes | None = None
        self._missing: list[tuple[int, int]] = []
        self._gaps: list[tuple[int, int]] = []

    def add(self, entry: Entry) -> None:
        """The next link."""
        report = self.report
        if entry.kind == "trace":
            report.records += 1
        self._check_order(entry)
        self._check_body(entry)
        self._chain, report.last = entry.chain, entry.number
        if entry.kind == "checkpoint" and entry.body is not None:
            self._check_signature(entry)
        if entry.kind == "gap" and entry.body is not None:
            self._note_gap(entry.body)

    def finish(self) -> Report:
        """No more links come. Missing records that the writer itself declared dropped are no problem, only counted."""
        report = self.report
        for first, last in self._missing:
            if any(gap_first <= first and last <= gap_last for gap_first, gap_last in self._gaps):
                report.dropped += last - first + 1
            else:
                report.problem(f"records {first} to {last} are missing")
        self._missing.clear()
        return report

    def _check_order(self, entry: Entry) -> None:
        report, expected = self.report, self.report.last + 1
        before = self._chain
        if entry.number == 0 and report.last < 0:
            before = bytes(32)
        elif report.last >= 0 and entry.number != expected:
            before = None
            if entry.number < expected:
                report.problem(f"record {entry.number}: out of order, or there twice")
            else:
                self._missing.append((expected, entry.number - 1))
        if before is not None and sha256(before + entry.digest).digest() != entry.chain:
            report.problem(f"record {entry.number}: its chain value does not follow from the record before it")

    def _note_gap(self, body: bytes) -> None:
        try:
            note = orjson.loads(body)
            self._gaps.append((int(note["first"]), int(note["last"])))
        except (ValueError, KeyError, TypeError):
            return  # changed content is reported by its digest

    def _check_body(self, entry: Entry) -> None:
        if entry.body is None:
            self.report.erased += 1
        elif sha256(entry.body).digest() != entry.digest:
            self.report.problem(f"record {entry.number}: its content was changed")

    def _check_signature(self, entry: Entry) -> None:
        assert entry.body is not None
        try:
            note = orjson.loads(entry.body)
            number, chain, at = int(note["number"]), str(note["chain"]), float(note["at"])
            key = self._keys.get(str(note["key"]))
            if key is not None:
                key.verify(bytes.fromhex(note["signature"]), _message(self.report.writer, number, chain, at))
        except (ValueError, KeyError, TypeError, InvalidSignature):
            self.report.problem(f"record {entry.number}: the checkpoint's signature is wrong")
            return
        if self._keys and key is None:
            self.report.problem(f"record {entry.number}: the checkpoint is signed with an unknown key")
            return
        self.report.checkpoints += 1
        if number != entry.number - 1 or sha256(bytes.fromhex(chain) + entry.digest).digest() != entry.chain:
            self.report.problem(f"record {entry.number}: the checkpoint does not fit the chain")
            return
        if key is not None:
            self.report.signed_to = number
