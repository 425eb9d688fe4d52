"""`akto-proxy spool`: what waits on this machine's disk, readable without a server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from akto_proxy.cli.stores import spool_root
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.spool.audit import Entry, Report, Signer, Verifier
from akto_proxy.spool.frame import Damage, Kind
from akto_proxy.spool.layout import owned, segments, slowest_cursor, writers
from akto_proxy.spool.read import read_all, undelivered

app = typer.Typer(name="spool", help="What waits on this machine's disk to be shipped.", no_args_is_help=True)
AUDIT_KEY = "audit.key"


@app.command("ls")
def list_writers(json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """One line a writer: segments, bytes, what is not delivered yet, and whether its worker lives."""
    root = spool_root(load(os.environ))
    rows = [_row(directory) for directory in writers(root)]
    if json:
        for row in rows:
            sys.stdout.buffer.write(orjson.dumps(row) + b"\n")
        return
    console = Console()
    if not rows:
        console.print(f"Nothing in {root}.", markup=False)
        return
    table = Table("writer", "alive", "segments", "bytes", "not delivered", "next record", box=None)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    console.print(table)
    bad = list((root / "quarantine").glob("*.bad"))
    if bad:
        console.print(
            f"{len(bad)} damaged or refused records lie in {root / 'quarantine'}", style="yellow", markup=False
        )


def _row(directory: Path) -> dict[str, object]:
    found = segments(directory)
    with owned(directory) as dead:
        alive = not dead
    return {
        "writer": directory.name,
        "alive": alive,
        "segments": len(found),
        "bytes": sum(path.stat().st_size for path in found),
        "undelivered": undelivered(directory),
        "next": slowest_cursor(directory).number,
    }


@app.command()
def cat(
    writer: Annotated[str, typer.Argument(help="A writer, as `spool ls` names it; all when left out.")] = "",
    notes: Annotated[bool, typer.Option("--notes", help="The spool's own notes too.")] = False,
) -> None:
    """Print the records on disk, one JSON object a line (delivered ones too, until their segment is removed)."""
    for directory in _chosen(writer):
        for path, item in read_all(directory):
            if isinstance(item, Damage):
                print(f"{path.name}: {item.reason} at {item.start}", file=sys.stderr)  # noqa: T201
            elif item.kind is Kind.TRACE or notes:
                sys.stdout.buffer.write(item.payload + b"\n")


@app.command()
def verify(writer: Annotated[str, typer.Argument(help="A writer; all when left out.")] = "") -> None:
    """Check every record on disk and its place in the hash chain. Exit code 1 when something is wrong."""
    settings = load(os.environ)
    keys = [Signer(key_of(settings, AUDIT_KEY)).public]
    bad = False
    chosen = _chosen(writer)
    if not chosen:
        Console(soft_wrap=True).print(
            f"Nothing in {spool_root(settings)}: all is delivered. `akto-proxy audit verify` checks the store.",
            markup=False,
        )
    for directory in chosen:
        verifier = Verifier(directory.name, keys)
        damaged = 0
        for _, item in read_all(directory):
            if isinstance(item, Damage):
                damaged += 1
            else:
                verifier.add(Entry(item.kind.name.lower(), item.number, item.digest, item.chain, item.payload))
        report = verifier.finish()
        print_report(report, damaged)
        bad = bad or not report.ok or damaged > 0
    raise typer.Exit(1 if bad else 0)


def print_report(report: Report, damaged: int = 0) -> None:
    """One writer's result in words."""
    console = Console(highlight=False, soft_wrap=True)
    state = "[green]sound[/]" if report.ok and not damaged else "[red]NOT SOUND[/]"
    signed = f"signed up to record {report.signed_to}" if report.signed_to >= 0 else "not signed"
    console.print(
        f"{report.writer}: {state}, {report.records} traces, {report.erased} erased or expired, "
        f"{report.dropped} dropped by the limit, {damaged} damaged, {signed} of {report.last}"
    )
    for problem in report.problems:
        console.print(f"  {problem}", markup=False)
    if report.wrong > len(report.problems):
        console.print(f"  and {report.wrong - len(report.problems)} more")


def _chosen(writer: str) -> list[Path]:
    root = spool_root(load(os.environ))
    found = [directory for directory in writers(root) if writer in ("", directory.name)]
    if writer and not found:
        raise ConfigError(f"no writer {writer[:80]!r} in {root}; `akto-proxy spool ls` shows them")
    return found
