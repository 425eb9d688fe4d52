"""`akto-proxy policy push`, `pull`, `versions` and `rollback`: the versions that a server keeps, from a command line.

They speak the dashboard's API with a token of a role (editor to change, viewer to read), so what they do stands in the
same history and audit log as what is done on the pages. A text is checked here first: errors come without a server.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from akto_proxy.cli import build
from akto_proxy.config.settings import Settings, load
from akto_proxy.errors import ConfigError
from akto_proxy.policy.schema import parse_file

Server = Annotated[
    str, typer.Option("--server", metavar="URL", help="The server; AKTO_API_BASE_URL, else the one on this machine.")
]
TokenEnv = Annotated[
    str, typer.Option("--token-env", metavar="NAME", help="Variable with an API token of role viewer or editor.")
]
TOKEN = "AKTO_PROXY_TOKEN"  # noqa: S105 - a variable's name
TIMEOUT = httpx.Timeout(60.0, connect=10.0)  # a server compiles what is pushed before it answers


def push(
    file: Annotated[str, typer.Argument(help="A policy file.")],
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why, for the history.")] = "",
    server: Server = "",
    token_env: TokenEnv = TOKEN,
) -> None:
    """Make a file the policy in force at a server; its proxies pull it within seconds."""
    text = _text(file)
    build.policy_set(parse_file(text, file).policies)
    made = ask("PUT", "/api/v1/policy", server, token_env, {"text": text, "comment": comment})
    _said(made)


def pull(
    number: Annotated[int, typer.Option("--version", help="This version; the one in force if left out.")] = 0,
    output: Annotated[str, typer.Option("--output", "-o", help="Write to this file instead of the screen.")] = "",
    server: Server = "",
    token_env: TokenEnv = TOKEN,
) -> None:
    """Print the policy in force at a server, or an earlier version."""
    if number:
        kept = ask("GET", "/api/v1/policy/versions?limit=200", server, token_env)
        found = next((item for item in kept if item["number"] == number), None)
        if found is None:
            raise ConfigError(f"version {number}: not among the last 200; see `akto-proxy policy versions`")
    else:
        found = ask("GET", "/api/v1/policy", server, token_env)
    if not output:
        typer.echo(found["text"], nl=False)
        return
    try:
        Path(output).write_text(found["text"], "utf-8")
    except OSError as error:
        raise ConfigError(f"{output}: cannot be written ({error.strerror})") from None
    typer.echo(f"version {found['number']} -> {output}")


def versions(server: Server = "", token_env: TokenEnv = TOKEN) -> None:
    """List the versions a server keeps, with author and time."""
    table = Table("version", "state", "when", "by", "comment", box=None)
    for item in ask("GET", "/api/v1/policy/versions?limit=200", server, token_env):
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(item["at"]))
        table.add_row(str(item["number"]), item["state"], when, item["author"], item["comment"])
    Console().print(table if table.row_count else "no version yet: the default that ships is in force")


def rollback(
    number: Annotated[int, typer.Argument(help="The version whose text shall be in force again.")],
    server: Server = "",
    token_env: TokenEnv = TOKEN,
) -> None:
    """Put an earlier version's text in force again, as a new version."""
    _said(ask("POST", f"/api/v1/policy/versions/{number}/restore", server, token_env, {}))


def _said(made: Any) -> None:
    if made["state"] == "proposed":
        typer.echo(f"version {made['number']} is proposed: it weakens a policy, so a second person must approve it")
    else:
        typer.echo(f"version {made['number']} is in force")


def ask(method: str, path: str, server: str, token_env: str, body: Any = None) -> Any:
    """The answer of a server's API; a list without its envelope.

    Raises:
        ConfigError: there is no token, or the server cannot be reached, refuses, or is another program.
    """
    settings = load(os.environ)
    base = base_url(settings, server)
    token = os.environ.get(token_env, "")
    if not token:
        raise ConfigError(
            f"{token_env} is not set: make an API token of role editor on the dashboard (Settings, API tokens) "
            f"and put it there, or name another variable with --token-env"
        )
    headers = {"authorization": f"Bearer {token}"}
    try:
        answer = httpx.request(method, base + path, json=body, headers=headers, timeout=TIMEOUT, trust_env=False)
        data = answer.json()
    except httpx.HTTPError as error:
        raise ConfigError(f"{base} cannot be reached ({type(error).__name__}); check --server") from None
    except ValueError:
        raise ConfigError(f"{base} answers, but not as akto-proxy's server; check --server") from None
    if answer.status_code >= 400:
        raise ConfigError(_refusal(base, answer.status_code, data))
    return data["items"] if isinstance(data, dict) and "items" in data else data


def base_url(settings: Settings, server: str) -> str:
    """The server to speak to: the one named, the operator's collector, or this machine's."""
    if server:
        return server.rstrip("/")
    if settings.akto_api_base_url and settings.ingest_form == "collector":
        return settings.akto_api_base_url
    return f"http://127.0.0.1:{settings.server_port}"


def _refusal(base: str, status: int, data: Any) -> str:
    said = data.get("error", data.get("detail", "")) if isinstance(data, dict) else ""
    said = said.get("message", "") if isinstance(said, dict) else said
    if status == 401:
        return f"{base} does not know this token: make one on the dashboard (Settings, API tokens)"
    if status == 403:
        return f"{base} refuses: the token's role may not do this; editor is needed to change a policy"
    return f"{base} refuses ({status}): {str(said)[:2000]}"


def _text(file: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigError(f"{file}: cannot be read ({reason})") from None
