"""`akto-proxy policy`: read, prove, explain, compare and replay policies before traffic meets them.

A shell around the pure parts: it reads files, builds scanners and prints. Everything printed is about rules, counts and
ids; the only texts shown are the operator's own (a policy's cases), and of those only where they differ.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from akto_proxy.cli import build, versions
from akto_proxy.cli.asking import Asking
from akto_proxy.cli.pull import translated
from akto_proxy.cli.replaying import exported, replayed, stored
from akto_proxy.config import assets
from akto_proxy.config.compile import compile_killable
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.guard.engine import compile_alone, compile_database
from akto_proxy.model import Action, Caller
from akto_proxy.policy.cases import junit, run_cases
from akto_proxy.policy.catalogue import vocabulary
from akto_proxy.policy.compile import PolicySet, Scope
from akto_proxy.policy.diff import diff
from akto_proxy.policy.explain import explain
from akto_proxy.policy.replay import Report
from akto_proxy.policy.schema import Policy, PolicyFile, json_schema, parse_file
from akto_proxy.wire.route import resolve

app = typer.Typer(
    name="policy",
    help="Write policies (list, show, validate, test), foresee them (explain, diff, replay), put them in force at a "
    "server (push, pull, versions, rollback). FILE is a YAML file or a pack's name.",
    no_args_is_help=True,
)

Files = Annotated[list[str], typer.Argument(help="Policy files, or names of packs that ship.")]
AskExternal = Annotated[
    bool, typer.Option("--ask-external", help="Ask external checks too: the texts go to the checkers.")
]
File = Annotated[str, typer.Argument(help="A policy file, or the name of a pack that ships.")]


@app.command("list")
def list_(
    names: Annotated[bool, typer.Option("--names", help="Instead: every name that a `detect` rule may use.")] = False,
) -> None:
    """List the packs that ship."""
    if names:
        typer.echo("\n".join(sorted(vocabulary(build.policy_set([]).known))))
        return
    table = Table("pack", "policies", "rules", "cases", "what it is for", box=None)
    for path in assets.names(build.PACKS, ".yaml"):
        file = parse_file(assets.read_text(path), path)
        rules = sum(len(policy.rules) for policy in file.policies)
        table.add_row(file.name, str(len(file.policies)), str(rules), str(len(file.cases)), file.description)
    Console().print(table)


@app.command()
def show(
    file: Annotated[str, typer.Argument(help="A pack's name or a policy file.")] = build.DEFAULT_PACK,
    schema: Annotated[bool, typer.Option("--schema", help="Instead: the JSON Schema of a policy file.")] = False,
) -> None:
    """Print a pack, to be copied and changed, or the JSON Schema."""
    typer.echo(json.dumps(json_schema(), indent=2) if schema else read(file)[1], nl=schema)


@app.command()
def validate(files: Files) -> None:
    """Check policy files: form, names, patterns with their examples, and that the patterns compile in time."""
    policies = [policy for file in files for policy in parse_file(read(file)[1], file).policies]
    made = build.policy_set(policies)
    if made.custom_rules:
        compile_killable(compile_database, made.custom_rules, made.custom_rules, alone=compile_alone)
    rules = sum(len(policy.rules) for policy in policies)
    typer.echo(
        f"ok: policies {len(policies)}, rules {rules}, patterns {len(made.custom_rules)}, version {made.version}"
    )


@app.command("test")
def prove(
    files: Files,
    report: Annotated[str, typer.Option("--junit", help="Write a JUnit report here, for CI.")] = "",
    ask_external: AskExternal = False,
) -> None:
    """Run the cases of policy files. Exit code 1 when one misses."""
    settings = load(os.environ)
    ask = Asking() if ask_external else None
    results = []
    for name in files:
        file = parse_file(read(name)[1], name)
        guard = build.guard(settings, file.policies)
        results += [(name, result) for result in run_cases(file, guard.policies, guard.scanner.scan, ask)]
    if report:
        write(report, junit(results))
    missed = [(name, result) for name, result in results if result.problems]
    for name, result in missed:
        typer.echo(f"FAIL {name}: {result.case.name}: {'; '.join(result.problems)}")
    typer.echo(f"{len(results) - len(missed)} of {len(results)} cases passed")
    if unasked := sum(result.unasked for _, result in results):
        typer.echo(f"{unasked} were judged without their external check; --ask-external asks it")
    raise typer.Exit(1 if missed or not results else 0)


@app.command("explain")
def explain_(
    path: Annotated[str, typer.Option(help="Path of the call.")] = "/v1/chat/completions",
    method: Annotated[str, typer.Option(help="Its method.")] = "POST",
    user: Annotated[str, typer.Option(help="Who calls: user.")] = "",
    team: Annotated[str, typer.Option(help="Who calls: team.")] = "",
    agent: Annotated[str, typer.Option(help="Who calls: agent.")] = "",
    key: Annotated[str, typer.Option(help="Who calls: id of the key.")] = "",
    ip: Annotated[str, typer.Option(help="Who calls: address.")] = "",
    session: Annotated[str, typer.Option(help="Who calls: session.")] = "",
    model: Annotated[str, typer.Option(help="The model asked for.")] = "",
    endpoint: Annotated[str, typer.Option(help="Name of the endpoint.")] = "",
    sensitivity: Annotated[str, typer.Option(help="Its sensitivity label.")] = "internal",
    tag: Annotated[list[str] | None, typer.Option(help="A header tag, NAME=VALUE; may be given again.")] = None,
    policy: Annotated[list[str] | None, typer.Option(help="Policy file or pack; the configured ones if none.")] = None,
) -> None:
    """Say which policies apply to a call, why, and what each rule does."""
    tags = tuple((name, value) for name, _, value in (item.partition("=") for item in tag or ()))
    caller = Caller(ip, key, user, team, agent, session)
    route = resolve(method, path).name
    scope = Scope(endpoint, sensitivity, method, path, route, model, caller, tags)
    console = Console(soft_wrap=True, highlight=False)
    for item in explain(chosen(policy), scope):
        sign = "applies" if item.applies else "does not apply"
        console.print(f"{item.policy}: {sign} ({'; '.join(item.reasons)})", markup=False)
        for line in item.rules if item.applies else ():
            what = (
                f"{line.kind}: {line.action}; {line.directions}; roles {line.roles}; {line.severity}; {line.runs} rules"
            )
            console.print(f"  {line.rule}  {what}  {' '.join(line.controls)}", markup=False)
        if item.applies:
            console.print(f"  mode {item.mode}, on error {item.on_error}", markup=False)


@app.command("diff")
def diff_(old: File, new: File) -> None:
    """Say what changes from OLD to NEW, and what of it lets more through. Exit code 1 when something does."""
    changes = diff(chosen([old]), chosen([new]))
    for change in changes:
        sign = "WEAKER" if change.weaker else "change"
        typer.echo(f"{sign} {change.policy} {change.key}: {change.before or '-'} -> {change.after or '-'}")
    if not changes:
        typer.echo("no difference")
    raise typer.Exit(1 if any(change.weaker for change in changes) else 0)


@app.command("replay")
def replay_(
    new: File,
    old: Annotated[str, typer.Option(help="Compare with this file or pack; the configured policies if none.")] = "",
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d.")] = "24h",
    traces: Annotated[str, typer.Option(help="A JSON lines export instead of the store; `-` for standard input.")] = "",
    ask_external: AskExternal = False,
) -> None:
    """Judge kept traffic by NEW and by the old policies: what would newly be blocked, redacted, or let pass."""
    settings = load(os.environ)
    kept = exported(traces) if traces else stored(settings, time.time() - seconds(since))
    before = policies_of([old]) if old else build.policies(settings)
    report = replayed(kept, settings, before, policies_of([new]), os.cpu_count() or 1, ask=ask_external)
    show_report(report)


@app.command("import-akto")
def import_akto(
    file: Annotated[str, typer.Argument(help="The JSON answer of Akto's fetchGuardrailPolicies; `-` for stdin.")],
) -> None:
    """Print Akto's guardrail policies as a policy file; what cannot be mapped is listed on standard error."""
    made, unmapped = translated(text_of(file))
    for line in unmapped:
        typer.echo(f"not mapped: {line}", err=True)
    typer.echo(made, nl=False)


