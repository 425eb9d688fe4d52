"""Trace ids: UUID version 7 as 32 hex digits, so that they sort by time and are valid OpenTelemetry trace ids."""

from __future__ import annotations

from collections.abc import Callable


def uuid7(now_ms: Callable[[], int], random: Callable[[int], bytes]) -> Callable[[], str]:
    """A maker of ids out of a clock (Unix milliseconds) and a source of random bytes (RFC 9562, section 5.7)."""

    def make() -> str:
        noise = int.from_bytes(random(10), "big")
        high = (now_ms() & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | noise >> 64 & 0x0FFF
        low = 1 << 63 | noise & 0x3FFF_FFFF_FFFF_FFFF
        return f"{high:016x}{low:016x}"

    return make
