"""Word runs of the sets that may only be measured on, so that nothing made here repeats them.

Words stand between spaces and punctuation, in lower case; RUN of them in a row are a run. Looking these sets up takes text away from
training, never adds any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

RUN = 5
SETS = ("injection_direct", "benign_multilingual", "benign_dialogue")
TRIVIAL = re.compile(
    r"(ignore |disregard |forget )?(all |any |your |the |of |my )*(previous |prior |above |earlier |system )?"
    r"(instructions|prompts|rules)?( and| you| given| to| that)*"
    r"|you are a helpful assistant|are a helpful assistant your|i want you to act|want you to act as|as an ai language model"
)
"""What everybody writes."""

_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-~\u2010-\u2027\u3000-\u303f\u0964«»¿¡]+")


def words(text: str) -> list[str]:
    """The words of `text` in lower case."""
    return _BETWEEN.sub(" ", text.lower()).split()


def runs(text: str) -> Iterator[str]:
    """Every run of RUN words that is not trivial."""
    found = words(text)
    joined = (" ".join(found[at : at + RUN]) for at in range(len(found) - RUN + 1))
    return (run for run in joined if not TRIVIAL.fullmatch(run))


def measured(data: Path) -> dict[str, str]:
    """Each run of the measure-only sets of a data folder, and the set it is from."""
    out: dict[str, str] = {}
    for name in (*SETS, "benign_instructions"):
        for line in (data / f"{name}.jsonl").open(encoding="utf-8"):
            row = json.loads(line)
            if name in SETS or row["source"].startswith("vinid"):
                out.update(dict.fromkeys(runs(row["text"]), name))
    return out
