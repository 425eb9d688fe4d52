"""What an operator reads in the first seconds: where the parts are, and at once what is not well with the way out.

The start never waits for others, so this is said beside it: once the proxy answers, the endpoint's name, address and
certificate are looked at and the ingestion server is asked. Nothing is woken: no request reaches the endpoint.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.client import HTTPException

import structlog
from rich.console import Console

from akto_proxy.cli import logs, tour
from akto_proxy.cli.targets import servers, upstream
from akto_proxy.config.settings import Settings
from akto_proxy.doctor.ingestion import Ingestion
from akto_proxy.doctor.result import Result, State
from akto_proxy.doctor.run import ingestion_taken, way

_log = structlog.get_logger("akto_proxy")
_PATIENCE = 90.0
"""Seconds that a start may take before this is given up."""
_TIMEOUT = 3.0
"""Seconds each question may take."""


def start(settings: Settings, console: Console, *, server: bool) -> None:
    """Say where the parts are, and in the background what is not well."""
    say = speaker(settings, console)
    say("Proxy", f"{proxy_url(settings)}  ->  {settings.app_url or 'the built-in demonstration endpoint'}", "")
    if server:
        say("Dashboard", f"http://{settings.server_host}:{settings.server_port}", "")
    if settings.demo:
        say("Endpoint", "built in, because APP_URL is not set", "set APP_URL=https://<endpoint> to guard yours")
    threading.Thread(target=look, args=(settings, say, time.monotonic()), daemon=True).start()


Say = Callable[[str, str, str], None]
"""A subject, what is to be said of it, and what to do about it ("" when it is well)."""


def speaker(settings: Settings, console: Console) -> Say:
    """Lines for people where logs are for people, events where they are for machines."""

    def people(subject: str, what: str, fix: str) -> None:
        console.print(f"[bold]{subject:<10}[/] ", end="")
        console.print(f"{what}. {fix[:1].upper()}{fix[1:]}" if fix else what, markup=False)

    def machines(subject: str, what: str, fix: str) -> None:
        more = {"fix": fix} if fix else {}
        (_log.warning if fix else _log.info)(subject.lower(), what=what, **more)

    return people if logs.for_people(settings.log_format) else machines


def proxy_url(settings: Settings) -> str:
    """Where this machine's clients find the proxy."""
    host = "127.0.0.1" if settings.listen_host == "0.0.0.0" else settings.listen_host  # noqa: S104 - only to print it
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{settings.akto_proxy_port}"


def look(settings: Settings, say: Say, began: float) -> None:
    """Wait until the proxy answers, then say how the way to the endpoint and to the ingestion server looks."""
    if not settings.tls_cert and not answers(proxy_url(settings)):
        say("Proxy", f"does not answer after {_PATIENCE:.0f} s", "look at what the log says above")
        return
    say("Ready", f"after {time.monotonic() - began:.1f} s", "")
    if not settings.demo:
        report("Endpoint", list(way(upstream(settings), settings.connect_timeout)), say)
    for target in servers(settings):
        if not target.own:
            traces(target, say)


def answers(url: str) -> bool:
    """Whether the proxy answers within the time a start may take."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            if tour.call(url, "GET", "/readyz")[0] == 200:
                return True
        except (OSError, HTTPException):
            pass
        time.sleep(0.2)
    return False


def traces(target: Ingestion, say: Say) -> None:
    """Say whether the ingestion server takes traces."""
    report("Traces", list(ingestion_taken(target, _TIMEOUT)), say, "; until then traces wait in the spool")


def report(subject: str, results: list[Result], say: Say, more: str = "") -> None:
    """Say the first thing that is not well, or the last thing that is."""
    bad = next((result for result in results if result.state in (State.FAIL, State.WARN)), None)
    if bad is None:
        say(subject, results[-1].what, "")
    elif bad.state is State.WARN:
        say(subject, bad.what, bad.fix)
    else:
        say(subject, f"NOT WELL: {bad.what}{more}", f"{bad.fix} (all checks: akto-proxy doctor)")
