"""How callers behave: what they use for the first time, where their credential comes from, what they try.

A thing is news only for somebody who is known well enough to have habits (a day), and only while hardly anybody else
uses it: a model that three callers use is a launch, not an intruder. Each table is bounded, least recently used first.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from akto_proxy.watch.anomaly import Anomaly
from akto_proxy.watch.observation import Observation
from akto_proxy.watch.profile import DAY, WARM
from akto_proxy.watch.sketch import Seen, digest

HOUR = 3600.0
COMMON = 3
"""Callers that make a thing common."""

_NEAR_BITS = 14
_VARIANTS = 6
_NETWORKS = 6
_MOST_NETWORKS = 64
_FIRSTS = (("model", "new-model"), ("tool", "new-tool"), ("country", "new-country"), ("client", "new-client"))
_TURNS = 4
_BUILT = 1.6
_CALM = 0.98
"""What is left of a session's risk after a harmless turn: a job of hundreds of calls has some that look bad."""
_MOST_ENTITIES = 500

T = TypeVar("T")


class Recent(Generic[T]):
    """The things used last, a bounded number."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._things: OrderedDict[str, T] = OrderedDict()

    def get(self, name: str) -> T | None:
        """One of them, which is then the newest."""
        found = self._things.get(name)
        if found is not None:
            self._things.move_to_end(name)
        return found

    def put(self, name: str, thing: T) -> T:
        """Add or replace one."""
        self._things[name] = thing
        self._things.move_to_end(name)
        if len(self._things) > self._room:
            self._things.popitem(last=False)
        return thing

    def items(self) -> list[tuple[str, T]]:
        """All, oldest first."""
        return list(self._things.items())

    def __len__(self) -> int:
        return len(self._things)


@dataclass(slots=True)
class _Places:
    """Where a credential was used from in the last hour, and how many places are usual."""

    born: float
    last: str = ""
    usual: float = 1.0
    day: int = 0
    most: int = 1
    networks: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Probe:
    """Prompts of a caller that a guardrail objected to, and how many looked alike."""

    since: float
    prints: list[int] = field(default_factory=list)
    alike: int = 0
    ids: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Talk:
    """A session: how risk built up."""

    since: float
    risky: int = 0
    risk: float = 0.0
    told: bool = False
    ids: list[str] = field(default_factory=list)


class Conduct:
    """The detectors that need no window.

    Args:
        sessions: remembered at most.
        callers: remembered at most.
        seed: keys the sketches.
    """

    def __init__(self, sessions: int, callers: int, seed: bytes) -> None:
        self._seed = seed
        self._seen = Seen()
        self._habits: Recent[tuple[str, ...]] = Recent(callers)
        self._users: Recent[set[int]] = Recent(5_000)
        self._places: Recent[_Places] = Recent(callers)
        self._probes: Recent[_Probe] = Recent(2_000)
        self._talks: Recent[_Talk] = Recent(sessions)
        self._entities: dict[str, float] = {}
        self._born: dict[str, float] = {}

    def add(self, seen: Observation, windows: int) -> list[Anomaly]:
        """What is unusual about one call of a caller known for so many windows."""
        found: list[Anomaly] = []
        habit = (seen.endpoint, seen.model, seen.tool, seen.country, seen.client)
        if self._habits.get(seen.who) != habit:
            self._habits.put(seen.who, habit)
            found += self._firsts(seen, windows)
        if seen.key and seen.ip:
            found += self._from(seen)
        if seen.entities:
            found += self._kinds(seen)
        if seen.prompt and (seen.blocked or seen.near):
            found += self._tries(seen)
        if seen.session and (seen.risk or seen.flagged):
            found += self._builds(seen)
        elif seen.session and (talk := self._talks.get(seen.session)) is not None:
            talk.risk *= _CALM
        return found

    def _firsts(self, seen: Observation, windows: int) -> Iterator[Anomaly]:
        for name, kind in _FIRSTS:
            value = getattr(seen, name)
            if not value:
                continue
            common = self._common(seen, name, value)
            if not self._seen.add(digest(self._seed, seen.who, name, value)) or windows < WARM:
                continue
            if name == "country" or not common:
                yield _news(kind, seen, f"a {name} this caller used before", f"{name} {value[:60]} for the first time")

    def _common(self, seen: Observation, name: str, value: str) -> bool:
        label = f"{seen.endpoint}\x00{name}\x00{value}"
        users = self._users.get(label)
        if users is None:
            users = self._users.put(label, set())
        if len(users) >= COMMON:
            return True
        users.add(digest(self._seed, seen.who))
        return len(users) >= COMMON

    def _from(self, seen: Observation) -> Iterator[Anomaly]:
        places = self._places.get(seen.key) or self._places.put(seen.key, _Places(seen.at))
        if places.last == seen.ip:
            return
        places.last = seen.ip
        places.networks[network(seen.ip)] = seen.at
        day = int(seen.at // DAY)
        if day != places.day:
            places.usual += 0.3 * (min(places.most, 3 * places.usual + 1) - places.usual)
            places.day, places.most = day, 1
        if len(places.networks) > places.most:
            places.networks = {
                name: at for name, at in list(places.networks.items())[-_MOST_NETWORKS:] if seen.at - at <= HOUR
            }
        count = len(places.networks)
        known = seen.at - places.born >= DAY
        if count > places.most:
            places.most = count
            if known and count >= max(_NETWORKS, 3 * places.usual):
                usual = f"about {places.usual:.0f} networks in an hour"
                yield _news("credential-sharing", seen, usual, f"one credential from {count} networks in an hour", 0.9)

    def _kinds(self, seen: Observation) -> Iterator[Anomaly]:
        born = self._born.get(seen.endpoint)
        if born is None:
            if len(self._born) >= _MOST_ENTITIES:
                self._born.clear()
            born = self._born[seen.endpoint] = seen.at
        for entity in seen.entities:
            name = f"{seen.endpoint}\x00{entity}"
            if name in self._entities:
                continue
            if len(self._entities) >= _MOST_ENTITIES:
                return
            self._entities[name] = seen.at
            if seen.at - born >= 3 * DAY:
                subject = f"endpoint {seen.endpoint}"
                told = f"{entity[:60]} for the first time"
                yield _news("new-entity", seen, "entity types seen before", told, subject=subject)

    def _tries(self, seen: Observation) -> Iterator[Anomaly]:
        probe = self._probes.get(seen.who)
        if probe is None or seen.at - probe.since > HOUR:
            probe = self._probes.put(seen.who, _Probe(seen.at))
        alike = any(0 < (seen.prompt ^ other).bit_count() <= _NEAR_BITS for other in probe.prints)
        probe.prints = [*probe.prints[-15:], seen.prompt]
        probe.ids = [*probe.ids[-9:], seen.id]
        probe.alike += alike
        if alike and probe.alike == _VARIANTS:
            told = f"{probe.alike + 1} prompts that differ little, each objected to"
            yield _news(
                "probing", seen, "no variants of refused prompts", told, 0.9, since=probe.since, ids=tuple(probe.ids)
            )

    def _builds(self, seen: Observation) -> Iterator[Anomaly]:
        talk = self._talks.get(seen.session) or self._talks.put(seen.session, _Talk(seen.at))
        if not seen.risk:
            return
        talk.risky += 1
        talk.risk = 0.95 * talk.risk + seen.risk
        talk.ids = [*talk.ids[-9:], seen.id]
        if talk.risky >= _TURNS and talk.risk >= _BUILT and not talk.told:
            talk.told = True
            told = f"{talk.risky} risky turns, together {talk.risk:.1f}"
            subject = f"session {seen.session[:64]}"
            yield _news(
                "build-up", seen, "single risky turns at most", told, 0.9,
                since=talk.since, ids=tuple(talk.ids), subject=subject,
            )  # fmt: skip

    def dump(self) -> dict[str, Any]:
        """What should outlive a restart: what was seen, who uses what, where credentials come from."""
        young, old, count = self._seen.dump()
        return {
            "seen": [b64encode(young).decode(), b64encode(old).decode(), count],
            "users": [[name, list(users)] for name, users in self._users.items()],
            "places": [[name, item.born, item.usual, item.day, item.most] for name, item in self._places.items()],
            "entities": self._entities,
            "born": self._born,
        }

    def load(self, data: Any) -> None:
        """Take up what `dump` gave. Raises KeyError, TypeError or ValueError when it is not that."""
        young, old, count = data["seen"]
        self._seen.load(b64decode(young), b64decode(old), int(count))
        for name, users in data["users"]:
            self._users.put(str(name), set(users))
        for name, born, usual, day, most in data["places"]:
            self._places.put(str(name), _Places(float(born), "", float(usual), int(day), int(most)))
        self._entities = {str(name): float(at) for name, at in data["entities"].items()}
        self._born = {str(name): float(at) for name, at in data["born"].items()}

    def sizes(self) -> dict[str, int]:
        """How much is remembered."""
        return {"sessions": len(self._talks), "credentials": len(self._places), "probes": len(self._probes)}


def network(ip: str) -> str:
    """The /24 or /48 an address is in: one office or one phone is one place."""
    if ":" in ip:
        return ":".join(ip.split(":")[:3])
    return ip.rpartition(".")[0]


def _news(
    kind: str,
    seen: Observation,
    expected: str,
    told: str,
    score: float = 0.7,
    *,
    since: float = 0.0,
    ids: tuple[str, ...] = (),
    subject: str = "",
) -> Anomaly:
    return Anomaly(
        kind,
        subject or f"caller {seen.who}",
        seen.at,
        since or seen.at,
        expected,
        told,
        score,
        seen.endpoint,
        ids or (seen.id,),
    )
