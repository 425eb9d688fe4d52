"""Does what is trained on repeat a set that may only be measured on? Word runs shared with those sets, counted.

    python -m training.echoes --data DATA [--size 1.0] [--raw]

Checked are the texts that the grammars make, as training draws them; with --raw, before those that repeat a run were
drawn again. Exit code 1 when a run is shared that `runs.TRIVIAL` does not list.
"""

from __future__ import annotations

import argparse
import collections
from pathlib import Path

from training.corpus import generated
from training.runs import RUN, measured, runs
from training.slots_languages import LANGUAGES
from training.slots_names import names


def shared(data: Path, size: float, raw: bool) -> collections.Counter[tuple[str, str]]:
    """(set, run) -> how many generated texts hold it."""
    known = measured(data)
    texts = [item.text for item in generated(5, size, [], {} if raw else known)]
    texts += [text for attacks, tricky, plain in LANGUAGES.values() for text in (*attacks, *tricky, *plain)]
    texts += [text for text, _ in names(5, int(20_000 * size), {} if raw else known)]
    count: collections.Counter[tuple[str, str]] = collections.Counter()
    for text in texts:
        count.update({(known[run], run) for run in runs(text) if run in known})
    return count


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--size", type=float, default=1.0)
    ap.add_argument("--raw", action="store_true")
    a = ap.parse_args()
    count = shared(a.data, a.size, a.raw)
    for (name, run), many in count.most_common():
        print(f"{many:6d}  {name:22s} {run}")
    print(f"{len(count)} shared runs of {RUN} words")
    raise SystemExit(1 if count else 0)


if __name__ == "__main__":
    main()
