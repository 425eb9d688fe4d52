"""An answer that streams while checkers outside have a say in it: what is held for them, and what they are asked about.

A checker reads a whole text, so an answer that one may stop is gathered to its end (the caller gets comments meanwhile)
and one that is only watched passes on at once. They are asked about what the caller would get, after redaction: what a
policy hides does not leave for a checker either. Trade-off: the first token of a held stream waits for its last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from akto_proxy.errors import BodyError
from akto_proxy.exchange.face import Ask
from akto_proxy.model import Direction, Finding, Role, Segment
from akto_proxy.policy.clause import ExternalCheck, unanswered
from akto_proxy.wire.stream import Event, StreamReader

Answers = Sequence[tuple[int, Finding]]
"""What checkers found, each with the number of the segment it is about."""

MAX_LOOSE = 4_096
"""Strings outside lanes that are asked about."""
MAX_OPENING = 128
"""Characters of a string outside lanes in an event that opens a stream (ids, a model's name)."""

_NOTHING = Segment("", "", Role.ASSISTANT, Direction.RESPONSE)
"""What a check that could not even be asked is said to have failed on."""


class Gathering:
    """One streamed answer on its way to checkers.

    Args:
        checks: whom to ask.
        reader: reads what was cleared for the caller once more, into texts.
        limit: bytes of an answer that can be checked. A longer one counts as a check that failed.
        conclude: makes the decisions on answers; returns the ending of a blocked stream, None when it may pass.
    """

    def __init__(
        self,
        checks: Sequence[ExternalCheck],
        reader: StreamReader,
        limit: int,
        conclude: Callable[[Sequence[Segment], Answers], bytes | None],
    ) -> None:
        self._checks = tuple(checks)
        self._reader = reader
        self._limit = limit
        self._conclude = conclude
        self._parts: list[bytes] = []
        self._size = 0
        self._over = False
        self._opening = True
        self._lead = 0
        self._lanes: dict[str, tuple[Role, list[str]]] = {}
        self._loose: dict[str, Segment] = {}
        self._segments: tuple[Segment, ...] = ()
        self.holds = any(check.enforces for check in checks)
        """Whether a checker may stop this answer, so that nothing of it may leave before."""

    def add(self, cleared: bytes) -> bytes:
        """Bytes cleared for the caller to those that may leave now."""
        if self._over:
            return cleared
        self._parts.append(cleared)
        self._size += len(cleared)
        try:
            self._read(self._reader.feed(cleared))
        except BodyError:
            return self._fail(cleared)
        return self._fail(cleared) if self._size > self._limit else b"" if self.holds else cleared

    def end(self, cleared: bytes) -> bytes | Ask:
        """The last cleared bytes to the question, or to bytes where there is nothing to ask."""
        now = self.add(cleared)
        if self._over:
            return now
        self._read(self._reader.finish())
        self._segments = self._texts()
        if not self._segments:
            return self._held() or now
        return Ask(self._checks, self._segments, Direction.RESPONSE, now)

    def told(self, answers: Answers) -> bytes:
        """What the checkers found to what the caller gets: what was held, or the ending of a blocked stream."""
        tail = self._conclude(self._segments, answers)
        return self._held() if tail is None else self.ending(tail)

    def ending(self, tail: bytes) -> bytes:
        """The whole answer when `tail` cuts it: if nothing left yet, what opens a stream of its kind stands before."""
        lead = self._lead if self._lanes else 0
        return b"".join(self._parts)[:lead] + tail if self.holds else tail

    def _fail(self, now: bytes) -> bytes:
        self._over = True
        tail = self._conclude((_NOTHING,), [(0, unanswered(check)) for check in self._checks])
        if tail is not None:
            return self.ending(tail)
        return self._held() if self.holds else now

    def _held(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts) if self.holds else b""

    def _read(self, events: Sequence[Event]) -> None:
        for event in events:
            for slot in event.slots:
                if slot.lane is not None:
                    self._lanes.setdefault(slot.lane, (slot.role, []))[1].append(slot.new)
                elif len(self._loose) < MAX_LOOSE:
                    self._loose.setdefault(slot.text, Segment(slot.text, slot.place, slot.role, Direction.RESPONSE))
            self._opening = self._opening and _opens(event)
            if self._opening:
                self._lead += len(event.raw)

    def _texts(self) -> tuple[Segment, ...]:
        """Each lane as one text, and the strings beside them that repeat none."""
        lanes = {name: (role, "".join(text)) for name, (role, text) in self._lanes.items()}
        wholes = {text for _, text in lanes.values()}
        return (
            *(Segment(text, name, role, Direction.RESPONSE) for name, (role, text) in lanes.items()),
            *(item for text, item in self._loose.items() if text not in wholes),
        )


def _opens(event: Event) -> bool:
    """Whether an event only opens a stream: no text of the answer in it, nothing long beside it."""
    return all(not slot.new if slot.lane is not None else len(slot.text) <= MAX_OPENING for slot in event.slots)
