"""`akto-proxy traces`: list, show and follow what the store keeps, for people and (`--json`) for machines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from akto_proxy.cli.stores import open_store, since_time
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.model import Action, Trace
from akto_proxy.store.face import Filter, Summary
from akto_proxy.store.seal import SealError, opener

app = typer.Typer(name="traces", help="What passed, and what was decided about it.", no_args_is_help=True)

_COLOURS = {Action.ALLOW: "green", Action.ALERT: "yellow", Action.REDACT: "cyan", Action.BLOCK: "red"}
POLL = 0.5
"""Seconds between two looks of `follow`."""

Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Since = Annotated[str, typer.Option(help="Not older than: `15m`, `24h`, `7d`, a date or a time (UTC).")]
Verdict = Annotated[list[str], typer.Option("--verdict", help="allow, alert, redact or block; may be repeated.")]
User = Annotated[str, typer.Option(help="Only this user.")]
Rule = Annotated[str, typer.Option(help="Only where this rule decided.")]
Model = Annotated[str, typer.Option(help="Only this model.")]


@app.command("list")
def list_traces(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Lines at most.")] = 20,
    since: Since = "",
    verdict: Verdict = [],  # noqa: B006 - typer copies it
    user: User = "",
    rule: Rule = "",
    model: Model = "",
    session: Annotated[str, typer.Option(help="Only this session.")] = "",
    text: Annotated[str, typer.Option(help="Only traces whose kept bodies hold these words.")] = "",
    json: Json = False,
) -> None:
    """Print traces, newest first. Try: `akto-proxy traces list --verdict block --since 24h`."""
    where = Filter(
        since=since_time(since, time.time()), verdicts=verdicts(verdict), user=user, rule=rule, model=model,
        session=session, text=text,
    )  # fmt: skip
    store = open_store(load(os.environ))
    try:
        page = store.search(where, limit=limit)
    finally:
        store.close()
    if json:
        _lines(page.items)
        return
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(_table(page.items) if page.items else "No traces.")
    if page.partial:
        console.print("The text search stopped at its limit; give --since a shorter time.", style="yellow")


@app.command()
def show(
    trace_id: Annotated[str, typer.Argument(help="The trace's id.")],
    json: Json = False,
    open_sealed: Annotated[
        bool, typer.Option("--open", help="Open bodies sealed by CAPTURE=full (CAPTURE_KEY).")
    ] = False,
) -> None:
    """Print one trace in full: who, what, how long, every decision, and the bodies as they are kept."""
    settings = load(os.environ)
    store = open_store(settings)
    try:
        trace = store.get(trace_id)
    finally:
        store.close()
    if trace is None:
        raise ConfigError(f"no trace {trace_id[:64]}; `akto-proxy traces list` shows what there is")
    bodies = [message.body for message in (trace.request, trace.response)]
    if open_sealed:
        unseal = opener(settings.capture_key.get_secret_value())
        bodies = [_opened(trace, index, unseal) for index in range(2)]
    if json:
        sys.stdout.buffer.write(orjson.dumps(trace) + b"\n")
        return
    _print_trace(trace, bodies)


@app.command()
def follow(user: User = "", rule: Rule = "", verdict: Verdict = [], json: Json = False) -> None:  # noqa: B006
    """Print traces as they arrive, until Ctrl-C."""
    wanted = verdicts(verdict)
    store = open_store(load(os.environ))
    console = Console(width=None if sys.stdout.isatty() else 200)
    try:
        cursor = store.after().cursor
        while True:
            fresh = store.after(cursor)
            cursor = fresh.cursor
            items = [item for item in fresh.items if _fits(item, user, rule, wanted)]
            if json:
                _lines(items)
            else:
                for item in items:
                    console.print(" ".join(_cells(item)))
            if not fresh.items:
                time.sleep(POLL)
    finally:
        store.close()


def verdicts(names: Iterable[str]) -> tuple[Action, ...]:
    """The actions of these names.

    Raises:
        ConfigError: a name is none.
    """
    try:
        return tuple(Action[name.upper()] for name in names)
    except KeyError:
        raise ConfigError("--verdict: expected allow, alert, redact or block") from None


def _fits(item: Summary, user: str, rule: str, wanted: tuple[Action, ...]) -> bool:
    return (
        (not user or item.user == user)
        and (not rule or rule in item.rules)
        and (not wanted or item.verdict in wanted)
    )  # fmt: skip


def _lines(items: Iterable[Summary]) -> None:
    for item in items:
        sys.stdout.buffer.write(orjson.dumps(item) + b"\n")
    sys.stdout.buffer.flush()


def _table(items: Iterable[Summary]) -> Table:
    table = Table(box=None)
    table.add_column("id", no_wrap=True, min_width=32)  # whole, so that it can be copied into `traces show`
    for name in ("time (UTC)", "verdict", "", "user", "model", "ms", "why"):
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for item in items:
        table.add_row(*_cells(item))
    return table


def _cells(item: Summary) -> tuple[str, ...]:
    at = datetime.fromtimestamp(item.started, UTC).strftime("%m-%d %H:%M:%S")
    colour = _COLOURS[item.verdict]
    rules = ",".join(item.rules[:3]) + ("..." if len(item.rules) > 3 else "")
    return (
        item.id,
        at,
        f"[{colour}]{item.verdict.label}[/]",
        str(item.status),
        escape(item.user or item.key[:8] or item.ip),
        escape(item.model),
        str(item.total_us // 1000),
        escape(rules or (item.outcome if item.outcome != "ok" else "")),
    )


def _print_trace(trace: Trace, bodies: list[str]) -> None:
    console = Console(highlight=False)
    data: dict[str, Any] = orjson.loads(orjson.dumps(trace))
    console.print(f"[bold]verdict[/]: [{_COLOURS[trace.verdict]}]{trace.verdict.label}[/]")
    for name in ("id", "outcome", "status", "endpoint", "method", "path", "route", "engine", "model", "policy_version"):
        console.print(f"[bold]{name}[/]: {escape(str(data[name]))}")
    console.print(f"[bold]started[/]: {datetime.fromtimestamp(trace.started, UTC).isoformat()}")
    for name in ("caller", "usage", "timing"):
        shown = ", ".join(f"{key}={value}" for key, value in data[name].items() if value)
        console.print(f"[bold]{name}[/]: {escape(shown)}")
    if trace.tags:
        console.print(f"[bold]tags[/]: {escape(', '.join(f'{name}={value}' for name, value in trace.tags))}")
    for made in trace.decisions:
        line = f"{made.policy}/{made.rule} {made.entity} {made.severity.label} in the {made.direction} {made.place}"
        suffix = " BYPASSED" if made.bypassed else ""
        console.print(f"[{_COLOURS[made.action]}]{made.action.label}[/] {escape(line)} x{made.count}{suffix}")
    for title, message, body in zip(("request", "response"), (trace.request, trace.response), bodies, strict=True):
        console.rule(f"{title}: {message.size} bytes, {message.encoding}", align="left")
        console.print(body, markup=False)


def _opened(trace: Trace, index: int, unseal: Any) -> str:
    message = (trace.request, trace.response)[index]
    if message.encoding != "sealed":
        return message.body
    try:
        return str(unseal(message.body).decode("utf-8", "replace"))
    except SealError as error:
        raise ConfigError(f"the body cannot be opened: {error}") from None
