"""The nouns, one frozen dataclass each. Everything else in the house makes them, moves them or shows them.

Only the standard library and `light` are imported, so any folder may use them. A Finding and a Decision never hold the
text they are about: what cannot be held cannot be logged. A Trace holds texts, already masked unless the operator
chose else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from functools import cache
from typing import Any

from akto_proxy.light import light


class Action(IntEnum):
    """What is done about a finding. Ordered: the strongest wins, by `max`."""

    ALLOW = 0
    ALERT = 1
    REDACT = 2
    BLOCK = 3

    @property
    def label(self) -> str:
        """The lower-case name used in files, headers, metrics and pages."""
        return self.name.lower()


class Severity(IntEnum):
    """How bad a decision is for the operator. Ordered."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def label(self) -> str:
        """The lower-case name used in files, headers, metrics and pages."""
        return self.name.lower()


class Direction(StrEnum):
    """Which way a text travels."""

    REQUEST = "request"
    RESPONSE = "response"


class Role(StrEnum):
    """Who a text speaks for. TOOL is text from outside (tool output, retrieved documents): data, not orders."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Mode(StrEnum):
    """Whether a policy acts (`enforce`) or only records what it would have done (`monitor`)."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


@light
@dataclass(frozen=True, slots=True)
class Segment:
    """A string, its place in a body (an RFC 6901 JSON pointer, or a name such as `query/q`), its role and direction.

    `key` is the name of its field where no protocol knows it (`ssn`, `db_password`): callers choose it, so it is read
    like any text, and it says what the text is.
    """

    text: str
    place: str
    role: Role = Role.USER
    direction: Direction = Direction.REQUEST
    key: str = ""


@light
@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A rule saw something at [start, end) (character offsets of one segment). Never holds the text.

    `entity` is a Presidio entity type (`EMAIL_ADDRESS`), or `SECRET`, `PROMPT_INJECTION`, `JAILBREAK`, ...;
    `category` is the detector family: `secrets`, `pii`, `injection`, `jailbreak`, `harm`, `leak`, `custom`, ...;
    `score` is in 0..1.
    """

    start: int
    end: int
    rule: str
    entity: str
    category: str
    score: float = 1.0


@light
@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy made of the findings of one rule at one place.

    `action` is what was done, `would` what enforce mode would have done (they differ under `monitor`).
    `bypassed` marks a check that could not run and was let pass: it is never silent. `reason` says why in words that
    hold no protected text. `controls` are ids such as `OWASP-LLM:LLM02` or `MITRE-ATLAS:AML.T0051`.
    """

    policy: str
    rule: str
    category: str
    entity: str
    severity: Severity
    action: Action
    direction: Direction
    place: str = ""
    role: Role = Role.USER
    count: int = 1
    score: float = 1.0
    mode: Mode = Mode.ENFORCE
    would: Action = Action.ALLOW
    bypassed: bool = False
    reason: str = ""
    controls: tuple[str, ...] = ()


@light
@dataclass(frozen=True, slots=True)
class Caller:
    """Who called, as far as the request says. `key` is a keyed hash of the credential, never the credential."""

    ip: str = ""
    key: str = ""
    user: str = ""
    team: str = ""
    agent: str = ""
    session: str = ""


@light
@dataclass(frozen=True, slots=True)
class Message:
    """One direction of an exchange as kept: headers without credentials, body masked (or as `CAPTURE` says).

    `size` is the number of body bytes on the wire; `encoding` is `text`, `base64` (binary or encrypted) or `none`.
    """

    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    encoding: str = "text"
    size: int = 0
    truncated: bool = False


@light
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the model server reported them; `estimated` when it did not and characters / 4 stand in."""

    prompt: int = 0
    completion: int = 0
    estimated: bool = False


@light
@dataclass(frozen=True, slots=True)
class Timing:
    """Microseconds: the whole exchange, our guard's share, upstream's first and last byte, the client's first byte."""

    total: int = 0
    guard: int = 0
    upstream_first: int = 0
    upstream_total: int = 0
    first_byte: int = 0


