"""`akto-proxy export` and `akto-proxy delete`: kept data out of the store, to a file or for ever."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from akto_proxy.cli.stores import open_control, open_store, since_time, spool_root
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError, StorageError
from akto_proxy.spool.layout import writers
from akto_proxy.spool.read import undelivered
from akto_proxy.store.control import AuditNote
from akto_proxy.store.export import write_jsonl, write_parquet
from akto_proxy.store.face import Filter

app = typer.Typer(name="data", help="Export and erase kept data.", no_args_is_help=True)


@app.command()
def export(
    out: Annotated[str, typer.Argument(help="A file, or `-` for standard output (JSON lines only).")] = "-",
    form: Annotated[Literal["jsonl", "parquet"], typer.Option("--format", help="How to write.")] = "jsonl",
    since: Annotated[str, typer.Option(help="Not older than: `24h`, `7d`, a date or a time (UTC).")] = "",
    until: Annotated[str, typer.Option(help="Older than: as for --since.")] = "",
    user: Annotated[str, typer.Option(help="Only this user.")] = "",
) -> None:
    """Write traces, oldest first, as they are kept (masked, or sealed under CAPTURE=full)."""
    now = time.time()
    where = Filter(since=since_time(since, now), until=since_time(until, now), user=user)
    store = open_store(load(os.environ))
    try:
        if form == "parquet":
            if out == "-":
                raise ConfigError("--format parquet needs a file name")
            count = write_parquet(store.export(where), Path(out))
        elif out == "-":
            count = write_jsonl(store.export(where), sys.stdout.buffer)
        else:
            with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                os.fchmod(file.fileno(), 0o600)  # one that was there keeps its mode otherwise
                count = write_jsonl(store.export(where), file)
    except OSError as error:
        raise StorageError(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        store.close()
    empty = "was not written" if form == "parquet" else "is empty"
    said = f"{count} traces written." if count or out == "-" else f"No such traces: {out} {empty}."
    Console(stderr=True, highlight=False, soft_wrap=True).print(said, markup=False)


@app.command()
def delete(
    user: Annotated[str, typer.Option(help="Erase all of this user.")] = "",
    session: Annotated[str, typer.Option(help="Erase this session.")] = "",
    key: Annotated[str, typer.Option(help="Erase all of this caller key (its hash).")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Erase traces for good (an erasure request). Digests stay, so `audit verify` still proves the rest whole."""
    where = Filter(user=user, session=session, key=key)
    if where == Filter():
        raise ConfigError("say whose traces to erase: --user, --session or --key")
    settings = load(os.environ)
    store = open_store(settings)
    try:
        count = store.count(where)
        if count and not yes:
            typer.confirm(f"Erase {count} traces for good?", abort=True)
        erased = store.erase(where)
    finally:
        store.close()
    control = open_control(settings)
    # Who was erased is itself personal: the log says what kind of request it was, and how many.
    kind = "user" if user else "session" if session else "key"
    control.note(AuditNote(time.time(), "command line", "traces.erase", kind, f"{erased} traces"))
    control.close()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"{erased} traces erased.")
    waiting = sum(undelivered(directory) for directory in writers(spool_root(settings)))
    if waiting:
        console.print(
            f"{waiting:,} bytes in this machine's spool are not in the store yet: run this again once "
            "`akto-proxy spool ls` shows that all is delivered.",
            style="yellow",
        )
