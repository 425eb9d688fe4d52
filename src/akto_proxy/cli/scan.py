"""`akto-proxy scan`: what the guard sees in a text, without a proxy, a policy or a network.

For people it prints findings as a table; `--jsonl` is for machines: one text a line in, one verdict a line out,
thousands a second. The matched text is never printed, only where it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import orjson
import typer
from rich.console import Console
from rich.table import Table

from akto_proxy.cli import build
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.guard.scanner import Scanner
from akto_proxy.model import Finding, Role, Segment

DETECTORS = ("injection", "jailbreak", "harm", "pii", "secrets")
"""The categories `--jsonl` reports one by one."""
FLAGGED = 0.5
"""The score from which a finding counts as a verdict; weaker ones are told as spans with their score."""
NAMES = frozenset(("PERSON", "LOCATION", "ORGANIZATION"))
"""Told as spans, but no verdict: a text that names a town or an author is not flagged as personal data for it."""
MAX_LINE = 16 << 20


def scan(
    file: Annotated[str, typer.Argument(help="A file, or `-` for standard input.")] = "-",
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read {"id","text","channel"} lines, write one verdict a line.')
    ] = False,
    role: Annotated[Role, typer.Option(help="Who the text speaks for: `tool` is text from outside.")] = Role.USER,
) -> None:
    """Print what the guard finds in a text.

    Exit code 1 when something was found, 0 when not. Try: `echo "mail jo@corp.example" | akto-proxy scan -`
    """
    scanner = build.scanner_for_scan(load(os.environ))
    if jsonl:
        out = sys.stdout.buffer
        for line in verdicts(_lines(file), scanner):
            out.write(line)
            out.flush()
        return
    findings = scanner.scan([Segment(_text(file), "", role)], None)[0]
    Console().print(_table(findings) if findings else "Nothing found.")
    raise typer.Exit(1 if findings else 0)


def verdicts(lines: Iterable[bytes], scanner: Scanner) -> Iterator[bytes]:
    """A verdict line for each input line.

    Raises:
        ConfigError: a line is no JSON object with a string `text`; the message names its number.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = orjson.loads(line)
            text, channel = item["text"], item.get("channel", "user")
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise ConfigError(f'line {number}: expected a JSON object such as {{"id":"1","text":"..."}}') from None
        if not isinstance(text, str):
            raise ConfigError(f"line {number}: `text` must be a string")
        segment = Segment(text, "", Role.TOOL if channel == "tool" else Role.USER)
        yield orjson.dumps(verdict(item.get("id"), scanner.scan([segment], None)[0])) + b"\n"


def verdict(ident: Any, findings: Sequence[Finding]) -> dict[str, Any]:
    """One text's findings in the form `--jsonl` writes: `detectors` says for each category whether and how strongly.

    `injection` is any attack on the prompt; `jailbreak` says that it is one that lifts the model's rules.
    """
    best: dict[str, float] = dict.fromkeys(DETECTORS, 0.0)
    for finding in findings:
        if finding.category in best and finding.entity not in NAMES:
            best[finding.category] = max(best[finding.category], finding.score)
    best["injection"] = max(best["injection"], best["jailbreak"])
    return {
        "id": ident,
        "flagged": any(score >= FLAGGED for score in best.values()),
        "score": round(max(best.values()), 4),
        "spans": [
            {"start": f.start, "end": f.end, "type": f.entity, "score": round(f.score, 4)}
            for f in findings
            if f.category in ("pii", "secrets")
        ],
        "detectors": {name: {"flagged": score >= FLAGGED, "score": round(score, 4)} for name, score in best.items()},
    }


def _lines(file: str) -> Iterator[bytes]:
    with _open(file) as source:
        while line := source.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise ConfigError(f"a line is longer than {MAX_LINE} bytes: split the text")
            yield line


def _text(file: str) -> str:
    with _open(file) as source:
        return source.read(MAX_LINE).decode("utf-8", "replace")


def _open(file: str) -> BinaryIO:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("rule", "entity", "category", "where", "score", box=None)
    for finding in findings:
        table.add_row(
            finding.rule, finding.entity, finding.category, f"{finding.start}-{finding.end}", f"{finding.score:.2f}"
        )
    return table