@light
@dataclass(frozen=True, slots=True)
class Trace:
    """An exchange that is over, as data: what passed, what was decided, how long it took.

    `id` is 32 hex digits, time-ordered (UUIDv7), an OpenTelemetry trace id. `started` is Unix seconds.
    `outcome` is one stable word: `ok`, `alerted`, `redacted`, `blocked`, `refused` (route, size, form), `limited`,
    `upstream_unauthorized`, `upstream_forbidden`, `upstream_not_found`, `upstream_paused`, `upstream_scaled_to_zero`,
    `upstream_error`, `upstream_unreachable`, `upstream_timeout`, `client_gone`. `verdict` is the strongest action of
    its decisions; what the proxy itself refused or limited is `block` too, without a decision.
    """

    id: str
    started: float
    endpoint: str
    method: str
    path: str
    route: str
    engine: str
    status: int
    outcome: str
    verdict: Action = Action.ALLOW
    upstream_status: int = 0
    project: str = ""
    proxy: str = ""
    model: str = ""
    streamed: bool = False
    sensitivity: str = "internal"
    policy_version: str = ""
    caller: Caller = field(default_factory=Caller)
    usage: Usage = field(default_factory=Usage)
    timing: Timing = field(default_factory=Timing)
    request: Message = field(default_factory=Message)
    response: Message = field(default_factory=Message)
    decisions: tuple[Decision, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Alert:
    """A decision, an anomaly or a fault worth telling a person. `at` is Unix seconds.

    Alerts with one `fingerprint` have one cause and belong to one Incident. `expected` and `seen` say in words what
    was normal and what came, `since` when it began.
    """

    id: str
    at: float
    kind: str
    severity: Severity
    title: str
    fingerprint: str
    subject: str = ""
    expected: str = ""
    seen: str = ""
    since: float = 0.0
    score: float = 1.0
    trace_ids: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


class IncidentState(StrEnum):
    """The life of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Incident:
    """Alerts of one cause, with a life: open, acknowledged, resolved."""

    id: str
    fingerprint: str
    title: str
    severity: Severity
    state: IncidentState
    opened: float
    updated: float
    count: int = 1
    subject: str = ""
    assignee: str = ""
    alert_ids: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()


def trace_from_dict(data: dict[str, Any]) -> Trace:
    """Rebuild a Trace from its JSON object (as `orjson.dumps(trace)` wrote it).

    Unknown keys are ignored, so an older reader can read a newer writer.

    Raises:
        KeyError, TypeError, ValueError: a required key is missing or of the wrong type.
    """
    decisions, tags = data.get("decisions"), data.get("tags")
    made = {
        **data,
        "verdict": _ACTIONS[data.get("verdict", 0)],
        "caller": _plain(Caller, data.get("caller")),
        "usage": _plain(Usage, data.get("usage")),
        "timing": _plain(Timing, data.get("timing")),
        "request": _message(data.get("request")),
        "response": _message(data.get("response")),
        "decisions": tuple([decision_from_dict(item) for item in decisions]) if decisions else (),
        "tags": tuple([(str(key), str(value)) for key, value in tags]) if tags else (),
    }
    trace: Trace = _plain(Trace, made)
    return trace


def decision_from_dict(data: dict[str, Any]) -> Decision:
    """Rebuild a Decision from its JSON object. Unknown keys are ignored.

    Raises:
        KeyError, TypeError, ValueError: a required key is missing or of the wrong type.
    """
    made = {
        **data,
        "severity": Severity(data["severity"]),
        "action": _ACTIONS[data["action"]],
        "direction": Direction(data["direction"]),
        "role": Role(data.get("role", "user")),
        "mode": Mode(data.get("mode", "enforce")),
        "would": _ACTIONS[data.get("would", 0)],
        "controls": tuple(data.get("controls") or ()),
    }
    decision: Decision = _plain(Decision, made)
    return decision


_ACTIONS: dict[Any, Action] = {action.value: action for action in Action}
"""Looked up for each trace and decision: calling the enum takes several times as long."""


@cache
def _names(kind: Any) -> frozenset[str]:
    return frozenset(f.name for f in fields(kind))


def _plain(kind: Any, data: dict[str, Any] | None) -> Any:
    if not data:
        return kind()
    names = _names(kind)
    if data.keys() <= names:  # as our own version writes it
        return kind(**data)
    return kind(**{key: value for key, value in data.items() if key in names})


def _message(data: dict[str, Any] | None) -> Message:
    headers = data.get("headers") if data else None
    shown = tuple([(str(key), str(value)) for key, value in headers]) if headers else ()
    message: Message = _plain(Message, {**(data or {}), "headers": shown})
    return message
