"""`akto-proxy keys`, and the gate that checks them: the proxy holds the endpoint's token and issues keys of its own.

Keys are a file of hashes that every worker keeps in memory and reads again within a second of a change: a revoked key
ends without a restart, and no call waits for a database. A file that cannot be read leaves the keys in force, loudly.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import structlog
import typer
from rich.console import Console

from akto_proxy.cli.limiting import place
from akto_proxy.config.managed import ManagedKey, changing, draw, keys_path, read_keys
from akto_proxy.config.settings import Settings, load
from akto_proxy.errors import ConfigError
from akto_proxy.exchange.face import Headers, Refusal, RequestHead
from akto_proxy.limits.keys import KeyRing, exchanged
from akto_proxy.model import Caller
from akto_proxy.proxy.core import Door

if TYPE_CHECKING:
    from collections.abc import Callable

    from akto_proxy.cli.gates import Refuser

_log = structlog.get_logger("akto_proxy.keys")
_DAY = 86_400.0
Config = Annotated[str, typer.Option("--config", help="YAML settings file (docs/settings.md).", metavar="FILE")]

app = typer.Typer(name="keys", no_args_is_help=True, help="Keys that this proxy issues (AUTH=managed; docs/keys.md).")


@dataclass(slots=True)
class Managed:
    """The keys of one worker: those in force, and what they do to a call.

    `place` names the endpoint of a path.
    """

    path: Path
    ring: KeyRing
    token: bytes
    place: Callable[[str], str]
    _stamp: tuple[int, int, int] | None = field(default=None)

    def refresh(self) -> None:
        """Read the file again if it is another one than last time."""
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.ring.replace(read_keys(self.path))
        except ConfigError as error:
            _log.error("keys not reloaded, those in force stay", reason=str(error))
            return
        _log.info("keys loaded", keys=len(self.ring))

    def permit(self, caller: Caller, model: str, asks: bool) -> str:
        """Why the caller's key may not use this model, "" when it may."""
        return self.ring.permit(caller, model, asks=asks)

    def outbound(self, headers: Headers) -> Headers:
        """The headers for upstream."""
        return exchanged(headers, self.token)


def managed(settings: Settings) -> Managed | None:
    """The keys of a worker, None where callers' own tokens pass on.

    Raises:
        ConfigError: the file of keys cannot be read.
    """
    if settings.auth == "pass":
        return None
    path = keys_path(settings)
    return Managed(
        path,
        KeyRing(read_keys(path), time.time),
        settings.upstream_token.get_secret_value().encode(),
        place(settings),
        _stamp(path),
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


class KeyGate(Door):
    """Lets only holders of a key in."""

    def __init__(self, keys: Managed, refuser: Refuser) -> None:
        self._keys = keys
        self._refuser = refuser

    def enter(self, head: RequestHead) -> Refusal | bool:
        """A refusal in the route's own form, or True."""
        path = head.target.partition(b"?")[0].decode("latin-1")
        denied = self._keys.ring.check(head.headers, self._keys.place(path))
        if denied is None:
            return True
        refusal = self._refuser.refuse(denied.reason, denied.status, denied.message, head)
        extra = [(b"www-authenticate", b"Bearer")] if denied.status == 401 else []
        return replace(refusal, headers=[*refusal.headers, *extra])


@app.command()
def new(
    name: Annotated[str, typer.Option(help="Who it is for; stands in lists only.")],
    endpoint: Annotated[list[str] | None, typer.Option(help="Endpoint it is for (glob; repeat). Default: all.")] = None,
    model: Annotated[list[str] | None, typer.Option(help="Model it is for (glob; repeat). Default: all.")] = None,
    team: Annotated[str, typer.Option(help="Team of its calls: in limits, policies and traces.")] = "",
    user: Annotated[str, typer.Option(help="User of its calls. Default: what the caller says.")] = "",
    days: Annotated[float, typer.Option(min=0, help="Days until it expires; 0 for never.")] = 90,
    config: Config = "",
) -> None:
    """Issue a key and print it once. It works within a second on this machine's proxy."""
    settings = load(os.environ, config or None)
    now = time.time()
    expires = now + days * _DAY if days else 0.0
    wanted = ManagedKey("", name, "", now, expires, 0.0, tuple(endpoint or ()), tuple(model or ()), team, user)
    made, text = draw(os.urandom, wanted)
    with changing(keys_path(settings)) as keys:
        keys.append(made)
    if settings.auth == "pass":
        Console(stderr=True).print("No proxy asks for it yet: set AUTH=managed and UPSTREAM_TOKEN.", markup=False)
    typer.echo(text)


@app.command("list")
def list_keys(
    json: Annotated[bool, typer.Option("--json", help="One JSON array instead of lines for people.")] = False,
    config: Config = "",
) -> None:
    """Show the keys: never the keys themselves, which nobody can read back."""
    keys = read_keys(keys_path(load(os.environ, config or None)))
    if json:
        rows = [{**_row(key), "state": state(key, time.time())} for key in keys]
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    for key in keys:
        scope = [*(f"endpoint={glob}" for glob in key.endpoints), *(f"model={glob}" for glob in key.models)]
        owner = [f"{word}={value}" for word, value in (("team", key.team), ("user", key.user)) if value]
        until = f"until {datetime.fromtimestamp(key.expires, UTC):%Y-%m-%d}" if key.expires else "no end"
        typer.echo("  ".join([key.id, state(key, time.time()), until, key.name, *owner, *scope]))


def _row(key: ManagedKey) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "created": key.created,
        "expires": key.expires,
        "endpoints": key.endpoints,
        "models": key.models,
        "team": key.team,
        "user": key.user,
    }


@app.command()
def revoke(
    ident: Annotated[str, typer.Argument(metavar="ID", help="The id that `list` shows.")], config: Config = ""
) -> None:
    """End a key for good. It stays in the list, so that old traces can be told whose they are."""
    path = keys_path(load(os.environ, config or None))
    with changing(path) as keys:
        found = next((number for number, key in enumerate(keys) if key.id == ident and not key.revoked), None)
        if found is None:
            raise ConfigError(f"{ident[:32]}: no key with this id is in force; `akto-proxy keys list` shows all")
        keys[found] = replace(keys[found], revoked=time.time())
    typer.echo(f"{ident} is revoked")


def state(key: ManagedKey, now: float) -> str:
    """`active`, `expired` or `revoked`."""
    return "revoked" if key.revoked else "expired" if key.expires and now >= key.expires else "active"
