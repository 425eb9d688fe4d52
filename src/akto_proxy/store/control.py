"""What people and the watch decide, and the log of it: the nouns and the face of the control store.

Traces are many and only added; these records are few and change. So they live in a database of their own: SQLite by
default, PostgreSQL where several servers share them. Calls are synchronous and safe from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from akto_proxy.model import Alert, Incident, IncidentState


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. `source` is `local` (`password` is its hash) or `oidc`."""

    name: str
    role: str
    password: str = ""
    source: str = "local"
    disabled: bool = False
    created: float = 0.0
    seen: float = 0.0


@dataclass(frozen=True, slots=True)
class AuditNote:
    """One line of the audit log: who did what to what, from where. Never holds protected text."""

    at: float
    actor: str
    action: str
    subject: str = ""
    detail: str = ""
    ip: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret. `scope` is `ingest`, `guard` (verdicts too) or a dashboard role."""

    id: str
    name: str
    scope: str
    created: float
    by: str = ""
    seen: float = 0.0
    expires: float = 0.0
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the policy text. `state` is `active`, `past`, or `proposed` (waits for a second person)."""

    number: int
    text: str
    author: str
    at: float
    comment: str = ""
    state: str = "past"


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person made of a decision: `review`, `ignored` or `false-positive`; none is active."""

    event: str
    state: str
    by: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class View:
    """A saved list of traces: a name for a query string."""

    id: str
    owner: str
    name: str
    query: str
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One line of an incident's timeline: a note, a change of state or owner."""

    at: float
    by: str
    kind: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """A caller that is refused until `until`. `field` is `user`, `key`, `ip`, `agent`, `team` or `session`."""

    id: str
    field: str
    value: str
    until: float
    reason: str = ""
    by: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to tell somebody about an alert. `outcome` is `sent`, `retry` or `dead`; `detail` names no secret."""

    at: float
    channel: str
    subject: str
    outcome: str
    detail: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class ProxyHealth:
    """What one proxy says of itself. `lag` is the number of spool bytes or traces on its disk not shipped yet.

    `policy_problem` says why it does not run the newest policy version; empty when it does.
    """

    name: str
    seen: float
    version: str = ""
    policy_version: str = ""
    lag: int = 0
    lag_seconds: float = 0.0
    dropped: int = 0
    policy_problem: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A limit that was learned. `state` is `proposed`, `accepted`, `dismissed`, `withdrawn` or `replaced` (it was
    learned again, and is not found any more); times are Unix seconds.

    `entry` is the limit as it would stand in the settings file, as JSON; its `mode` says whether it is enforced or only
    counted once accepted. The rest says what it was computed from: calls from `since` to `until`, on `days` days, in
    `samples` samples of `callers` callers, of which `percentile` percent were at most `usual`, the largest `peak`; with
    it `refused` of the `calls` of that time would have been refused, of `refused_callers` callers. `slot` numbers the
    accepted ones, -1 for the others.
    """

    id: str
    name: str
    state: str
    made: float
    endpoint: str
    kind: str
    count: str
    entry: str
    since: float
    until: float
    days: int
    samples: int
    callers: int
    calls: int
    percentile: float
    headroom: float
    usual: float
    peak: float
    refused: int
    refused_callers: int
    by: str = ""
    decided: float = 0.0
    slot: int = -1


