"""Pictures and tables of what bench/peers.py measured: docs/benchmarks.json -> docs/bench/*.svg and docs/benchmarks.md.

    python bench/draw.py

The bars are drawn as SVG text: a plotting library for seven bars would be the largest dependency of the project. The
scale is logarithmic, since the slowest costs a thousand times the fastest; each bar carries its number.
"""

from __future__ import annotations

import html
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATA = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- made by bench/draw.py -->", "<!-- end of bench/draw.py -->"
LEFT, BAR, WIDTH = 290, 24, 860
OURS = "ours, guarding"


def bars(title: str, unit: str, rows: Sequence[tuple[str, float]]) -> str:
    """One picture of horizontal bars on a logarithmic scale."""
    rows = sorted((row for row in rows if row[1]), key=lambda row: row[1])
    low = 10 ** math.floor(math.log10(min(value for _, value in rows)))
    span = math.log10(max(value for _, value in rows) / low)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {60 + BAR * len(rows)}" role="img" '
        f'aria-label="{html.escape(title)}" font-family="system-ui, sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="600" fill="#111827">{html.escape(title)}</text>',
    ]
    for at, (name, value) in enumerate(rows):
        y = 42 + at * BAR
        long = max(3, (WIDTH - LEFT - 110) * math.log10(value / low) / span)
        colour = "#2563eb" if name.startswith("ours") else "#9ca3af"
        out += [
            f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end" fill="#111827">{html.escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 2}" width="{long:.0f}" height="{BAR - 6}" rx="2" fill="{colour}"/>',
            f'<text x="{LEFT + long + 6:.0f}" y="{y + 15}" fill="#374151">{_number(value)} {html.escape(unit)}</text>',
        ]
    return "\n".join([*out, "</svg>", ""])


def _number(value: float | None) -> str:
    if value is None or not value:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def table(data: dict[str, Any]) -> str:
    """The figures as Markdown, with the ratio to ours."""
    peers = {row["name"]: row for row in data["peers"]}
    ours = peers.get(OURS, {}).get("request_us", {}).get("1 KB")
    direct = peers.get("(no proxy)", {})
    lines = [
        "| | version | CPU us a request, 1 KB | 8 KB | 64 KB | times ours | CPU us an event "
        "| one caller p50 ms | p99 ms | first event ms | memory MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in data["peers"]:
        own = row["name"] != "(no proxy)"
        size = row["request_us"]
        times = _number(size["1 KB"] / ours) if own and ours and size.get("1 KB") else "-"
        cells = [row["name"], row["version"] or "-"]
        cells += [_number(size.get(name)) if own else "-" for name in ("1 KB", "8 KB", "64 KB")]
        cells += [times, _number(row["event_us"]) if own else "-"]
        cells += [
            f"{row[name] / 1000:.2f}" if row[name] else "-"
            for name in ("alone_p50_us", "alone_p99_us", "first_event_us")
        ]
        lines.append(f"| {' | '.join([*cells, _number(row['memory_mb'])])} |")
    load, rounds, seconds = data["load"][0], data["rounds"], data["seconds"]
    said = f"Load of the machine at the end: {load}; {rounds} rounds of {seconds:g} s; {data['date']}."
    left_out = f" Left out: {', '.join(data['absent'])}." if data["absent"] else ""
    first = f" With no proxy one caller waits {(direct.get('alone_p50_us') or 0) / 1000:.2f} ms." if direct else ""
    return "\n".join([*lines, "", said + first + left_out])


def main() -> None:
    """Draw all."""
    data = json.loads(DATA.read_text("utf-8"))
    folder = ROOT / "docs" / "bench"
    folder.mkdir(exist_ok=True)
    peers = [row for row in data["peers"] if row["name"] != "(no proxy)"]
    pictures = {
        "request": (
            "CPU of the proxy a request (1 KB question, 1.2 KB answer)",
            "us",
            [row["request_us"].get("1 KB") for row in peers],
        ),
        "event": ("CPU of the proxy a streamed event", "us", [row["event_us"] for row in peers]),
        "memory": ("Memory after the run", "MB", [row["memory_mb"] for row in peers]),
    }
    for name, (title, unit, values) in pictures.items():
        pairs = [(row["name"], value) for row, value in zip(peers, values, strict=True) if value]
        (folder / f"{name}.svg").write_text(bars(title, unit, pairs), "utf-8")
    page = PAGE.read_text("utf-8")
    images = "\n".join(f"![{title}](bench/{name}.svg)" for name, (title, _, _) in pictures.items())
    made = f"{BEGIN}\n\n{table(data)}\n\n{images}\n\n{END}"
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + made + after, "utf-8")


if __name__ == "__main__":
    main()
