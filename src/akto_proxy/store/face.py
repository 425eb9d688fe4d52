"""What the rest of the house may ask of a trace store: one Protocol, about a dozen named queries, plain results.

Every engine (SQLite, ClickHouse) answers the same questions with the same meaning; one contract suite proves it.
Calls are synchronous and safe from any thread: an async caller wraps them in `asyncio.to_thread`. The price of named
queries is that a new page may need a new one here; the gain is that no page holds SQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from akto_proxy.light import light
from akto_proxy.model import Action, Decision, Severity, Trace


class By(StrEnum):
    """What traces can be grouped by. RULE to SEVERITY look at decisions: a trace counts once for each rule it hit."""

    USER = "user"
    KEY = "key"
    TEAM = "team"
    AGENT = "agent"
    IP = "ip"
    SESSION = "session"
    PROJECT = "project"
    ENDPOINT = "endpoint"
    ROUTE = "route"
    ENGINE = "engine"
    MODEL = "model"
    OUTCOME = "outcome"
    SENSITIVITY = "sensitivity"
    RULE = "rule"
    CATEGORY = "category"
    ENTITY = "entity"
    POLICY = "policy"
    DIRECTION = "direction"
    SEVERITY = "severity"


OF_DECISION = (By.RULE, By.CATEGORY, By.ENTITY, By.POLICY, By.DIRECTION, By.SEVERITY)
"""The groupings that look at decisions; the others are columns of the trace."""

EXACT = ("rule", "category", "entity", "policy", "direction")
"""The fields of a Filter that a decision must equal; its severity is a lower bound instead."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which traces. An empty field filters nothing; `since` is inclusive, `until` exclusive, both Unix seconds.

    `verdicts` keeps traces whose verdict is one of them, `severity` those with a decision at least that severe,
    `text` those whose kept bodies contain every word (case-insensitive).
    """

    since: float = 0.0
    until: float = 0.0
    verdicts: tuple[Action, ...] = ()
    severity: Severity | None = None
    bypassed: bool | None = None
    status: int = 0
    user: str = ""
    key: str = ""
    team: str = ""
    agent: str = ""
    ip: str = ""
    session: str = ""
    project: str = ""
    endpoint: str = ""
    route: str = ""
    engine: str = ""
    model: str = ""
    outcome: str = ""
    sensitivity: str = ""
    rule: str = ""
    category: str = ""
    entity: str = ""
    policy: str = ""
    direction: str = ""
    text: str = ""

    @property
    def only_time(self) -> bool:
        """Whether nothing but the time is asked, so that an engine may answer from rollups."""
        return self == Filter(since=self.since, until=self.until)


ALL = Filter()
"""The filter that filters nothing."""


@light
@dataclass(frozen=True, slots=True)
class Link:
    """A record's place in its writer's hash chain. `digest` and `chain` are hex SHA-256."""

    writer: str
    number: int
    digest: str
    chain: str


@light
@dataclass(frozen=True, slots=True)
class Entry:
    """A trace to keep, with the exact bytes it came as and its link, where it came through a spool."""

    trace: Trace
    record: bytes = b""
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A spool's own mark in its chain: `kind` is `segment`, `checkpoint` or `gap`; `body` its exact JSON bytes."""

    link: Link
    kind: str
    body: bytes


@light
@dataclass(frozen=True, slots=True)
class Summary:
    """One line of a list of traces: no bodies."""

    id: str
    started: float
    endpoint: str
    method: str
    path: str
    route: str
    engine: str
    status: int
    outcome: str
    verdict: Action
    severity: Severity | None
    model: str
    project: str
    user: str
    key: str
    team: str
    agent: str
    ip: str
    session: str
    sensitivity: str
    streamed: bool
    bypassed: bool
    prompt_tokens: int
    completion_tokens: int
    total_us: int
    guard_us: int
    first_byte_us: int
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. `next` is the cursor of the following page, empty at the end.

    `partial` says that a text search stopped at its scan limit before the end; `next` goes on from there.
    """

    items: tuple[Summary, ...]
    next: str = ""
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Bucket:
    """Traces of one step of time, by verdict. `errors` are outcomes `upstream_*`."""

    at: float
    traces: int = 0
    allowed: int = 0
    alerted: int = 0
    redacted: int = 0
    blocked: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Microseconds, within 3 %."""

    p50: int = 0
    p95: int = 0
    p99: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """One line about many traces."""

    traces: int = 0
    allowed: int = 0
    alerted: int = 0
    redacted: int = 0
    blocked: int = 0
    errors: int = 0
    bypassed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    total: Quantiles = Quantiles()
    guard: Quantiles = Quantiles()
    first_byte: Quantiles = Quantiles()
    rest: Quantiles = Quantiles()
    """What the whole took without our guard: the model and the network."""