app.command("push")(versions.push)
app.command("pull")(versions.pull)
app.command("versions")(versions.versions)
app.command("rollback")(versions.rollback)


def read(name: str) -> tuple[str, str]:
    """Name and text of a policy file or pack.

    Raises:
        ConfigError: there is neither.
    """
    packs = {path.rpartition("/")[2].removesuffix(".yaml"): path for path in assets.names(build.PACKS, ".yaml")}
    if name in packs:
        return packs[name], assets.read_text(packs[name])
    if not Path(name).exists() and "/" not in name and not name.endswith((".yaml", ".yml")):
        raise ConfigError(f"{name[:80]}: no such file or pack; packs are {', '.join(packs)}")
    return name, text_of(name)


def text_of(name: str) -> str:
    """The text of a file, or of standard input for `-`.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return typer.get_text_stream("stdin").read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{name}: cannot be read ({reason})") from None


def write(name: str, text: str) -> None:
    """Write a file.

    Raises:
        ConfigError: it cannot be written.
    """
    try:
        Path(name).write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(f"{name}: cannot be written ({error.strerror})") from None


def policies_of(names: Sequence[str]) -> list[Policy]:
    """The policies of files and packs."""
    return [policy for name in names for policy in _file(name).policies]


def _file(name: str) -> PolicyFile:
    path, text = read(name)
    return parse_file(text, path)


def chosen(names: Sequence[str] | None) -> PolicySet:
    """The policies of files and packs, or the configured ones."""
    return build.policy_set(policies_of(names) if names else build.policies(load(os.environ)))


def seconds(text: str) -> float:
    """Seconds of `30m`, `24h`, `7d`.

    Raises:
        ConfigError: it is none of them.
    """
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise ConfigError(f"--since {text[:20]}: expected a number and s, m, h or d, such as 24h")
    return int(found[1]) * {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[found[2]]


def show_report(report: Report) -> None:
    """Print a replay's report."""
    console = Console(soft_wrap=True, highlight=False)
    if not report.total:
        console.print("No call is kept of that time: go further back with --since, or judge an export with --traces.")
        return
    told = {action.label: report.newly(action) for action in Action}
    console.print(f"{report.total} calls: " + ", ".join(f"{count} newly {name}" for name, count in told.items()))
    console.print(f"{report.masked} had masked findings, {report.without_bodies} were kept without bodies.")
    if report.unasked:
        console.print(f"{report.unasked} may hang on an external check that was not asked; --ask-external asks it.")
    for (before, after), count in report.changed.items():
        move = (before, after)
        console.print(f"{before.label} -> {after.label}: {count}", markup=False)
        console.print(f"  policies: {_most(report.policies[move])}", markup=False)
        console.print(f"  callers:  {_most(report.callers[move])}", markup=False)
        console.print(f"  samples:  {' '.join(report.samples[move])}", markup=False)


def _most(counter: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common(5)) or "-"
