"""Pulls the policy: asks at an interval, proves what comes, keeps it on disk, and says loudly what was refused.

A version is proved here, in one process, before any worker sees it: form, names, patterns, and that the matching engine
compiles it in time (the workers find the compiled database on disk). What fails any of it changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx
import orjson
import structlog
import yaml

from akto_proxy.cli import build, pulled
from akto_proxy.cli.targets import local_token, remote_token
from akto_proxy.config.settings import Settings
from akto_proxy.errors import AktoProxyError, PolicyError
from akto_proxy.policy.akto import import_policies
from akto_proxy.policy.catalogue import vocabulary
from akto_proxy.policy.schema import parse_policies
from akto_proxy.proxy.policy_source import AktoPolicies, CollectorPolicies, Fetched, PolicySource, SourceError

_log = structlog.get_logger("akto_proxy.policy")
SOONEST, LONGEST = 1.0, 15.0
"""Seconds between two tries while a source fails: at first (a server that starts with us is there in a moment), and
once it has been away for long."""


def source(client: httpx.AsyncClient, settings: Settings, *, embedded: bool) -> PolicySource | None:
    """Where this tree of processes pulls its policy from, if anywhere."""
    chosen = pulled.source_of(settings)
    token = remote_token(settings)
    if chosen == "akto":
        return AktoPolicies(client, settings.akto_policy_url, token)
    if chosen == "file":
        return None
    if settings.akto_api_base_url and settings.ingest_form == "collector":
        return CollectorPolicies(client, settings.akto_api_base_url, token)
    if not embedded:
        return None
    return CollectorPolicies(client, f"http://127.0.0.1:{settings.server_port}", local_token(settings))


@dataclass(slots=True)
class Puller:
    """Keeps one machine's policy at what its source has.

    Args:
        settings: where it is kept, and what else is in force beside it.
        origin: where it is pulled from.
        prove: refuses a policy that could not run; the real one compiles it.
        sleep: waits so many seconds.
    """

    settings: Settings
    origin: PolicySource
    prove: Callable[[Settings, str], None]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    problem: str = ""
    """Why the newest version is not in force, one sentence; empty when it is."""
    _tag: str = ""
    _away: str = ""

    async def run(self) -> None:
        """Pull until cancelled."""
        kept = pulled.read(self.settings)
        self._tag = kept.tag if kept is not None and kept.source == self.origin.name else ""
        wait = SOONEST
        while True:
            if await self.turn():
                wait = SOONEST
                await self.sleep(self.settings.policy_interval)
            else:
                await self.sleep(wait)
                wait = min(LONGEST, wait * 2)

    async def turn(self) -> bool:
        """Pull once; False when the source gave nothing for a reason."""
        try:
            found = await self.origin.fetch(self._tag)
        except SourceError as error:
            if str(error) != self._away:
                self._away = str(error)
                _log.warning("the policy cannot be pulled", reason=self._away)
            return False
        self._away = ""
        if found is not None:
            self._tag = found.tag  # also of a refused one: it is told once, and the next version is looked at
            await asyncio.to_thread(self._take, found)
        return True

    def _take(self, found: Fetched) -> None:
        try:
            text = self._translated(found.text) if isinstance(self.origin, AktoPolicies) else found.text
            self.prove(self.settings, text)
            kept = pulled.Pulled(text, self.origin.name, found.number, found.tag)
            pulled.write(self.settings, kept)
        except AktoProxyError as error:
            what = f"version {found.number}" if found.number else "what was pulled"
            self.problem = f"{what} is refused: {error}"
            _log.error("a pulled policy is refused, the running one stays", version=found.number, reason=str(error))
            return
        self.problem = ""
        _log.info("policy pulled", version=found.number, source=self.origin.name)

    @staticmethod
    def _translated(text: str) -> str:
        made, unmapped = translated(text)
        for line in unmapped:
            _log.warning("a part of Akto's policies has no counterpart here", part=line)
        return made


def translated(text: str) -> tuple[str, list[str]]:
    """A policy file out of the JSON answer of Akto's `fetchGuardrailPolicies`, and what of it cannot be mapped.

    Raises:
        PolicyError: not such an answer, or no policy of it can be mapped.
    """
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise PolicyError("Akto's policies: not JSON") from None
    imported = import_policies(payload if isinstance(payload, dict) else {}, vocabulary(build.policy_set([]).known))
    if not imported.policies:
        raise PolicyError("Akto's policies: no policy could be mapped")
    policies = [policy.model_dump(mode="json", exclude_defaults=True) for policy in imported.policies]
    made = yaml.safe_dump({"version": 1, "policies": policies}, sort_keys=False, allow_unicode=True)
    return made, imported.unmapped


def prove(settings: Settings, text: str) -> None:
    """Refuse a policy text that could not run here beside the packs that are switched on.

    Raises:
        ConfigError, PolicyError: it cannot; the message names what and where.
    """
    build.prepare(settings, build.with_packs(settings, parse_policies(text, "policy")))


class InForce:
    """What this machine's policy is, for its reports. Compiled only when a file changed since the last look."""

    def __init__(self, settings: Settings, puller: Puller | None) -> None:
        self._settings = settings
        self._puller = puller
        self._files = pulled.watched(settings)
        self._stamp: pulled.Stamp | None = None
        self._version = ""

    def look(self) -> tuple[str, str]:
        """The version in force, and why it is not the newest (empty when it is)."""
        stamp = pulled.stamp(self._files)
        problem = self._puller.problem if self._puller is not None else ""
        if stamp != self._stamp:
            try:
                self._version = build.policy_set(build.policies(self._settings)).version
            except AktoProxyError as error:
                return self._version, str(error)  # the running one stays; tried again until the file can be used
            self._stamp = stamp
        return self._version, problem
