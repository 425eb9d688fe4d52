"""`akto-proxy watch`: score a series from a file, and try the channels that alerts go to.

Scoring is strictly online: each line's score is written before the next line is read, so it can be judged as it would
run. Nothing is learned from the file for the running watch.
"""

from __future__ import annotations

import asyncio
import csv
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import Annotated, TextIO

import typer
from rich.console import Console

from akto_proxy.cli.stores import open_control
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.limits.blocks import FIELDS
from akto_proxy.policy.stricter import DEEDS
from akto_proxy.store.control import AuditNote, Block, ControlStore
from akto_proxy.watch.notify.courier import Courier
from akto_proxy.watch.notify.schema import parse_channels
from akto_proxy.watch.respond import Override, order, overrides, take_back
from akto_proxy.watch.series import Scorer

BY = "command line"
app = typer.Typer(name="watch", help="Anomalies and alerts: score a series, try a channel.", no_args_is_help=True)


@app.command()
def score(
    file: Annotated[str, typer.Argument(help="CSV: timestamp,value. `-` reads standard input.")],
    out: Annotated[str, typer.Option("--out", help="Write here; standard output if not given.")] = "",
) -> None:
    """Score each value between 0 (usual) and 1 (not usual at all), reading line by line.

    Timestamps are numbers (seconds, milli-, micro-, nanoseconds), ISO 8601 or another common way to write a date; one
    that is none of these counts as the next step. A first line that is no data is taken for a header. A value that is
    empty or no number gets the score 0.
    """
    with _reading(file) as source, _writing(out) as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(("timestamp", "value", "score"))
        for at, stamp, value in rows(source):
            writer.writerow((stamp, value, f"{at:.6f}"))
            target.flush()


@app.command("notify-test")
def notify_test(
    channel: Annotated[str, typer.Argument(help="Name of a channel; all if not given.")] = "",
    config: Annotated[str | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """Send a test through the channels of `notify:`, and say what happened."""
    settings = load(os.environ, config)
    channels = parse_channels(settings.notify, os.environ)
    names = [item.name for item in channels if channel in ("", item.name)]
    if not names:
        raise ConfigError(f"notify: no channel{f' named {channel}' if channel else ''}; see docs/watch.md")
    courier = Courier(channels, lambda _: None, now=time.time, random=os.urandom, host=os.uname().nodename)
    console = Console()
    failed = False
    for name in names:
        said = asyncio.run(courier.test(name))
        failed = failed or said != "Delivered."
        console.print(f"{name}: {said}", markup=False, highlight=False)
    if failed:
        raise typer.Exit(1)


@app.command()
def respond(
    do: Annotated[str, typer.Argument(help="`block`, `enforce` or `raise`.")],
    target: Annotated[str, typer.Argument(help="A caller (`user=eve`, `key=...`, `ip=...`), or a policy's name.")],
    minutes: Annotated[float, typer.Option(min=1, max=10_080, help="When it ends by itself.")] = 60,
    reason: Annotated[str, typer.Option(help="For the audit log.")] = "by command",
    config: Annotated[str | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """Block a caller, enforce a policy that monitors, or raise its actions one step, for a time."""
    now = time.time()
    name = os.urandom(8).hex()
    with _control(config) as control:
        if do == "block":
            field, _, value = target.partition("=")
            if field not in FIELDS or not value:
                raise ConfigError(f"respond block: FIELD=VALUE is expected; fields are {', '.join(FIELDS)}")
            control.block(Block(name, field, value, now + minutes * 60, reason, BY, now))
            control.note(AuditNote(now, BY, "caller.block", target, f"for {minutes:g} min; {reason}"))
        elif do in DEEDS:
            order(control, Override(name, target, do, now + minutes * 60, reason), BY, now)
        else:
            raise ConfigError("respond: block, enforce or raise is expected")
    typer.echo(f"{name}  ends in {minutes:g} min; `akto-proxy watch undo {name}` takes it back")


@app.command()
def undo(
    measure: Annotated[str, typer.Argument(help="Its id, as `akto-proxy watch measures` lists it.")],
    config: Annotated[str | None, typer.Option("--config", help="Settings file.")] = None,
) -> None:
    """Take a measure back before its time."""
    now = time.time()
    with _control(config) as control:
        found = next((item for item in control.blocks() if item.id == measure), None)
        if found is not None:
            control.unblock(found.id)
            control.note(AuditNote(now, BY, "caller.unblock", f"{found.field}={found.value}"))
        elif not take_back(control, measure, BY, now):
            raise ConfigError("undo: there is no such measure; `akto-proxy watch measures` lists those in force")
    typer.echo("taken back")


@app.command()
def measures(config: Annotated[str | None, typer.Option("--config", help="Settings file.")] = None) -> None:
    """List the measures in force: id, what, whom, how long still, why."""
    now = time.time()
    with _control(config) as control:
        rows = [(item.id, "block", f"{item.field}={item.value}", item.until, item.reason) for item in control.blocks()]
        rows += [(item.id, item.do, item.policy, item.until, item.reason) for item in overrides(control)]
    for name, do, target, until, reason in rows:
        if until > now:
            typer.echo(f"{name}  {do:8} {target}  {_left(until - now):>6}  {reason}")


def _left(seconds: float) -> str:
    """How long still, in words that fit it."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


@contextmanager
def _control(config: str | None) -> Iterator[ControlStore]:
    control = open_control(load(os.environ, config))
    try:
        yield control
    finally:
        control.close()


def rows(source: TextIO) -> Iterator[tuple[float, str, str]]:
    """Score, timestamp and value of each line, the last two as they were written.

    A timestamp that cannot be read, or that does not come after the one before, stands one usual step after it.
    """
    scorer = Scorer()
    last, step = 0.0, 1.0
    for number, row in enumerate(csv.reader(source), 1):
        if not row or not any(row):
            continue
        stamp, value = row[0].strip(), row[1].strip() if len(row) > 1 else ""
        at = moment(stamp)
        if number == 1 and isnan(_number(value)) and at is None:
            continue
        if at is None or (last and at <= last):
            at = last + step
        elif last:
            step = min(at - last, 2 * step) if step > 1.0 else at - last
        last = at
        yield scorer.score(at, _number(value)), stamp, value


def moment(text: str) -> float | None:
    """Unix seconds of a timestamp: a number of seconds, milli-, micro- or nanoseconds, ISO 8601, or a common way to
    write a date; a time without a zone is UTC. None when it is none.
    """
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not isfinite(number):
            return None
        size = abs(number)
        return number / (1e9 if size >= 1e17 else 1e6 if size >= 1e14 else 1e3 if size >= 1e11 else 1.0)
    for form in ("", *_FORMS):
        try:
            found = _written(text.replace("/", "-"), form)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None


_FORMS = ("%m-%d-%Y %H:%M:%S", "%m-%d-%Y %H:%M", "%m-%d-%Y", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d-%m-%Y")


def _written(text: str, form: str) -> datetime:
    return datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007  the zone is set by the caller


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


@contextmanager
def _reading(file: str) -> Iterator[TextIO]:
    if file == "-":
        yield sys.stdin
        return
    try:
        with open(file, newline="", encoding="utf-8-sig") as source:
            yield source
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{file}: cannot be read as a CSV file in UTF-8") from None


@contextmanager
def _writing(file: str) -> Iterator[TextIO]:
    if not file:
        yield sys.stdout
        return
    try:
        with open(file, "w", newline="", encoding="utf-8") as target:
            yield target
    except OSError as error:
        raise ConfigError(f"{file}: cannot be written ({error.strerror})") from None
