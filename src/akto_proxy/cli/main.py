"""The `akto-proxy` command: joins the rooms' own commands and turns errors into one sentence and an exit code.

Exit codes: 0 all is well; 1 something was found or a check failed; 2 what the operator gave cannot be used (the
sentence names the fix); 3 the disk or a database cannot keep what it was given; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from importlib import metadata

import typer
from rich.console import Console

from akto_proxy.cli import data, keys, learning, policy, scan, spool, traces, watch
from akto_proxy.cli.audit import app as audit_app
from akto_proxy.cli.doctor import doctor, validate
from akto_proxy.cli.run import proxy, server, up
from akto_proxy.errors import AktoProxyError, StorageError

EXIT_FOUND = 1
EXIT_CONFIG = 2
EXIT_STORAGE = 3

app = typer.Typer(
    name="akto-proxy",
    help=(
        "A security proxy for private LLM inference.\n\n"
        "Start with `akto-proxy up`: without APP_URL it shows itself on a built-in demonstration endpoint; with "
        "APP_URL=https://... it guards that endpoint. Point your client's base URL at http://127.0.0.1:8080 and keep "
        "its Hugging Face token as it is.\n\n"
        "Exit codes: 0 well, 1 something found or a check failed, 2 settings cannot be used, 3 storage failed."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("up")(up)
app.command("proxy")(proxy)
app.command("server")(server)
app.command("scan")(scan.scan)
app.command("doctor")(doctor)
app.command("validate")(validate)
app.command("export")(data.export)
app.command("delete")(data.delete)
app.add_typer(traces.app, name="traces")
app.add_typer(policy.app, name="policy")
app.add_typer(spool.app, name="spool")
app.add_typer(audit_app, name="audit")
app.add_typer(watch.app, name="watch")
app.add_typer(keys.app, name="keys")
app.add_typer(learning.app, name="limits")


@app.command()
def version() -> None:
    """Print the version of the program."""
    Console().print(metadata.version("akto-agent-proxy"))


def run_command(arguments: list[str] | None = None) -> int:
    """Run the command with these arguments (the process's own when None) and return its exit code."""
    try:
        code = app(arguments, standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        return 130
    except AktoProxyError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"akto-proxy: {error}", markup=False)
        return EXIT_STORAGE if isinstance(error, StorageError) else EXIT_CONFIG
    except typer.TyperException as error:  # a wrong option or argument: the library says which, and how to get help
        getattr(error, "show", lambda: None)()
        return EXIT_CONFIG
    return int(code or 0)


def run() -> None:
    """The entry point of the installed command."""
    sys.exit(run_command())
