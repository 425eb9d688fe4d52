"""Trace ids: UUID version 7 as 32 hex digits, so that they sort by time and are valid OpenTelemetry trace ids.

Random bytes are fetched for many ids at once, because asking the kernel costs more than all else about an id. The
trade-off: bytes of ids that were not made yet lie in memory, so do not fork a process that has made one.
"""

from __future__ import annotations

from collections.abc import Callable

_EACH = 10
"""Random bytes of an id."""
AT_ONCE = 128
"""Ids whose random bytes are fetched together."""


def uuid7(now_ms: Callable[[], int], random: Callable[[int], bytes]) -> Callable[[], str]:
    """A maker of ids out of a clock (Unix milliseconds) and a source of random bytes (RFC 9562, section 5.7)."""
    pool: list[bytes] = []

    def make() -> str:
        if not pool:
            fresh = random(_EACH * AT_ONCE)
            pool.extend([fresh[at : at + _EACH] for at in range(0, len(fresh), _EACH)])
        noise = int.from_bytes(pool.pop(), "big")
        high = (now_ms() & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | noise >> 64 & 0x0FFF
        low = 1 << 63 | noise & 0x3FFF_FFFF_FFFF_FFFF
        return f"{high << 64 | low:032x}"

    return make
