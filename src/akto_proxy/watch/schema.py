"""What an operator may write in `alerts:`, checked: rules, quiet hours, maintenance, escalation, responses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from akto_proxy.config.mistakes import Listed, expected
from akto_proxy.errors import ConfigError
from akto_proxy.model import Severity
from akto_proxy.watch.expression import Expression
from akto_proxy.watch.facts import NAMES

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def seconds(value: object) -> object:
    """`15m` as seconds; what is not of that form stays for the validator to judge."""
    found = re.fullmatch(r"(\d{1,6})\s*([smhd])", value.strip()) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else value


def _severity(value: object) -> object:
    return Severity[value.upper()] if isinstance(value, str) and value.upper() in Severity.__members__ else value


Span = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=365 * 86_400)]
Level = Annotated[Severity, BeforeValidator(_severity)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Response(_Strict):
    """Done by itself, for a time: `block` the caller, `raise` a policy's level, or `enforce` what it monitors."""

    do: Literal["block", "raise", "enforce"]
    field: Literal["key", "user", "ip", "agent", "team", "session"] | None = None
    policy: str = ""
    time: Span = 3600.0


class Rule(_Strict):
    """When to tell somebody: `when` is true of `count` facts within `per` that agree in the `group` values."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    when: str
    severity: Level | None = None
    group: Listed = ("subject",)
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    per: Span = 300.0
    cooldown: Span = 900.0
    channels: Listed = ()
    respond: Response | None = None
    _when: Expression = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Check the expression once."""
        self._when = Expression(self.when, NAMES)

    @field_validator("group")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in NAMES]
        if unknown:
            raise ValueError(f"there is no `{unknown[0]}` to group by")
        return value

    def fits(self, values: Any) -> bool:
        """Whether the rule is about such a fact."""
        return self._when(values)


class Quiet(_Strict):
    """Hours in which only alerts at or above `unless` are told; the others wait for the end."""

    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = _DAYS  # type: ignore[assignment]
    start: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    end: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
    utc_offset: Annotated[float, Field(ge=-12, le=14)] = 0.0
    unless: Level = Severity.CRITICAL

    def holds(self, at: float) -> bool:
        """Whether this moment is in it. A night belongs to the day on which it begins."""
        local = datetime.fromtimestamp(at, UTC) + timedelta(hours=self.utc_offset)
        clock, day = local.strftime("%H:%M"), local.weekday()
        if self.start <= self.end:
            return self.start <= clock < self.end and _DAYS[day] in self.days
        if clock >= self.start:
            return _DAYS[day] in self.days
        return clock < self.end and _DAYS[day - 1] in self.days


class Maintenance(_Strict):
    """A time in which alerts about an endpoint (or all, `*`) are not made."""

    name: str = ""
    start: datetime
    end: datetime
    endpoint: str = "*"

    def holds(self, at: float) -> bool:
        """Whether this moment is in it. A time without a zone is UTC."""
        return _unix(self.start) <= at < _unix(self.end)


class Escalation(_Strict):
    """An incident nobody took within `after` is told to these channels too."""

    after: Span = 1800.0
    severity: Level = Severity.HIGH
    channels: Listed = ()


class AlertConfig(_Strict):
    """All of it."""

    rules: tuple[Rule, ...] = ()
    defaults: bool = True
    quiet: tuple[Quiet, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    resolve_after: Span = 3600.0

    def all_rules(self) -> tuple[Rule, ...]:
        """The operator's rules, then the shipped ones whose names they do not take."""
        taken = {rule.name for rule in self.rules}
        shipped = tuple(rule for rule in DEFAULTS if rule.name not in taken) if self.defaults else ()
        return self.rules + shipped


def _unix(at: datetime) -> float:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


DEFAULTS = (
    Rule(name="anomaly", when="source == 'anomaly' and severity >= medium", group=("subject",), cooldown=1800),
    Rule(
        name="blocked",
        when="source == 'decision' and action == block and severity >= high",
        group=("category", "subject"),
    ),
    Rule(name="bypassed", when="source == 'decision' and bypassed", severity=Severity.HIGH, group=("rule",)),
    Rule(
        name="unseen",
        when="source == 'health' and kind == 'proxy' and (lag_seconds > 60 or silent_seconds > 60)",
        group=("proxy",),
    ),
    Rule(
        name="lost",
        when="source == 'health' and kind == 'proxy' and dropped > 0",
        severity=Severity.CRITICAL,
        group=("proxy",),
        cooldown=3600,
    ),
    Rule(
        name="certificate",
        when="source == 'health' and kind == 'certificate' and days_left < 14",
        cooldown=86_400,
    ),
)
"""The rules that ship."""


def parse_alerts(data: dict[str, Any]) -> AlertConfig:
    """The `alerts:` of a settings file.

    Raises:
        ConfigError: one sentence a mistake.
    """
    try:
        return AlertConfig(**data)
    except ValidationError as error:
        lines = [
            f"alerts.{'.'.join(str(part) for part in problem['loc'])}: {expected(problem)}; see docs/watch.md"
            for problem in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None
    except TypeError:
        raise ConfigError("alerts: expected `name: value` lines; see docs/watch.md") from None
