"""The watch: observations in, anomalies out, online and in bounded memory.

The busiest callers have a profile each; a name that was seen a few times only is counted in a sketch and shares the
profile of strangers, so a million invented callers cost no more than the sketch. A launch moves everybody: how much
busier than usual the callers of an endpoint are is part of what is expected of each, and is told once, about the
endpoint.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.conduct import Conduct
from akto_proxy.watch.observation import Observation
from akto_proxy.watch.peers import WINDOW, Peers
from akto_proxy.watch.profile import Profile
from akto_proxy.watch.sketch import CountMin, digest

STRANGERS = "caller (strangers)"
_ADMIT = 3
_VERSION = 4


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How much is remembered, and how long one cause stays quiet after it was told (seconds)."""

    callers: int = 5_000
    endpoints: int = 200
    agents: int = 500
    sessions: int = 5_000
    keep: int = 2_000
    cooldown: float = 1_800.0


@dataclass(slots=True)
class WatchCounters:
    """What the watch did, for metrics."""

    observed: int = 0
    strangers: int = 0
    forgotten: int = 0
    anomalies: dict[str, int] = field(default_factory=dict)


class Watch:
    """Baselines and detectors of one deployment.

    Args:
        options: bounds.
        seed: keys the sketches, so that nobody can aim at a collision.
    """

    def __init__(self, options: WatchOptions | None = None, seed: bytes = b"") -> None:
        self._options = options or WatchOptions()
        self._seed = seed
        limits = {"caller": self._options.callers, "endpoint": self._options.endpoints, "agent": self._options.agents}
        self._room = limits
        self._profiles: dict[str, OrderedDict[str, Profile]] = {kind: OrderedDict() for kind in limits}
        self._often = CountMin()
        self._counted = 0
        self._peers: OrderedDict[str, Peers] = OrderedDict()
        self._conduct = Conduct(self._options.sessions, self._options.callers, seed)
        self._told: OrderedDict[tuple[str, str], float] = OrderedDict()
        self.counters = WatchCounters()

    def feed(self, seen: Observation) -> list[Anomaly]:
        """One exchange: what is unusual about it, at once."""
        self.counters.observed += 1
        found: list[Anomaly] = []
        caller, endpoint = self._caller(seen), self._profile("endpoint", seen.endpoint, seen.at)
        self._into(caller, seen, found, endpoint)
        self._into(endpoint, seen, found)
        if seen.agent:
            self._into(self._profile("agent", seen.agent, seen.at), seen, found)
        found += self._conduct.add(seen, caller.volume.windows)
        return self._fresh(found) if found else found

    def tick(self, at: float) -> list[Anomaly]:
        """Time passes: close the windows of endpoints and agents that nobody calls."""
        found: list[Anomaly] = []
        for kind in ("endpoint", "agent"):
            for profile in list(self._profiles[kind].values()):
                if at >= profile.now.start + WINDOW + 5:
                    found += self._turn(profile, at, profile.subject.partition(" ")[2] if kind == "endpoint" else "")
        return self._fresh(found)

    def _into(self, profile: Profile, seen: Observation, found: list[Anomaly], around: Profile | None = None) -> None:
        if seen.at >= profile.now.start + WINDOW:
            found += self._turn(profile, seen.at, seen.endpoint, around)
        found.extend(profile.add(seen, around))

    def _turn(self, profile: Profile, at: float, endpoint: str, around: Profile | None = None) -> Iterator[Anomaly]:
        now, peers = profile.now, self._peers_of(endpoint)
        kind, _, name = profile.subject.partition(" ")
        if kind == "caller" and profile.warm:
            peers.add(name, profile)
        tide = peers.factor(at)
        if kind == "endpoint":
            yield from self._shared(peers, name, at)
            if profile.silent(now):
                usual, windows = profile.volume.expected(now.start), profile.silence.windows
                yield Anomaly(
                    "silence", profile.subject, at, now.start - (windows - 1) * WINDOW,
                    f"about {usual:.0f} calls in 5 minutes", f"none in {windows * WINDOW / 60:.0f} minutes", 0.8, name,
                )  # fmt: skip
        yield from profile.turn(at, tide, around)

    @staticmethod
    def _shared(peers: Peers, endpoint: str, at: float) -> Iterator[Anomaly]:
        """What most callers of an endpoint do together, once."""
        surge = peers.surge()
        if surge is not None:
            yield Anomaly(
                "surge", f"endpoint {endpoint}", at, surge.since, "about as busy as usual at this hour",
                f"{surge.factor:.1f} times as busy, shared by {surge.callers} of {surge.of} callers", 0.7, endpoint,
            )  # fmt: skip

    def _peers_of(self, endpoint: str) -> Peers:
        found = self._peers.get(endpoint)
        if found is None:
            found = self._peers[endpoint] = Peers()
            if len(self._peers) > self._options.endpoints:
                self._peers.popitem(last=False)
        else:
            self._peers.move_to_end(endpoint)
        return found

    def _caller(self, seen: Observation) -> Profile:
        known = self._profiles["caller"].get(seen.who)
        if known is not None:
            self._profiles["caller"].move_to_end(seen.who)
            return known
        self._counted += 1
        if self._counted >= 1_000_000:
            self._often.halve()
            self._counted = 0
        if self._often.add(digest(self._seed, seen.who)) <= _ADMIT:
            self.counters.strangers += 1
            return self._profile("caller", "(strangers)", seen.at)
        return self._profile("caller", seen.who, seen.at)

    def _profile(self, kind: str, name: str, at: float) -> Profile:
        table = self._profiles[kind]
        found = table.get(name)
        if found is None:
            if len(table) >= self._room[kind]:
                table.popitem(last=False)
                self.counters.forgotten += 1
            found = table[name] = Profile(f"{kind} {name}", at)
        else:
            table.move_to_end(name)
        return found

    def _fresh(self, found: list[Anomaly]) -> list[Anomaly]:
        """Without what was told a short while ago."""
        fresh = []
        for item in found:
            name = (item.kind, item.subject)
            if item.at - self._told.get(name, -1e18) < self._options.cooldown:
                continue
            self._told[name] = item.at
            self._told.move_to_end(name)
            if len(self._told) > 10_000:
                self._told.popitem(last=False)
            self.counters.anomalies[item.kind] = self.counters.anomalies.get(item.kind, 0) + 1
            fresh.append(item)
        return fresh

    def dump(self) -> bytes:
        """What should outlive a restart; of the profiles, those used last."""
        profiles = {
            kind: [[name, item.dump()] for name, item in list(table.items())[-self._options.keep :]]
            for kind, table in self._profiles.items()
        }
        peers = [[name, item.dump()] for name, item in self._peers.items()]
        state = {"version": _VERSION, "profiles": profiles, "peers": peers, "conduct": self._conduct.dump()}
        return zlib.compress(orjson.dumps(state), 1)

    def load(self, data: bytes) -> bool:
        """Take up what `dump` gave; False (and as new) when it cannot be read."""
        try:
            state = orjson.loads(zlib.decompress(data))
            if state["version"] != _VERSION:
                return False
            profiles = {
                kind: OrderedDict((name, Profile.load(item)) for name, item in state["profiles"][kind])
                for kind in self._room
            }
            peers = OrderedDict((str(name), Peers.load(item)) for name, item in state["peers"])
            self._conduct.load(state["conduct"])
        except (zlib.error, ValueError, KeyError, TypeError):
            return False
        self._profiles, self._peers = profiles, peers
        return True

    def sizes(self) -> dict[str, Any]:
        """How much is remembered, for metrics."""
        return {kind: len(table) for kind, table in self._profiles.items()} | self._conduct.sizes()
