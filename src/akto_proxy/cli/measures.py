"""Measures that a server took, in force here: blocked callers, stricter policies, learned limits, from small files.

The server (or whoever fetches from it) replaces the files; each worker looks at their time of change twice a second.
So a measure is in force within a second or so, stays in force while the server is away, and ends by its own time. A
file that cannot be read changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import structlog

from akto_proxy.cli import build
from akto_proxy.cli.targets import remote_token
from akto_proxy.config.settings import Settings
from akto_proxy.errors import AktoProxyError
from akto_proxy.exchange.handler import Guardrails
from akto_proxy.exchange.shared import Guard
from akto_proxy.limits.blocks import Blocked, write_blocks
from akto_proxy.limits.learned import write_learned
from akto_proxy.policy.compile import PolicySet
from akto_proxy.policy.stricter import DEEDS, stricter
from akto_proxy.watch.respond import OVERRIDES_FILE, write_overrides

LOOK_EVERY = 0.5
PATH = "/v1/measures"
_MAX_ANSWER = 4 << 20
_log = structlog.get_logger("akto_proxy.measures")

Deeds = tuple[tuple[str, str], ...]


class Strictness:
    """The policies of one worker, made stricter as long as the server asks for it.

    Args:
        folder: where the file is.
        guardrails: whose guard is swapped.
        now: Unix seconds.
    """

    def __init__(self, folder: Path, guardrails: Guardrails, now: Callable[[], float] = time.time) -> None:
        self._path = folder / OVERRIDES_FILE
        self._guardrails = guardrails
        self._now = now
        self._base = guardrails.guard
        self._stamp: tuple[int, int] | None = None
        self._rows: list[tuple[str, str, float]] = []
        self._done: Deeds = ()

    def tick(self) -> bool:
        """Look at the file and the clock, and swap the guard where that changes something; whether it did."""
        self._look()
        now = self._now()
        deeds = tuple(sorted({(name, do) for name, do, until in self._rows if until > now}))
        if deeds == self._done:
            return False
        self._done = deeds
        self._guardrails.swap(self._made(deeds))
        _log.warning("policies are stricter for a time" if deeds else "policies are as written again", deeds=deeds)
        return True

    def renew(self, guard: Guard) -> None:
        """The policies were read again: put them in force, stricter where that is asked for."""
        self._base = guard
        self._guardrails.swap(self._made(self._done))

    def _made(self, deeds: Deeds) -> Guard:
        base = self._base
        if not deeds:
            return base
        policies = stricter(base.policies.all_policies, deeds)
        return Guard(base.scanner, PolicySet(policies, {rule.id: rule for rule in build.shipped_rules()}))

    def _look(self) -> None:
        try:
            found = self._path.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp == self._stamp:
                return
            rows = orjson.loads(self._path.read_bytes())["overrides"]
            made = [(str(row["policy"]), str(row["do"]), float(row["until"])) for row in rows if row["do"] in DEEDS]
        except FileNotFoundError:
            self._stamp, self._rows = None, []
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.error("measures cannot be read, those in force stay", kind=type(error).__name__)
        else:
            self._stamp, self._rows = stamp, made


async def obey(strictness: Strictness) -> None:
    """Look again and again, until cancelled."""
    while True:
        await asyncio.sleep(LOOK_EVERY)
        try:
            await asyncio.to_thread(strictness.tick)
        except AktoProxyError as error:
            _log.error("a measure cannot be carried out", reason=str(error))


async def fetch(client: httpx.AsyncClient, settings: Settings) -> None:
    """Ask the server what measures are in force and write them down here, again and again, until cancelled.

    A server that is away changes nothing: measures end by their own time.
    """
    token = remote_token(settings)
    mark, trouble = "", ""
    while True:
        try:
            mark = await _fetch_once(client, settings, token, mark)
            said = ""
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
            said = type(error).__name__
        if said != trouble:
            trouble = said
            _log.log(30 if said else 20, "measures of the server", trouble=said or "none")
        await asyncio.sleep(LOOK_EVERY if not said else 5.0)


async def _fetch_once(client: httpx.AsyncClient, settings: Settings, token: str, mark: str) -> str:
    headers = {"authorization": token, **({"if-none-match": mark} if mark else {})}
    answer = await client.get(settings.akto_api_base_url.rstrip("/") + PATH, headers=headers, timeout=5.0)
    if answer.status_code == 304:
        return mark
    answer.raise_for_status()
    if len(answer.content) > _MAX_ANSWER:
        raise ValueError("too long")
    await asyncio.to_thread(write, settings.data_path, orjson.loads(answer.content))
    return str(answer.headers.get("etag", ""))


def write(folder: Path, said: Any) -> None:
    """Put what the server said where workers look. Raises OSError, and ValueError, KeyError or TypeError if it is not
    what a server says.
    """
    blocks = [Blocked(str(field), str(value), float(until)) for field, value, until in said["blocks"]]
    rows = [(str(row["policy"]), str(row["do"]), float(row["until"])) for row in said["overrides"]]
    limits = [{"slot": int(row["slot"]), "limit": dict(row["limit"])} for row in said.get("limits", ())]
    write_blocks(folder, blocks)
    write_overrides(folder, rows)
    write_learned(folder, limits)
