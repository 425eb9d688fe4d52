"""Prints results as they come, and the verdict at the end, in words a tired person can act on."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from akto_proxy.doctor.result import Report, Result, State
from akto_proxy.doctor.validate import Step

_MARKS = {
    State.OK: "[green]ok  [/]",
    State.WARN: "[yellow]warn[/]",
    State.FAIL: "[red]FAIL[/]",
    State.SKIP: "[dim]skip[/]",
}
_INDENT = " " * 29


def show(console: Console, result: Result) -> None:
    """One check: its mark, its name, what was seen, and what to do."""
    console.print(f"{_MARKS[result.state]}  {result.name:<22} {escape(result.what)}")
    if result.fix and result.state in (State.WARN, State.FAIL):
        console.print(f"{_INDENT}[dim]fix:[/] {escape(result.fix)}")
    elif result.fix:
        console.print(f"{_INDENT}[dim]{escape(result.fix)}[/]")


def show_step(console: Console, step: Step) -> None:
    """One step of the validation, with what there is to see."""
    show(console, step.result)
    for name, text in step.seen:
        console.print(f"{_INDENT}[dim]{escape(name)}:[/] {escape(text)}")


def verdict(console: Console, report: Report) -> None:
    """The end: every trouble by its name, with what shows it."""
    count = {state: sum(item.state is state for item in report.results) for state in State}
    line = (
        f"{count[State.OK]} ok, {count[State.WARN]} to read, {count[State.FAIL]} failed, {count[State.SKIP]} not asked"
    )
    console.print()
    if not report.troubles:
        console.print(f"[bold green]Nothing is broken.[/] {line}.")
        read = [item.name for item in report.results if item.state is State.WARN]
        if read:
            console.print(f"To read: {', '.join(read)}.")
        return
    for trouble, names in report.troubles:
        console.print(f"[bold red]Trouble: {trouble.value}[/] ({', '.join(names)})")
    console.print(f"{line}. Work from the top: a later check often fails because an earlier one does.")
