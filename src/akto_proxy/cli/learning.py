"""`akto-proxy limits`: learn limits from the kept traces, look at what is proposed, and decide.

Learning only proposes. An accepted limit is in force within about a second where `up` or `server` runs, for the server
writes it where the workers look; every decision is in the audit log and can be taken back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal

import orjson
import typer
from rich.console import Console
from rich.table import Table

from akto_proxy.cli.stores import open_control, open_store
from akto_proxy.config.settings import Settings, load
from akto_proxy.errors import ConfigError
from akto_proxy.limits.learn import KINDS, Terms
from akto_proxy.limits.schema import parse_limits
from akto_proxy.store.control import ControlStore, Proposal
from akto_proxy.watch import learning

BY = "command line"
Config = Annotated[str | None, typer.Option("--config", help="Settings file.")]
Ident = Annotated[str, typer.Argument(help="Its id, as `akto-proxy limits proposals` lists it.")]

app = typer.Typer(
    name="limits", no_args_is_help=True, help="Learn limits from kept traces, and decide on them (docs/limits.md)."
)


@app.command("learn")
def learn_command(
    days: Annotated[
        float | None, typer.Option(min=1, max=365, help="Of the baseline; LEARN_DAYS if not given.")
    ] = None,
    percentile: Annotated[float | None, typer.Option(min=50, max=100, help="LEARN_PERCENTILE if not given.")] = None,
    headroom: Annotated[float | None, typer.Option(min=0, max=100, help="LEARN_HEADROOM if not given.")] = None,
    by: Annotated[list[str], typer.Option("--by", help=f"Of {', '.join(KINDS)}; repeatable. None: all.")] = [],  # noqa: B006 - typer copies it
    config: Config = None,
) -> None:
    """Propose limits for each endpoint, kind of caller and measure. Nothing is enforced by it."""
    settings = load(os.environ, config)
    unknown = sorted(set(by) - set(KINDS))
    if unknown:
        raise ConfigError(f"--by {unknown[0]}: expected {', '.join(KINDS)}")
    terms = terms_of(settings, percentile=percentile, headroom=headroom, kinds=tuple(by))
    store, control = open_store(settings), open_control(settings)
    try:
        found = learning.learn(
            store,
            control,
            terms,
            days=days or settings.learn_days,
            now=time.time(),
            by=BY,
            random=os.urandom,
        )
    finally:
        store.close()
        control.close()
    console = Console()
    console.print(_listed(found.proposals)) if found.proposals else None
    for line in _said(found):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def terms_of(
    settings: Settings, *, percentile: float | None = None, headroom: float | None = None, kinds: tuple[str, ...] = ()
) -> Terms:
    """How limits are learned, from the settings and what a command says instead. A cost limit's prices are used."""
    prices = next((limit.prices for limit in parse_limits(settings.limits) if limit.prices), None)
    return Terms(
        percentile=settings.learn_percentile if percentile is None else percentile,
        headroom=settings.learn_headroom if headroom is None else headroom,
        least_days=settings.learn_least_days,
        kinds=kinds or KINDS,
        prices=prices,
    )


def _said(found: learning.Learning) -> Iterator[str]:
    yield f"{len(found.proposals)} proposed, from {found.calls:,} calls since {_day(found.since)}."
    for item in found.thin:
        yield f"too little data  {item.endpoint} {item.kind} {item.count}: {item.thin}"
    for item in found.same:
        yield f"nothing new      {item.name}: {item.limit:g} is in force or was dismissed"
    if found.left_out:
        yield f"{found.left_out:,} times a caller was not followed: there were too many."
    if not found.calls:
        yield "No call is kept of that time, so there is nothing to learn from."


@app.command()
def proposals(
    every: Annotated[bool, typer.Option("--all", help="Also those dismissed, withdrawn and replaced.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
) -> None:
    """List what is proposed and what is in force, with what it was computed from."""
    with _control(config) as control:
        found = control.proposals(() if every else ("proposed", "accepted"))
    if as_json:
        for item in found:
            typer.echo(orjson.dumps(item))
    elif found:
        Console().print(_listed(found))
    else:
        typer.echo("None. `akto-proxy limits learn` makes some.")


@app.command()
def accept(
    proposal: Ident,
    mode: Annotated[Literal["enforce", "shadow"], typer.Option(help="`shadow`: count, never refuse.")] = "enforce",
    config: Config = None,
) -> None:
    """Put a proposed limit in force. Given again with another mode, it changes the mode."""
    with _control(config) as control:
        made = learning.accept(control, proposal, mode, by=BY, now=time.time())
    typer.echo(f"{made.name}  {mode}: {learning.words(made)}; `akto-proxy limits withdraw {made.id}` takes it back")


@app.command()
def dismiss(proposal: Ident, config: Config = None) -> None:
    """Do without a proposed limit. The same one is not proposed again from the same time."""
    with _control(config) as control:
        made = learning.dismiss(control, proposal, by=BY, now=time.time())
    typer.echo(f"{made.name}  dismissed")


@app.command()
def withdraw(proposal: Ident, config: Config = None) -> None:
    """Take an accepted limit back."""
    with _control(config) as control:
        made = learning.withdraw(control, proposal, by=BY, now=time.time())
    typer.echo(f"{made.name}  taken back")


def _listed(found: Sequence[Proposal]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "state", "limit", "from", "percentile", "peak", "would have refused"):
        table.add_column(name, overflow="fold")
    for item in found:
        state = orjson.loads(item.entry)["mode"] if item.state == "accepted" else item.state
        seen = f"{item.days} days, {item.samples:,} samples, {item.callers:,} callers"
        usual = f"{item.usual:g} at {item.percentile:g} %, +{100 * item.headroom:g} %"
        refused = f"{item.refused:,} of {item.calls:,} calls, {item.refused_callers:,} callers"
        table.add_row(item.id, state, learning.words(item), seen, usual, f"{item.peak:g}", refused)
    return table


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


@contextmanager
def _control(config: str | None) -> Iterator[ControlStore]:
    control = open_control(load(os.environ, config))
    try:
        yield control
    finally:
        control.close()
