"""How numbers, times and sizes read on a page: short, in one way everywhere, with the exact value in the title."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

_STEPS = ((31_536_000, "y"), (2_592_000, "mo"), (86_400, "d"), (3_600, "h"), (60, "min"))


def number(value: float) -> str:
    """1,234 up to 99,999, then 123k, 1.2M."""
    size = abs(value)
    if size < 100_000:
        return f"{value:,.0f}"
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= limit:
            scaled = value / limit
            return f"{scaled:.0f}{unit}" if abs(scaled) >= 100 else f"{scaled:.1f}{unit}"
    return f"{value:,.0f}"  # pragma: no cover - the table ends at 1e3


def amount(value: float) -> str:
    """A number that may be a small part of one, as money is: three digits where `number` would round them away."""
    return f"{value:.3g}" if 0 < abs(value) < 100 and value != int(value) else number(value)


def micros(value: float) -> str:
    """Microseconds as `85 µs`, `4.2 ms`, `1.30 s`."""
    if value < 1_000:
        return f"{value:.0f} µs"
    if value < 1_000_000:
        return f"{value / 1_000:.1f} ms" if value < 100_000 else f"{value / 1_000:.0f} ms"
    return f"{value / 1_000_000:.2f} s" if value < 100_000_000 else f"{value / 1_000_000:.0f} s"


def span(seconds: float) -> str:
    """A length of time in its largest whole unit: `30 s`, `5 min`, `1 d`."""
    for step, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= step and seconds % step == 0:
            return f"{seconds / step:.0f} {unit}"
    return f"{seconds:g} s"


def size(value: float) -> str:
    """Bytes as `812 B`, `4.1 KB`, `2.0 GB` (powers of 1,000)."""
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if value >= limit:
            return f"{value / limit:.1f} {unit}"
    return f"{value:.0f} B"


def percent(part: float, whole: float) -> str:
    """A share as `12 %`; `0.4 %` below one; `<0.1 %` for what is there but rare."""
    if not whole:
        return "0 %"
    share = 100 * part / whole
    if share == 0 or share >= 1:
        return f"{share:.0f} %"
    return f"{share:.1f} %" if share >= 0.1 else "<0.1 %"


def change(now: float, before: float) -> str:
    """The change against the time before as `12 % more than before`, or words where there is nothing to compare."""
    if not before:
        return "none before" if now else "none before either"
    share = 100 * (now - before) / before
    return f"{abs(share):.0f} % {'more' if share > 0 else 'less'} than before" if abs(share) >= 0.5 else "as before"


def iso(at: float) -> str:
    """ISO 8601 in UTC."""
    return _utc(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(at: float) -> str:
    """A moment in full: `2025-11-24 07:14:03.120 UTC`."""
    return _utc(at).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")


def hms(at: float) -> str:
    """`07:14:03` in UTC; the browser turns it into local time."""
    return _utc(at).strftime("%H:%M:%S")


def day(at: float) -> str:
    """`24 Nov 2025`."""
    return _utc(at).strftime("%-d %b %Y")


def ago(clock: Callable[[], float]) -> Callable[[float], str]:
    """A filter that says how long since a moment, or until it."""

    def words(at: float) -> str:
        seconds = clock() - at
        span = abs(seconds)
        if span < 10:
            return "now"
        text = f"{span:.0f} s"
        for step, unit in _STEPS:
            if span >= step:
                text = f"{span / step:.0f} {unit}"
                break
        return f"{text} ago" if seconds > 0 else f"in {text}"

    return words


def whom(subject: str) -> str:
    """Who an incident is about, as people say it: `caller key:ebda63b12b5a5bd9 (ada)` is `ada, key ebda63b1`."""
    kind, _, rest = subject.partition(" ")
    if kind != "caller":
        return subject or "this deployment"
    field, _, value = rest.partition(":")
    value, _, said = value.partition(" (") if field == "key" else (value, "", "")  # others choose all of their name
    shown = f"key {value[:8]}" if field == "key" else value or rest
    return f"{said.removesuffix(')')}, {shown}" if said else shown


def times(count: int) -> str:
    """How often, after a title: nothing for once, `, 3 times` for more."""
    return "" if count < 2 else f", {number(count)} times"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def browser(agent: str) -> str:
    """`Firefox 145 on Linux` of a User-Agent header; what is not of a browser stays as it is, cut short."""
    mark, name = next(((mark, name) for mark, name in _BROWSERS if mark in agent), ("", ""))
    if not mark:
        return agent[:60] or "unknown"
    mark = "Version/" if name == "Safari" and "Version/" in agent else mark
    version = agent.partition(mark)[2].partition(".")[0].partition(" ")[0][:4]
    system = next((system for mark, system in _SYSTEMS if mark in agent), "")
    return f"{name} {version}".strip() + (f" on {system}" if system else "")


def points(values: Sequence[float], width: float, height: float) -> str:
    """An SVG polyline through `values`, from zero at the bottom."""
    most = max(values) or 1
    step = width / max(1, len(values) - 1)
    return " ".join(f"{i * step:.1f},{height - 1 - (height - 2) * v / most:.1f}" for i, v in enumerate(values))


def query(keep: dict[str, str], **change: str) -> str:
    """A query string of what is kept with what changes; empty values are left out."""
    merged = {key: value for key, value in {**keep, **change}.items() if value not in ("", None)}
    return "?" + urlencode(merged, doseq=True) if merged else "?"


def _utc(at: float) -> dt.datetime:
    # A corrupt clock must not take a page down: outside the calendar, the epoch stands in.
    try:
        return dt.datetime.fromtimestamp(at, tz=dt.UTC)
    except (OverflowError, OSError, ValueError):
        return dt.datetime.fromtimestamp(0, tz=dt.UTC)
