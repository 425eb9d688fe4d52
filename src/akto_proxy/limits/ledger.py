"""What this process knows of each bucket in Redis, and what Redis must still hear of it.

Settlements wait here, each with a serial, so that none counts twice when an answer was lost. The price of a bounded
memory: of more buckets than MAX_BUCKETS the ones used last longest ago are forgotten, and counted if they owed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from akto_proxy.limits.limiter import LimitCounters
from akto_proxy.limits.script import Line, Reply
from akto_proxy.limits.table import Ask

MAX_BUCKETS = 10_000
"""Buckets whose state is remembered; the one used last longest ago is forgotten, counted if it owed something."""

_ENDLESS = 1 << 52


@dataclass(slots=True)
class Bucket:
    """A bucket as this process knows it: what it holds, what Redis must still hear, and how full it was.

    A settlement under way keeps its serial until it is acknowledged. `flights` counts decisions whose fate is unknown.
    """

    capacity: int = _ENDLESS
    held: int = 0
    release: int = 0
    debt: int = 0
    serial: int = 0
    sent_release: int = 0
    sent_debt: int = 0
    sending: bool = False
    flights: int = 0
    empty_at: float = 0.0
    epoch: int = 0
    over: bool = False

    @property
    def owes(self) -> bool:
        """Whether Redis must still hear of it."""
        return bool(self.release or self.debt or self.serial)


class Ledger:
    """The buckets of one process.

    Args:
        counters: where forgotten buckets are counted.
        room: buckets remembered at most.
    """

    def __init__(self, counters: LimitCounters, room: int = MAX_BUCKETS) -> None:
        self._room = room
        self._counters = counters
        self._buckets: OrderedDict[int, Bucket] = OrderedDict()
        self._serial = 0
        self.due: set[int] = set()

    def __len__(self) -> int:
        return len(self._buckets)

    def line(self, ask: Ask, bucket: Bucket, asked: float, *, beat: bool) -> Line:
        """What to say of a bucket with a decision that leaves at `asked` (seconds that only grow)."""
        exact = -1
        if beat and not bucket.flights:  # with a decision in flight nobody knows what Redis counts
            exact, bucket.release, bucket.sent_release = bucket.held, 0, 0
        settle = not bucket.sending
        if settle and not bucket.serial and (bucket.release or bucket.debt):
            self._serial += 1
            bucket.serial, bucket.sent_release, bucket.sent_debt = self._serial, bucket.release, bucket.debt
            bucket.release = bucket.debt = 0
        settle = settle and bucket.serial > 0
        bucket.sending = bucket.sending or settle
        bucket.flights += 1
        return Line(
            ask.key,
            ask.capacity,
            ask.charge,
            ask.hold,
            ask.enforce,
            bucket.serial if settle else 0,
            bucket.sent_release,
            bucket.sent_debt,
            exact,
            int(max(0.0, bucket.empty_at - asked) * 1e6),
            bucket.epoch,
        )

    def learn(
        self, pairs: Sequence[tuple[Ask, Bucket]], lines: Sequence[Line], reply: Reply, asked: float, *, wanted: bool
    ) -> None:
        """What Redis said of each bucket. A grant that nobody waits for any more is given back."""
        for (ask, bucket), line, fit, left, epoch in zip(
            pairs, lines, reply.fits, reply.left, reply.epochs, strict=True
        ):
            bucket.flights -= 1
            if line.serial:
                bucket.serial = bucket.sent_release = bucket.sent_debt = 0
                bucket.sending = False
            if ask.hold and fit and reply.refused < 0:
                if wanted:
                    bucket.held += ask.hold
                else:
                    bucket.release += ask.hold
                    self.due.add(ask.key)
            bucket.empty_at, bucket.epoch = asked + left / 1e6, epoch
            if not (ask.charge or ask.hold):
                bucket.over = not fit

    def bucket(self, key: int) -> Bucket:
        """A bucket, which is then the one used last."""
        found = self._buckets.get(key)
        if found is None:
            if len(self._buckets) >= self._room:
                old, gone = self._buckets.popitem(last=False)
                self._counters.forgotten += gone.owes or gone.held > 0
                self.due.discard(old)
            found = self._buckets[key] = Bucket()
        else:
            self._buckets.move_to_end(key)
        return found

    def owe(self, key: int, release: int, charge: int) -> None:
        """Redis must hear that so much is not held any more, and so much was used."""
        if release or charge:
            bucket = self.bucket(key)
            bucket.held -= release
            bucket.release += release
            bucket.debt += charge
            self.due.add(key)

    def lost(self, pairs: Sequence[tuple[Ask, Bucket]]) -> None:
        """An answer did not come: what was sent with the decision is sent again, under the same serial."""
        for _, bucket in pairs:
            bucket.flights -= 1
            bucket.sending = False

    def waiting(self, *, all_of_them: bool) -> list[int]:
        """What Redis must hear now; with `all_of_them` also of each bucket in which something is held."""
        found = list(self.due)
        if all_of_them:
            found = [key for key, bucket in self._buckets.items() if bucket.owes or bucket.held > 0]
        self.due.clear()
        return found

    def told(self, keys: Sequence[int], now: float) -> None:
        """Redis heard of these. What came up meanwhile waits; the oldest of the buckets that say nothing go."""
        self.due.update(key for key in keys if self.bucket(key).owes)
        for key in list(self._buckets)[:256]:
            bucket = self._buckets[key]
            if not (bucket.owes or bucket.held or bucket.flights) and bucket.empty_at <= now:
                del self._buckets[key]


def micro(nanoseconds: int) -> int:
    """Microseconds, rounded up."""
    return -(-nanoseconds // 1000)
