"""What is known of one caller, endpoint or agent: its usual behaviour, and the five minutes that run now.

Checks that can wait for no window (a burst, a wave of refusals) are made with each observation against numbers
computed when the window began; the others when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.baseline import Rhythm, Share, Size, Surplus
from akto_proxy.watch.observation import Observation

WINDOW = 300.0
DAY = 86_400.0
WARM = 288
"""Windows (a day of them) before a profile's own numbers are believed."""

RATIO = 4.0
LEAST_CALLS = 25.0
LEAST_TOKENS = 20_000.0
FAR = 8.0
_SOME = 4
_IDLE = 2016  # windows without a call that are learned one by one; a longer absence teaches nothing more


@dataclass(slots=True)
class Now:
    """The window that runs."""

    start: float = 0.0
    calls: int = 0
    tokens: int = 0
    errors: int = 0
    blocked: int = 0
    redacted: int = 0
    near: int = 0
    leaks: int = 0
    leaky: int = 0
    seconds: float = 0.0
    most_calls: float = 1e18
    most_tokens: float = 1e18
    first: float = 0.0
    ids: list[str] = field(default_factory=list)


class Profile:
    """One caller, endpoint or agent."""

    __slots__ = (
        "born",
        "errors",
        "latency",
        "leaked",
        "leaks",
        "near",
        "nears",
        "now",
        "quiet",
        "redacted",
        "refused",
        "slow",
        "steady",
        "subject",
        "tokens",
        "volume",
    )

    def __init__(self, subject: str, born: float) -> None:
        self.subject = subject
        self.born = born
        self.now = Now(start=born // WINDOW * WINDOW, first=born)
        self.volume = Rhythm()
        self.tokens = Rhythm()
        self.latency = Size()
        self.errors = Share()
        self.refused = Share()
        self.redacted = Share()
        self.near = Share()
        self.leaked = Share()
        self.leaks = Surplus()
        self.nears = Surplus()
        self.steady = Surplus()
        self.slow = 0
        self.quiet = 0

    @property
    def warm(self) -> bool:
        """Whether enough is known to call something unusual."""
        return self.volume.windows >= WARM

    def add(self, seen: Observation) -> Iterator[Anomaly]:
        """Count one call; what is unusual at once."""
        now = self.now
        now.calls += 1
        now.tokens += seen.tokens
        now.seconds += seen.seconds
        if len(now.ids) < 5 or seen.flagged:
            now.ids = [*now.ids[-9:], seen.id]
        if now.calls >= now.most_calls or now.tokens >= now.most_tokens:
            yield from self._busy(seen)
        if seen.flagged or seen.error or seen.blocked:
            yield from self._bad(seen)

    def _busy(self, seen: Observation) -> Iterator[Anomaly]:
        now = self.now
        if now.calls >= now.most_calls:
            usual = self.volume.expected(seen.at)
            now.most_calls = max(2 * now.calls, now.most_calls)
            yield self._anomaly("volume", seen, f"about {usual:.0f} calls in 5 minutes", f"{now.calls} so far", 0.9)
        if now.tokens >= now.most_tokens:
            usual = self.tokens.expected(seen.at)
            now.most_tokens = max(2 * now.tokens, now.most_tokens)
            yield self._anomaly("tokens", seen, f"about {usual:.0f} tokens in 5 minutes", f"{now.tokens} so far", 0.9)

    def _bad(self, seen: Observation) -> Iterator[Anomaly]:
        now = self.now
        now.errors += seen.error
        now.blocked += seen.blocked
        now.redacted += seen.redacted
        now.near += seen.near > 0
        now.leaks += seen.leaks
        now.leaky += seen.leaks > 0
        for kind, some, share, this in (
            ("errors", now.errors, self.errors, seen.error),
            ("refusals", now.blocked, self.refused, seen.blocked),
            ("redactions", now.redacted, self.redacted, seen.redacted),
            ("guardrail-probing", now.near, self.near, seen.near > 0),
        ):
            if this and some >= 6 and self.warm and share.strange(some, now.calls, now.start):
                usual = f"about {100 * share.mean:.1f} % of calls"
                yield self._anomaly(kind, seen, usual, f"{some} of {now.calls} in this window", 0.9)

    def turn(self, at: float, tide: float) -> Iterator[Anomaly]:
        """Close the window that ended, learn from it, and open the one that runs at this time."""
        now = self.now
        start = at // WINDOW * WINDOW
        yield from self._slow_ones(now)
        yield from self._steady_ones(now, tide)
        self.volume.learn(now.calls, now.start, tide)
        self.tokens.learn(now.tokens, now.start, tide)
        for share, some in (
            (self.errors, now.errors),
            (self.refused, now.blocked),
            (self.redacted, now.redacted),
            (self.near, now.near),
            (self.leaked, now.leaky),
        ):
            share.learn(some, now.calls, now.start)
        missed = min(int((start - now.start) / WINDOW) - 1, _IDLE)
        for turn in range(missed):
            gone = start - (missed - turn) * WINDOW
            self.volume.learn(0, gone)
            if self.steady.total:
                self.steady.add(0, 2 * self.volume.most(gone) + 1, gone)
            self.tokens.learn(0, gone)
        self.now = Now(start=start, first=at)
        if self.warm:
            self.now.most_calls = self.volume.ceiling(start, tide, RATIO, LEAST_CALLS, FAR)
            self.now.most_tokens = self.tokens.ceiling(start, tide, RATIO, LEAST_TOKENS, FAR * 1.5)

    def _slow_ones(self, now: Now) -> Iterator[Anomaly]:
        """What only whole windows show: latency, and answers that leak a little again and again."""
        if not now.calls:
            return
        mean = now.seconds / now.calls
        far = self.latency.strangeness(mean) > FAR / 2 and mean > 2 * self.latency.usual + 0.05
        self.slow = self.slow + 1 if far and now.calls >= 5 and self.warm else 0
        if self.slow == 2:
            usual = f"about {self.latency.usual:.2f} s a call"
            yield self._ended("latency", now, usual, f"{mean:.2f} s over 10 minutes", 0.7)
        self.latency.learn(mean)
        usual_leaks = now.calls * (self.leaked.mean + 0.5 / (self.leaked.calls + 50))
        if self.leaks.add(now.leaky, usual_leaks, now.start) and self.warm:
            usual = f"about {100 * self.leaked.mean:.1f} % of answers with sensitive values"
            told = f"{now.leaky} of {now.calls}, a surplus for a while"
            yield self._ended("exfiltration", now, usual, told, 0.9, self.leaks.tell())

    def _steady_ones(self, now: Now, tide: float) -> Iterator[Anomaly]:
        """What no window alone would show: more calls than ever for a while, or more that come near a threshold."""
        usual = self.volume.most(now.start) * tide
        strange = self.steady.add(now.calls, 2 * usual + 1, now.start)
        if strange and self.warm and now.calls > max(RATIO * usual, _SOME):
            told = f"{now.calls} in the last 5 minutes, a surplus for a while"
            yield self._ended("volume", now, f"about {usual:.1f} calls in 5 minutes", told, 0.8, self.steady.tell())
        often = now.calls * (self.near.mean + 0.5 / (self.near.calls + 50))
        if self.nears.add(now.near, often, now.start) and self.warm:
            told = f"{now.near} of {now.calls} in the last 5 minutes came near a threshold"
            expected = f"about {100 * self.near.mean:.1f} % of calls near a threshold"
            yield self._ended("guardrail-probing", now, expected, told, 0.8, self.nears.tell())

    def silent(self, now: Now) -> bool:
        """Whether the third window without any call ended, where calls are usual."""
        self.quiet = self.quiet + 1 if not now.calls and self.volume.expected(now.start) >= 8 else 0
        return self.quiet == 3 and self.warm

    def _anomaly(self, kind: str, seen: Observation, expected: str, told: str, score: float) -> Anomaly:
        ids = tuple(self.now.ids[-10:])
        return Anomaly(kind, self.subject, seen.at, self.now.first, expected, told, score, seen.endpoint, ids)

    def _ended(self, kind: str, now: Now, expected: str, told: str, score: float, since: float = 0.0) -> Anomaly:
        at = now.start + WINDOW
        return Anomaly(kind, self.subject, at, since or now.first, expected, told, score, "", tuple(now.ids[-10:]))

    def dump(self) -> list[Any]:
        """All that should outlive a restart, as plain values. The window that runs is not kept."""
        shares = (self.errors, self.refused, self.redacted, self.near, self.leaked)
        return [
            self.subject,
            self.born,
            self.volume.dump(),
            self.tokens.dump(),
            [self.latency.mean, self.latency.spread, self.latency.seen],
            [share.dump() for share in shares],
            [surplus.dump() for surplus in (self.leaks, self.nears, self.steady)],
            self.now.start,
        ]

    @classmethod
    def load(cls, data: Any) -> Profile:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        subject, born, volume, tokens, latency, shares, surpluses, start = data
        made = cls(str(subject), float(born))
        made.volume, made.tokens = Rhythm.load(volume), Rhythm.load(tokens)
        made.latency = Size(*latency)
        made.errors, made.refused, made.redacted, made.near, made.leaked = map(Share.load, shares)
        made.leaks, made.nears, made.steady = map(Surplus.load, surpluses)
        made.now = Now(start=float(start), first=float(start))
        return made
