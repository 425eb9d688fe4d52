"""The dashboard joined to the rest, from the settings: who may sign in how, what is shown of the configuration."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI

from akto_proxy.cli import build
from akto_proxy.cli.learning import terms_of
from akto_proxy.config.keys import key_of
from akto_proxy.config.managed import ManagedKey, changing, draw, keys_path, read_keys
from akto_proxy.config.settings import Settings
from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.house import Options
from akto_proxy.dashboard.ports import Notifier
from akto_proxy.dashboard.printer import Printer
from akto_proxy.dashboard.sso import Provider
from akto_proxy.dashboard.workshop import Workshop
from akto_proxy.errors import ConfigError
from akto_proxy.limits.schema import parse_limits
from akto_proxy.store.control import ControlStore
from akto_proxy.store.face import TraceStore
from akto_proxy.store.seal import opener

LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1", "[::1]"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pages(settings: Settings, traces: TraceStore, control: ControlStore, notifier: Notifier) -> FastAPI:
    """The dashboard over these stores.

    Raises:
        ConfigError: the browser files are missing, or a limit cannot be used.
    """
    packs = {name: build.pack_text(name) for name in build.pack_names()}
    scanner = build.scanner_for_pages(settings)
    workshop = Workshop(
        build.shipped_rules(),
        default=build.text(settings),
        packs=packs,
        scan=scanner.scan,
        engine=scanner.engine,
        key=key_of(settings, "deployment.key"),
    )
    sealed = settings.capture_key.get_secret_value()
    try:
        return create_app(
            traces=traces,
            control=control,
            workshop=workshop,
            clock=time.time,
            randomness=os.urandom,
            options=options(settings),
            notifier=notifier,
            provider=provider(settings),
            printer=printer(),
            keys=KeyFile(keys_path(settings)),
            unseal=opener(sealed) if sealed else None,
        )
    except ConfigError as error:
        raise ConfigError(f"dashboard: {error}") from None


class KeyFile:
    """The keys of callers in their file, for the pages."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def kept(self) -> Sequence[ManagedKey]:
        """All keys, also those that ended."""
        return read_keys(self._path)

    def issue(self, wanted: ManagedKey) -> str:
        """A new key; its text, which is kept nowhere."""
        made, text = draw(os.urandom, wanted)
        with changing(self._path) as keys:
            keys.append(made)
        return text

    def revoke(self, key_id: str, at: float) -> bool:
        """End a key for good; whether one of this id was in force."""
        with changing(self._path) as keys:
            for number, key in enumerate(keys):
                if key.id == key_id and not key.revoked:
                    keys[number] = replace(key, revoked=at)
                    return True
        return False


def url(settings: Settings) -> str:
    """Where people open the pages."""
    return settings.dashboard_url or f"http://{settings.server_host}:{settings.server_port}"


def options(settings: Settings) -> Options:
    """What the operator chose about the pages."""
    return Options(
        https=url(settings).startswith("https:"),
        hosts=hosts(settings),
        proxy_url=f"http://127.0.0.1:{settings.akto_proxy_port}",
        two_people=settings.two_people,
        managed=settings.auth == "managed",
        guarded=settings.guardrail_endpoints,
        guard_streams=settings.apply_guardrails_to_sse,
        limits=parse_limits(settings.limits),
        terms=terms_of(settings),
        learn_days=settings.learn_days,
        about=(
            ("APP_URL", settings.app_url or "the built-in demonstration endpoint"),
            ("CAPTURE", settings.capture),
            ("RETENTION_DAYS", f"{settings.retention_days:g}"),
            ("RETENTION_BY_SENSITIVITY", ", ".join(settings.retention_by_sensitivity) or "the same for all"),
            (
                "RETENTION_MAX_SIZE",
                f"{settings.retention_max_size:,} bytes" if settings.retention_max_size else "no bound",
            ),
            ("AUDIT", settings.audit),
            ("SENSITIVITY", settings.sensitivity),
            ("LIMITS", f"{len(settings.limits)} set"),
        ),
    )


def hosts(settings: Settings) -> frozenset[str]:
    """The names by which the pages may be asked for: an address elsewhere cannot be made to point at them."""
    named = urlsplit(settings.dashboard_url).hostname
    if named:
        return LOOPBACK | {named.lower()}
    return LOOPBACK if settings.server_host in LOOPBACK else frozenset()


def provider(settings: Settings) -> Provider | None:
    """The issuer people sign in with, if one is set."""
    if not settings.oidc_issuer:
        return None
    pairs = (entry.rpartition("=") for entry in settings.oidc_roles)
    return Provider(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        redirect=f"{url(settings)}/oidc/callback",
        name=settings.oidc_name,
        role_claim=settings.oidc_role_claim,
        roles=tuple((claim, role) for claim, _, role in pairs),
        default_role=settings.oidc_default_role,
        name_claim=settings.oidc_name_claim,
    )


def printer() -> Printer | None:
    """What makes PDF files, where this machine has a browser for it."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    return Printer(found, sandbox=os.geteuid() != 0) if found else None
