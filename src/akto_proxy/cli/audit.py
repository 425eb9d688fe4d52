"""`akto-proxy audit verify`: has anybody changed, removed or moved a record in the store?"""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

from akto_proxy.cli.spool import AUDIT_KEY, print_report
from akto_proxy.cli.stores import open_store
from akto_proxy.config.keys import key_of
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.spool.audit import Entry, Report, Signer, Verifier
from akto_proxy.store.face import TraceStore

app = typer.Typer(name="audit", help="Proof that the record is whole.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Proof that the record is whole."""


@app.command()
def verify(
    writer: Annotated[str, typer.Argument(help="One writer's chain; all when left out.")] = "",
    key: Annotated[
        list[str], typer.Option("--key", help="A trusted public key (64 hex digits) of another deployment; repeatable.")
    ] = [],  # noqa: B006 - typer copies it
) -> None:
    """Check every chain in the store: content, order, gaps and signatures. Exit code 1 when something is wrong.

    An erased or expired record is no fault: its digest stays and the chain stays whole.
    """
    settings = load(os.environ)
    store = open_store(settings)
    keys = [Signer(key_of(settings, AUDIT_KEY)).public, *(_key(text) for text in key)]
    try:
        reports = verify_store(store, keys, writer)
    finally:
        store.close()
    if writer and not reports:
        raise ConfigError(f"the store has no chain of writer {writer[:80]!r}; without a name all are checked")
    if not reports:
        Console().print("No chains in the store yet.")
    for report in reports:
        print_report(report)
    raise typer.Exit(0 if all(report.ok for report in reports) else 1)


def verify_store(store: TraceStore, keys: list[bytes], writer: str = "") -> list[Report]:
    """A report for each chain in the store."""
    reports: list[Report] = []
    verifier: Verifier | None = None
    for link, body, kind in store.links(writer):
        if verifier is None or verifier.report.writer != link.writer:
            if verifier is not None:
                reports.append(verifier.finish())
            verifier = Verifier(link.writer, keys)
        verifier.add(Entry(kind, link.number, bytes.fromhex(link.digest), bytes.fromhex(link.chain), body))
    if verifier is not None:
        reports.append(verifier.finish())
    return reports


def _key(text: str) -> bytes:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise ConfigError("--key: expected 64 hex digits, an Ed25519 public key")
    return key
