"""What proposed limits would have refused: the same calls against their buckets, call by call.

As if what a call uses were known when it begins, so it is a little kinder to large calls than the real gate, which
holds back an estimate first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import heappop, heappush

from akto_proxy.limits.learn import KINDS, Found, Use
from akto_proxy.limits.samples import MOST_CALLERS
from akto_proxy.limits.schema import Limit

_BUCKETS = 1_000_000


class Rehearsal:
    """Proposed limits and their buckets.

    Args:
        found: those with a limit.
        prices: as in Terms.
    """

    def __init__(self, found: Iterable[Found], prices: Mapping[str, tuple[float, float]] | None = None) -> None:
        self._prices = Limit(name="prices", count="cost", limit=1, prices=dict(prices)) if prices else None
        self._limits: dict[str, list[tuple[int, Found, Limit]]] = {}
        for item in found:
            limit = Limit(**item.entry("enforce", prices))
            self._limits.setdefault(item.endpoint, []).append((KINDS.index(item.kind), item, limit))
        self._full: dict[tuple[str, str], int] = {}
        self._running: dict[tuple[str, str], list[float]] = {}
        self._refused: Counter[str] = Counter()
        self._whom: dict[str, set[str]] = {}

    def add(self, use: Use) -> None:
        """One call, in the order in which they began."""
        for number, item, limit in self._limits.get(use.endpoint, ()):
            caller = use.callers[number]
            if caller and not self._passes(item, limit, caller, use):
                self._refused[item.name] += 1
                whom = self._whom.setdefault(item.name, set())
                if len(whom) < MOST_CALLERS:
                    whom.add(caller)

    def _passes(self, item: Found, limit: Limit, caller: str, use: Use) -> bool:
        bucket = (item.name, caller)
        if limit.count == "concurrent":
            ends = self._running.setdefault(bucket, [])
            while ends and ends[0] <= use.at:
                heappop(ends)
            if len(ends) >= limit.capacity:
                return False
            heappush(ends, use.at + max(1e-6, use.seconds))
            return True
        amount = 1.0 if limit.count == "requests" else limit.spent(use.model, use.prompt, use.completion, 0)
        now, charge = int(use.at * 1e9), limit.charge(amount)
        level = max(0, self._full.get(bucket, 0) - now)
        if charge and level + charge > limit.capacity:
            return False
        if len(self._full) >= _BUCKETS and bucket not in self._full:
            self._full = {name: at for name, at in self._full.items() if at > now}
        self._full[bucket] = now + level + charge
        return True

    def refused(self, item: Found) -> tuple[int, int]:
        """Calls that it would have refused, and of how many callers."""
        return self._refused[item.name], len(self._whom.get(item.name, ()))
