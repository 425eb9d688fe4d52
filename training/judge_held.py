"""Judge the shipped detectors on texts that nobody who made them had seen: those of `held`.

    python -m training.judge_held

They were written one by one by others than those who wrote what is trained on, and are never trained on. Printed are the
shares that reach the scores of the three levels, and overlap precision, recall and F1 of names.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from akto_proxy.cli.build import scanner_for_scan
from akto_proxy.config.settings import load
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Role, Segment

HELD = Path(__file__).parent / "held"
LEVELS = (0.85, 0.5, 0.3)
ROLES = {"user": Role.USER, "tool": Role.TOOL}
ATTACK, HARM = ("injection", "jailbreak"), ("harm",)
SETS = (
    ("direct", ATTACK),
    ("indirect", ATTACK),
    ("indirect_clean", ATTACK),
    ("hard_benign", ATTACK),
    ("everyday", ATTACK),
    ("docs_code", ATTACK),
    ("harm_benign", ATTACK),
    ("harm", HARM),
    ("harm_benign", HARM),
    ("hard_benign", HARM),
    ("everyday", HARM),
)
NAMES = ("PERSON", "LOCATION", "ORGANIZATION")


def rows(name: str) -> list[dict]:
    """The texts of one file."""
    return [json.loads(line) for line in (HELD / f"{name}.jsonl").open(encoding="utf-8")]


def strongest(scanner: Scanner, row: dict, categories: tuple[str, ...]) -> float:
    """The highest score of a text in these categories."""
    found = scanner.scan([Segment(row["text"], "", ROLES[row["channel"]])])[0]
    return max((finding.score for finding in found if finding.category in categories), default=0.0)


def names(scanner: Scanner) -> str:
    """Overlap precision, recall and F1."""
    gold_all = hit_all = pred_all = right_all = 0
    for row in rows("names"):
        gold = [(s["start"], s["end"], s["type"]) for s in row["spans"]]
        found = scanner.scan([Segment(row["text"], "", Role.USER)])[0]
        pred = [(f.start, f.end, f.entity) for f in found if f.entity in NAMES]
        gold_all, pred_all = gold_all + len(gold), pred_all + len(pred)
        hit_all += sum(any(p[0] < g[1] and g[0] < p[1] and p[2] == g[2] for p in pred) for g in gold)
        right_all += sum(any(p[0] < g[1] and g[0] < p[1] and p[2] == g[2] for g in gold) for p in pred)
    precision, recall = 100 * right_all / pred_all, 100 * hit_all / gold_all
    return f"P {precision:.1f} R {recall:.1f} F1 {2 * precision * recall / (precision + recall):.1f}"


def main() -> None:
    """Command line."""
    scanner = scanner_for_scan(load(os.environ))
    for name, categories in SETS:
        scores = [strongest(scanner, row, categories) for row in rows(name)]
        shares = "  ".join(f"{100 * sum(s >= level for s in scores) / len(scores):5.1f}" for level in LEVELS)
        print(f"{name:16s} {'/'.join(categories):20s} n={len(scores):3d}  {shares}")
    print("names", names(scanner))


if __name__ == "__main__":
    main()
