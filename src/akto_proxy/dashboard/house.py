"""The parts a page may use, in one frozen record, made by `create_app` and found through the request."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import Request

from akto_proxy.dashboard.lessons import Lessons
from akto_proxy.dashboard.pages import Pages
from akto_proxy.dashboard.passwords import Passwords
from akto_proxy.dashboard.ports import Keys, Notifier
from akto_proxy.dashboard.printer import Printer
from akto_proxy.dashboard.ready import Readiness
from akto_proxy.dashboard.replays import Replays
from akto_proxy.dashboard.sessions import Sessions
from akto_proxy.dashboard.setup import Setup
from akto_proxy.dashboard.sso import Sso
from akto_proxy.dashboard.throttle import Throttle
from akto_proxy.dashboard.web import Me, me, peer
from akto_proxy.dashboard.workshop import Draft, Workshop
from akto_proxy.errors import PolicyError
from akto_proxy.limits.learn import Terms
from akto_proxy.limits.schema import Limit
from akto_proxy.store.control import AuditNote, ControlStore
from akto_proxy.store.face import TraceStore

LOOK_BACK = 20
"""Versions looked at for a good one, where the one in force cannot be used."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator chose about the pages."""

    https: bool = False
    """Served over TLS (by us or a proxy in front): cookies are then sent over TLS only."""
    hosts: frozenset[str] = frozenset()
    """Host names that may be used to reach the pages; empty is any."""
    proxy_url: str = "http://127.0.0.1:8080"
    """Where callers reach the proxy, for the next step shown on an empty page."""
    two_people: bool = False
    """Whether a change that weakens a policy waits until a second person approves it."""
    guarded: tuple[str, ...] = ()
    """METHOD:path globs that the guard checks; empty is every route."""
    guard_streams: bool = True
    """Whether event streams are checked."""
    limits: tuple[Limit, ...] = ()
    """The limits of the settings; those that were learned and accepted are in the control store."""
    terms: Terms = field(default_factory=Terms)
    """How limits are learned unless a page says otherwise."""
    learn_days: float = 7.0
    """Days they are learned from unless a page says otherwise."""
    managed: bool = False
    """Whether callers need a key of ours (AUTH=managed)."""
    about: tuple[tuple[str, str], ...] = ()
    """What the settings page says of the running configuration (retention, capture, ...): name and value."""


@dataclass(frozen=True, slots=True)
class House:
    """All parts."""

    traces: TraceStore
    control: ControlStore
    pages: Pages
    sessions: Sessions
    passwords: Passwords
    throttle: Throttle
    setup: Setup
    clock: Callable[[], float]
    randomness: Callable[[int], bytes]
    options: Options
    workshop: Workshop
    replays: Replays
    lessons: Lessons
    readiness: Readiness
    notifier: Notifier | None = None
    unseal: Callable[[str], bytes] | None = None
    sso: Sso | None = None
    printer: Printer | None = None
    keys: Keys | None = None

    def note(self, request: Request, action: str, subject: str = "", detail: str = "") -> None:
        """Write to the audit log who did this."""
        who: Me | None = me(request)
        actor = who.name if who else ""
        self.control.note(AuditNote(self.clock(), actor, action, subject, detail, peer(request)))


def house(request: Request) -> House:
    """The parts, from a request."""
    found: House = request.app.state.house
    return found


def in_force(parts: House) -> Draft:
    """The policy version in force, compiled; the program's default where none was saved.

    A version that cannot be used (another program wrote it) is in force nowhere: proxies keep the last good one, and so
    does this. Without that, such a version could not even be rolled back here.
    """
    active = parts.control.active()
    if active is None:
        return parts.workshop.draft(parts.workshop.default)
    try:
        return parts.workshop.draft(active.text)
    except PolicyError:
        return _last_good(parts, active.number)


def _last_good(parts: House, before: int) -> Draft:
    for version in parts.control.versions(limit=LOOK_BACK):
        if version.number < before and version.state == "past":
            with suppress(PolicyError):
                return parts.workshop.draft(version.text)
    return parts.workshop.draft(parts.workshop.default)