@dataclass(frozen=True, slots=True)
class Count:
    """One name of a grouping, with what its traces were."""

    name: str
    traces: int = 0
    alerted: int = 0
    redacted: int = 0
    blocked: int = 0
    errors: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    last: float = 0.0


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation: traces that share `caller.session`."""

    id: str
    first: float
    last: float
    traces: int
    flagged: int
    verdict: Action
    user: str
    agent: str
    model: str
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Most recently used first."""

    items: tuple[Session, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """A decision with the trace it belongs to. `id` is `<trace id>:<index>`."""

    id: str
    decision: Decision
    trace: Summary


@dataclass(frozen=True, slots=True)
class EventPage:
    """Newest first."""

    items: tuple[Event, ...]
    next: str = ""


@dataclass(frozen=True, slots=True)
class Fresh:
    """What came into the store after `cursor`, in order of arrival, and the cursor to ask with next."""

    items: tuple[Summary, ...]
    cursor: str


@dataclass(frozen=True, slots=True)
class Storage:
    """How much is kept."""

    traces: int
    bytes: int
    oldest: float = 0.0
    newest: float = 0.0
    engine: str = ""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long to keep. `days` by sensitivity (`""` is the default for those not named), 0 is for ever.

    `limit_bytes` bounds the whole store (0 is no bound): the oldest traces go first.
    """

    days: tuple[tuple[str, float], ...] = ()
    limit_bytes: int = 0


class TraceStore(Protocol):
    """Keeps traces and answers about them. Raises StorageError when the engine cannot."""

    def insert_many(self, entries: Sequence[Trace | Entry], notes: Sequence[Note] = ()) -> int:
        """Keep what is not yet kept (by trace id), all or nothing; the number of new traces. Durable on return."""
        ...

    def get(self, trace_id: str) -> Trace | None:
        """The whole trace."""
        ...

    def search(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> Page:
        """Traces, newest first, a page at a time."""
        ...

    def count(self, where: Filter = ALL) -> int:
        """How many traces."""
        ...

    def totals(self, where: Filter = ALL) -> Totals:
        """Requests, verdicts, tokens and latencies in one line."""
        ...

    def timeline(self, where: Filter, *, step: float) -> tuple[Bucket, ...]:
        """Verdicts over time, oldest first, one bucket each `step` seconds (aligned to it), none left out between.

        At most 2,000 buckets: the step is widened to fit. An open end is the oldest or newest trace.
        """
        ...

    def top(self, by: By, where: Filter = ALL, *, limit: int = 10) -> tuple[Count, ...]:
        """The names with the most traces. The empty name is left out."""
        ...

    def sessions(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> SessionPage:
        """Conversations, last used first. `since`, `until`, `user`, `agent` and `model` filter."""
        ...

    def thread(self, session: str, *, limit: int = 200) -> tuple[Trace, ...]:
        """The newest `limit` whole traces of a session, oldest first."""
        ...

    def events(self, where: Filter = ALL, *, cursor: str = "", limit: int = 50) -> EventPage:
        """Decisions, newest first. The decision fields of the filter (rule to direction, severity) ask of it."""
        ...

    def after(self, cursor: str = "", *, limit: int = 200) -> Fresh:
        """Live follow: what arrived after `cursor`. An empty cursor gives nothing but the cursor of now."""
        ...

    def distinct(self, by: By, *, since: float = 0.0, limit: int = 100) -> tuple[str, ...]:
        """Names seen, most used first, for the choices of a filter."""
        ...

    def storage(self) -> Storage:
        """How much is kept."""
        ...

    def export(self, where: Filter = ALL) -> Iterator[bytes]:
        """The exact records (JSON of a Trace), oldest first, without holding more than a page in memory."""
        ...

    def links(self, writer: str = "") -> Iterator[tuple[Link, bytes | None, str]]:
        """For the audit, by writer and number: link, the kept record or note (None: erased or expired), its kind.

        The kind is `trace`, `segment`, `checkpoint` or `gap`.
        """
        ...

    def erase(self, where: Filter) -> int:
        """Remove the traces (an erasure request); their links stay, so the chain stays verifiable.

        Raises:
            ValueError: the filter is empty.
        """
        ...

    def sweep(self, retention: Retention, now: float) -> int:
        """Remove what is older or more than retention allows; the number of traces removed."""
        ...

    def close(self) -> None:
        """Give back files and sockets."""
        ...
