"""How surprising each pair of Latin letters is, for the gibberish detector.

    python -m training.train_letters --data DATA --out FILE

Learned from permitted texts and the sentences of many languages in `slots_languages.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from akto_proxy.guard.learned.weights import Weights
from training.slots_languages import LANGUAGES

LIMIT = 5.6


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--out", type=Path, required=True)
    a = ap.parse_args()
    texts = [
        json.loads(x)["text"]
        for n in ("benign_nlp_tasks", "benign_code")
        for x in (a.data / f"{n}.jsonl").open(encoding="utf-8")
    ]
    for attacks, tricky, plain in LANGUAGES.values():
        texts += (attacks + tricky + plain) * 200
    count = np.full((27, 27), 2.0)
    for text in texts:
        codes = np.frombuffer(text.lower().encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64) - 96
        codes[(codes < 1) | (codes > 26)] = 0
        np.add.at(count, (codes[:-1], codes[1:]), 1)
    count[0, 0] = 0.001
    bits = -np.log2(count / count.sum(1, keepdims=True))
    pairs = np.clip(np.round(bits * 10), 0, 255).astype(np.uint8)
    a.out.write_bytes(Weights({"pairs": pairs}, {"limit": LIMIT}).dump())


if __name__ == "__main__":
    main()