class ControlStore(Protocol):
    """Keeps people, tokens, policy versions, marks, views, incidents, blocks, learned limits, settings, health and the
    audit log.

    Raises StorageError when the database cannot.
    """

    def people(self) -> Sequence[Person]:
        """Everybody, by name."""
        ...

    def person(self, name: str) -> Person | None:
        """One account, by its exact name."""
        ...

    def keep_person(self, person: Person) -> None:
        """Add or replace by name."""
        ...

    def remove_person(self, name: str) -> None:
        """Take an account away."""
        ...

    def note(self, note: AuditNote) -> None:
        """Append to the audit log."""
        ...

    def notes(self, *, before: int = 0, limit: int = 100, actor: str = "", action: str = "") -> Sequence[AuditNote]:
        """The audit log, newest first, before a number (0: from the end); `action` filters by prefix."""
        ...

    def tokens(self) -> Sequence[Token]:
        """All API tokens, newest first."""
        ...

    def add_token(self, name: str, scope: str, *, by: str, at: float, expires: float = 0.0) -> tuple[Token, str]:
        """A new token and its secret, which is never kept and never shown again."""
        ...

    def token(self, secret: str, at: float) -> Token | None:
        """The token of a secret, if it is good at this moment."""
        ...

    def revoke_token(self, token_id: str) -> None:
        """Make a token useless."""
        ...

    def versions(self, *, limit: int = 100) -> Sequence[Version]:
        """Policy versions, newest first."""
        ...

    def version(self, number: int) -> Version | None:
        """One version."""
        ...

    def active(self) -> Version | None:
        """The version in force; none: the program's default."""
        ...

    def add_version(self, text: str, *, author: str, at: float, comment: str = "", proposed: bool = False) -> Version:
        """A new version; in force at once unless it is only proposed."""
        ...

    def approve(self, number: int, *, by: str, at: float) -> Version:
        """Put a proposed version in force.

        Raises:
            ValueError: there is no such proposed version.
        """
        ...

    def marks(self, events: Sequence[str]) -> Mapping[str, Mark]:
        """The marks of these decisions."""
        ...

    def marked(self, state: str, *, limit: int = 200) -> Sequence[Mark]:
        """Decisions in a state, last marked first."""
        ...

    def mark(self, events: Sequence[str], state: str, *, by: str, at: float) -> None:
        """Move decisions to a state; `active` takes the mark away."""
        ...

    def views(self, owner: str) -> Sequence[View]:
        """A person's own saved views and the shared ones."""
        ...

    def keep_view(self, view: View) -> None:
        """Add or replace."""
        ...

    def remove_view(self, view_id: str, owner: str) -> None:
        """Take a person's own view away."""
        ...

    def incidents(self, states: Sequence[IncidentState] = (), *, limit: int = 200) -> Sequence[Incident]:
        """Incidents, last updated first."""
        ...

    def incident(self, incident_id: str) -> Incident | None:
        """One incident."""
        ...

    def keep_incident(self, incident: Incident) -> None:
        """Add or replace by id (the watch's way to open, grow and resolve one)."""
        ...

    def open_incident(self, fingerprint: str) -> Incident | None:
        """The incident of this cause that is not resolved yet."""
        ...

    def add_alert(self, alert: Alert, incident_id: str) -> None:
        """Keep an alert with its incident; the same alert id again changes nothing."""
        ...

    def alerts(self, incident_id: str, *, limit: int = 200) -> Sequence[Alert]:
        """The alerts of an incident, newest first."""
        ...

    def steps(self, incident_id: str) -> Sequence[Step]:
        """Its timeline, oldest first."""
        ...

    def move_incident(
        self,
        incident_id: str,
        step: Step,
        *,
        state: IncidentState | None = None,
        assignee: str | None = None,
    ) -> None:
        """Add to the timeline, and change state or owner with it."""
        ...

    def add_delivery(self, delivery: Delivery) -> None:
        """Append to the history of notifications."""
        ...

    def deliveries(self, *, limit: int = 100) -> Sequence[Delivery]:
        """The history of notifications, newest first."""
        ...

    def blocks(self) -> Sequence[Block]:
        """Callers that are refused, also those whose time is over."""
        ...

    def block(self, block: Block) -> None:
        """Refuse a caller until the block's end."""
        ...

    def unblock(self, block_id: str) -> None:
        """Let a caller in again."""
        ...

    def proposals(self, states: Sequence[str] = ()) -> Sequence[Proposal]:
        """Learned limits in these states (none: in any), last made first."""
        ...

    def proposal(self, proposal_id: str) -> Proposal | None:
        """One learned limit."""
        ...

    def keep_proposal(self, proposal: Proposal) -> None:
        """Add one."""
        ...

    def move_proposal(self, proposal: Proposal, states: Sequence[str]) -> bool:
        """Replace it, if it is still in one of these states; whether it was. Of two who decide at once one wins."""
        ...

    def setting(self, name: str) -> str:
        """A value set on a page, empty where none."""
        ...

    def set_setting(self, name: str, value: str) -> None:
        """Set a value."""
        ...

    def state(self, name: str) -> bytes:
        """What a part of the program wants to know again after a restart (baselines), empty where none."""
        ...

    def set_state(self, name: str, data: bytes) -> None:
        """Keep it."""
        ...

    def proxies(self) -> Sequence[ProxyHealth]:
        """What proxies last said of themselves, by name."""
        ...

    def keep_health(self, health: ProxyHealth) -> None:
        """A proxy spoke."""
        ...

    def close(self) -> None:
        """Give back files and sockets."""
        ...
