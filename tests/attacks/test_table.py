"""docs/attacks.md is what the suite does: made from its table, and every test it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from attacks.cases import ANSWERS, ELSEWHERE, REQUESTS, Attack

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "attacks.md"
BEGIN = "<!-- made by tests/attacks/test_table.py -->"


def rows(attacks: list[Attack]) -> list[str]:
    lines = ["| attack | outcome |", "|---|---|"]
    return lines + [f"| {a.name} | {a.outcome}{f': {a.note}' if a.note else ''} |" for a in attacks]


def table() -> str:
    """The generated part of the page."""
    other = ["| attack | outcome | test |", "|---|---|---|"]
    other += [f"| {name} | {outcome} | `tests/{test}` |" for name, outcome, test in ELSEWHERE]
    return "\n".join(
        [
            "## From a caller, towards the model server", "", *rows(REQUESTS), "",
            "## From a hostile model server, towards the caller", "", *rows(ANSWERS), "",
            "## Tried by other suites", "", *other, "",
        ]
    )  # fmt: skip


def test_the_page_is_current() -> None:
    fresh = PAGE.read_text("utf-8").partition(BEGIN)[2].strip()
    assert fresh == table().strip(), "write it again: PYTHONPATH=tests python -m attacks.test_table"


def test_every_test_that_is_named_exists() -> None:
    for _, _, test in ELSEWHERE:
        path, _, name = test.partition("::")
        assert re.search(rf"def {name}\b", (TESTS / path).read_text("utf-8")), test


def test_names_are_told_apart() -> None:
    for attacks in (REQUESTS, ANSWERS):
        assert len({attack.name for attack in attacks}) == len(attacks)


if __name__ == "__main__":
    head = PAGE.read_text("utf-8").partition(BEGIN)[0]
    PAGE.write_text(f"{head}{BEGIN}\n\n{table()}", "utf-8")
