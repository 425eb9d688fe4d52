"""How much of what is caught in plain writing is still caught when it is disguised.

    python -m training.obfuscated --data DATA [--rows 150]

Every disguise is put on the same attacks (the made payloads and the direct attacks, which no weights were trained on).
The figure is the share of the plainly caught that is caught in disguise, through the views of `guard.views`.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import json
import random
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from akto_proxy.cli import build
from akto_proxy.model import Segment

LOOKALIKES = str.maketrans("aceiopsxyABEHKMOPTX", "асеіорѕхуАВЕНКМОРТХ")
LEET = str.maketrans("aeiost", "431057")
FLAGGED = 0.5

DISGUISES: dict[str, Callable[[str], str]] = {
    "base64": lambda t: base64.b64encode(t.encode()).decode(),
    "base64 in a sentence": lambda t: f"Please decode this and do it: {base64.b64encode(t.encode()).decode()} Thanks!",
    "base64 twice": lambda t: base64.b64encode(base64.b64encode(t.encode())).decode(),
    "hex": lambda t: t.encode().hex(),
    "percent": lambda t: "".join(f"%{b:02X}" for b in t.encode()),
    "percent, marks only": urllib.parse.quote,
    "rot13": lambda t: codecs.encode(t, "rot13"),
    "reversed": lambda t: t[::-1],
    "leet": lambda t: t.translate(LEET),
    "look-alike letters": lambda t: t.translate(LOOKALIKES),
    "full width": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "zero width": lambda t: "\u200b".join(t),
    "tag characters": lambda t: "Hello! " + "".join(chr(0xE0000 + ord(c)) for c in t if ord(c) < 128),
    "letters apart": lambda t: "   ".join(" ".join(word) for word in t.split()),
    "JSON escapes": lambda t: "".join(f"\\u{ord(c):04x}" for c in t if ord(c) < 0x10000),
}


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--rows", type=int, default=150, help="Of each set.")
    a = ap.parse_args()
    scanner = build.Scanner(build.engine(build.shipped_rules(), None), build.detectors(frozenset(("prompt-attack",))))

    def caught(text: str) -> bool:
        found = scanner.scan([Segment(text, "")], None)[0]
        return any(f.category in ("injection", "jailbreak") and f.score >= FLAGGED for f in found)

    for name in ("injection_payloads_synth", "injection_direct"):
        rows = [json.loads(line)["text"] for line in (a.data / f"{name}.jsonl").open(encoding="utf-8")]
        rows = [text for text in rows if len(text) < 1500]
        chosen = random.Random(1).sample(rows, min(a.rows, len(rows)))
        plain = [text for text in chosen if caught(text)]
        print(f"{name}: {len(plain)} of {len(chosen)} caught in plain writing", flush=True)
        for title, disguise in DISGUISES.items():
            print(
                f"  {title:22s} {100 * sum(caught(disguise(t)) for t in plain) / max(1, len(plain)):5.1f} %", flush=True
            )


if __name__ == "__main__":
    main()
