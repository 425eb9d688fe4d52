"""What is known of one caller, endpoint or agent: its usual behaviour, and the five minutes that run now.

Checks that can wait for no window (a burst, a wave of refusals) are made with each observation against numbers
computed when the window began; the others when it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, sqrt
from typing import Any

from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.baseline import Rhythm, Share, Size, Surplus
from akto_proxy.watch.now import EMPTY, Now
from akto_proxy.watch.observation import Observation
from akto_proxy.watch.peaks import ABOVE, Silence, Tops
from akto_proxy.watch.peers import WINDOW

DAY = 86_400.0
WARM = 288
"""Windows (a day of them) before a profile's own numbers are believed."""

RATIO = 4.0
LEAST_CALLS = 25.0
LEAST_TOKENS = 20_000.0
FAR = 8.0
_LARGE = 6.0
"""Deviations (of the logarithm) from which calls are of another size."""

_CROWD = 20
"""Calls of others in a window that say something about all."""

_HOURLY = exp(-WINDOW / 3600)
_SOME = 4
_IDLE = 2016  # windows without a call that are learned one by one; a longer absence teaches nothing more


class Profile:
    """One caller, endpoint or agent."""

    __slots__ = (
        "before",
        "born",
        "errors",
        "lately",
        "latency",
        "leaked",
        "leaks",
        "near",
        "nears",
        "now",
        "redacted",
        "refused",
        "silence",
        "sizes",
        "slow",
        "steady",
        "subject",
        "tokens",
        "tops",
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
        self.sizes = Size()
        self.tops = Tops()
        self.lately = 0.0
        self.silence = Silence()
        self.slow = 0
        self.before = EMPTY

    @property
    def start(self) -> float:
        """When the window that runs began."""
        return self.now.start

    @property
    def calls(self) -> int:
        """Calls in it."""
        return self.now.calls

    def usual(self, at: float) -> float:
        """The usual count of calls of a window at this time."""
        return self.volume.expected(at)

    @property
    def warm(self) -> bool:
        """Whether enough is known to call something unusual."""
        return self.volume.windows >= WARM

    def add(self, seen: Observation, around: Profile | None = None) -> Iterator[Anomaly]:
        """Count one call; what is unusual at once. `around` is the endpoint of a caller: what it shares with most of
        the others there is said of the endpoint.
        """
        now = self.now
        now.calls += 1
        now.tokens += seen.tokens
        now.seconds += seen.seconds
        if len(now.ids) < 5 or seen.flagged:
            now.ids = [*now.ids[-9:], seen.id]
        if now.calls >= now.most_calls or now.tokens >= now.most_tokens:
            yield from self._busy(seen)
        if seen.flagged or seen.error or seen.blocked:
            yield from self._bad(seen, around)

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

    def _bad(self, seen: Observation, around: Profile | None) -> Iterator[Anomaly]:
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
            if not this or some < 6 or not self.warm or not share.strange(some, now.calls, now.start):
                continue
            if around is None or not around.shared(kind, some, now):
                usual = f"about {100 * share.mean:.1f} % of calls"
                yield self._anomaly(kind, seen, usual, f"{some} of {now.calls} in this window", 0.9)

    def shared(self, kind: str, some: int, of: Now) -> bool:
        """Whether the other callers of this endpoint are as strange in the window in which one of them is."""
        mine = self.during(of.start)
        calls = mine.calls - of.calls
        every, share = {
            "errors": (mine.errors, self.errors),
            "refusals": (mine.blocked, self.refused),
            "redactions": (mine.redacted, self.redacted),
            "guardrail-probing": (mine.near, self.near),
        }[kind]
        return self.warm and calls >= _CROWD and share.strange(every - some, calls, of.start)

    def slowed(self, of: Now) -> bool:
        """Whether it is slow for the other callers too, in the window in which it is for one of them."""
        mine = self.during(of.start)
        calls = mine.calls - of.calls
        return self.warm and calls >= _CROWD and self._far((mine.seconds - of.seconds) / calls)

    def _far(self, seconds: float) -> bool:
        """Whether a call of so many seconds would be a slow one."""
        return self.latency.strangeness(seconds) > FAR / 2 and seconds > 2 * self.latency.usual + 0.05

    def turn(self, at: float, tide: float, around: Profile | None = None) -> Iterator[Anomaly]:
        """Close the window that ended, learn from it, and open the one that runs at this time."""
        now = self.now
        start = at // WINDOW * WINDOW
        yield from self._slow_ones(now, around)
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
            self._lately(0, gone)
            self.tokens.learn(0, gone)
        self.before, self.now = now, Now(start=start, first=at)
        if self.warm:
            self.now.most_calls = self.volume.ceiling(start, tide, RATIO, LEAST_CALLS, FAR)
            least = max(LEAST_TOKENS, self.sizes.far(_LARGE))
            self.now.most_tokens = self.tokens.ceiling(start, tide, RATIO, least, FAR * 1.5)

    def _slow_ones(self, now: Now, around: Profile | None) -> Iterator[Anomaly]:
        """What only whole windows show: latency, and answers that leak a little again and again."""
        if not now.calls:
            return
        mean = now.seconds / now.calls
        self.slow = self.slow + 1 if now.calls >= 5 and self.warm and self._far(mean) else 0
        if self.slow == 2 and (around is None or not around.slowed(now)):
            usual = f"about {self.latency.usual:.2f} s a call"
            yield self._ended("latency", now, usual, f"{mean:.2f} s over 10 minutes", 0.7)
        self.latency.learn(mean)
        yield from self._large_ones(now)
        usual_leaks = now.calls * (self.leaked.mean + 0.5 / (self.leaked.calls + 50))
        if self.leaks.add(now.leaky, usual_leaks, now.start) and self.warm:
            usual = f"about {100 * self.leaked.mean:.1f} % of answers with sensitive values"
            told = f"{now.leaky} of {now.calls}, a surplus for a while"
            yield self._ended("exfiltration", now, usual, told, 0.9, self.leaks.tell())

    def _large_ones(self, now: Now) -> Iterator[Anomaly]:
        """Calls of another size than this caller's, however many: what a busy caller's sum hides."""
        mean, usual = now.tokens / now.calls, self.sizes.usual
        far = mean > max(self.sizes.far(_LARGE), RATIO * usual)
        if far and now.calls >= 5 and now.tokens > LEAST_TOKENS and self.warm:
            yield self._ended("tokens", now, f"about {usual:.0f} tokens a call", f"{mean:.0f} over 5 minutes", 0.8)
        if now.tokens:
            self.sizes.learn(mean)

    def _steady_ones(self, now: Now, tide: float) -> Iterator[Anomaly]:
        """What no window alone would show: more calls than ever for a while, or more that come near a threshold."""
        usual, calls = self.volume.most(now.start), now.calls / tide
        self._lately(calls, now.start)
        high = ABOVE * self.tops.usual(now.start)
        strange = self.steady.add(calls, 2 * usual + 1, now.start) and self.lately > high + 2 * sqrt(high)
        if strange and self.warm and calls > max(RATIO * usual, _SOME):
            told = f"{now.calls} in the last 5 minutes, a surplus for a while"
            expected = f"about {usual * tide:.1f} calls in 5 minutes"
            yield self._ended("volume", now, expected, told, 0.8, self.steady.tell())
        often = now.calls * (self.near.mean + 0.5 / (self.near.calls + 50))
        if self.nears.add(now.near, often, now.start) and self.warm:
            told = f"{now.near} of {now.calls} in the last 5 minutes came near a threshold"
            expected = f"about {100 * self.near.mean:.1f} % of calls near a threshold"
            yield self._ended("guardrail-probing", now, expected, told, 0.8, self.nears.tell())

    def during(self, start: float) -> Now:
        """The window that began then, the one that runs or the one before; an empty one when it is neither."""
        return next((item for item in (self.now, self.before) if item.start == start), EMPTY)

    def _lately(self, calls: float, at: float) -> None:
        """Calls of about the last hour, and how many that usually are when it is busy."""
        self.lately = self.lately * _HOURLY + calls
        self.tops.learn(self.lately, at)

    def silent(self, now: Now) -> bool:
        """Whether a window ended in which a silence became strange."""
        if now.calls or not self.warm:
            self.silence.end()
            return False
        return self.silence.add(self.volume.expected(now.start), now.start)

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
            [[item.mean, item.spread, item.seen] for item in (self.latency, self.sizes)],
            [share.dump() for share in shares],
            [surplus.dump() for surplus in (self.leaks, self.nears, self.steady)],
            self.now.start,
            [self.lately, self.tops.dump(), self.silence.dump()],
        ]

    @classmethod
    def load(cls, data: Any) -> Profile:
        """What `dump` gave. Raises TypeError or ValueError when it is not that."""
        subject, born, volume, tokens, sizes, shares, surpluses, start, (lately, tops, silence) = data
        made = cls(str(subject), float(born))
        made.volume, made.tokens = Rhythm.load(volume), Rhythm.load(tokens)
        made.latency, made.sizes = (Size(*size) for size in sizes)
        made.lately, made.tops, made.silence = float(lately), Tops.load(tops), Silence.load(silence)
        made.errors, made.refused, made.redacted, made.near, made.leaked = map(Share.load, shares)
        made.leaks, made.nears, made.steady = map(Surplus.load, surpluses)
        made.now = Now(start=float(start), first=float(start))
        return made
