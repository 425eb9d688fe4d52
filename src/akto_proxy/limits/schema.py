"""What an operator may write in `limits:`, checked, frozen; and the arithmetic of one limit in whole nanoseconds.

All amounts become time: a unit of a limit of L per P costs P / L nanoseconds, rounded up, so that rounding can only
make a limit stricter and integers keep it exact for years of uptime.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from akto_proxy.config.mistakes import Listed, expected
from akto_proxy.errors import ConfigError
from akto_proxy.model import Trace

FIELDS = ("key", "user", "team", "agent", "ip", "session", "endpoint", "model", "tool")
"""What a limit may count by, alone or together."""

CLAIMED = frozenset(("key", "user", "team", "agent", "session"))
"""Fields that a caller fills in as it likes, so that it can have as many as it likes."""

_MICRO = 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

By = Literal["key", "user", "team", "agent", "ip", "session", "endpoint", "model", "tool"]


def _seconds(value: object) -> object:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*([smhdw])", value.strip()) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else value


Span = Annotated[float, BeforeValidator(_seconds), Field(ge=1, le=31 * 86_400)]


class Limit(BaseModel):
    """One limit: at most `limit` of `count` in `per`, for each combination of the fields in `by`.

    The promise: in any stretch of W seconds at most `burst + limit * W / per` passes; with `strict`, never more than
    `limit` in any stretch of `per` (the steady rate is then (limit - burst) / per).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    count: Literal["requests", "tokens", "prompt_tokens", "completion_tokens", "bytes", "cost", "concurrent"] = (
        "requests"
    )
    by: tuple[By, ...] = ()
    limit: Annotated[float, Field(gt=0, le=1e12)]
    per: Span = 60.0
    burst: Annotated[float, Field(ge=0, le=1e12)] = 0.0
    strict: bool = False
    mode: Literal["enforce", "shadow"] = "enforce"
    only: dict[By, Listed] = Field(default_factory=dict)
    prices: dict[str, tuple[float, float]] = Field(default_factory=dict)
    reserve: Annotated[int, Field(ge=0, le=10_000_000)] = 512
    away: Literal["local", "closed"] = "local"
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    unknown: Annotated[float, Field(ge=0, le=1e6)] = 10.0

    @model_validator(mode="after")
    def _consistent(self) -> Limit:
        if len(set(self.by)) != len(self.by):
            raise ValueError("by: name each field once")
        if self.count == "cost" and not self.prices:
            raise ValueError("prices: a cost limit needs prices, for example {'*': [0.5, 1.5]} per million tokens")
        if self.count == "concurrent" and (self.burst or self.strict):
            raise ValueError("burst, strict: not for `concurrent`, which has no rate")
        if self.strict and self.at_once >= self.limit:
            raise ValueError("burst: with `strict`, burst must be smaller than limit (and limit at least 2)")
        return self

    @cached_property
    def at_once(self) -> float:
        """How much may pass at one moment."""
        if self.burst:
            return self.burst
        return max(1.0, self.limit // 2) if self.strict else self.limit

    @property
    def window(self) -> int:
        """Whole seconds of the limit's period, for headers."""
        return 0 if self.count == "concurrent" else int(self.per)

    @cached_property
    def early(self) -> bool:
        """Whether the whole amount is known when a call begins."""
        return self.count == "requests"

    @cached_property
    def counted(self) -> bool:
        """Whether it counts what passes, so that it can end a call under way."""
        return not self.early and self.count != "concurrent" and self.mode == "enforce"

    @cached_property
    def capacity(self) -> int:
        """The nanoseconds (or calls, for `concurrent`) that a full bucket holds."""
        if self.count == "concurrent":
            return int(self.limit)
        return int(self._scaled(self.at_once) * self._period // self._scaled(self._steady))

    def charge(self, amount: float) -> int:
        """What an amount costs in nanoseconds, rounded up."""
        if self.count == "concurrent":
            return 0
        return -(-round(amount * _MICRO) * self._period // self._rate)

    @cached_property
    def _rate(self) -> int:
        return self._scaled(self._steady)

    @cached_property
    def _steady(self) -> float:
        return self.limit - self.at_once if self.strict else self.limit

    @cached_property
    def _period(self) -> int:
        return int(self.per * 1_000_000_000)

    @staticmethod
    def _scaled(amount: float) -> int:
        return round(amount * _MICRO)

    def estimate(self, size: int) -> float:
        """What a call with this many body bytes may use, before it is known: 4 bytes a token, `reserve` for the answer.

        An estimate never exceeds a full bucket, so that a large call can still pass an idle one.
        """
        if self.count == "requests":
            return min(1.0, self.at_once)
        return min(self.spent("*", size / 4, self.reserve, size), self.at_once)

    def used(self, trace: Trace | None) -> float:
        """What a finished call used. Nothing for one that never reached the model."""
        if trace is None:
            return 1.0 if self.early else 0.0
        usage = trace.usage
        if self.count == "requests":
            return 1.0
        if self.count == "bytes":
            return float(trace.request.size + trace.response.size)
        if self.count == "concurrent" or not trace.upstream_status:
            return 0.0
        return self.spent(trace.model, usage.prompt, usage.completion, 0)

    def spent(self, model: str, prompt: float, completion: float, size: float) -> float:
        """What these tokens and bytes are, in this limit's unit."""
        match self.count:
            case "tokens":
                return prompt + completion
            case "prompt_tokens":
                return prompt
            case "completion_tokens":
                return completion
            case "bytes":
                return size
            case "cost":
                return self._cost(model, prompt, completion)
            case _:
                return 0.0

    def applies(self, values: dict[str, str]) -> bool:
        """Whether a call with these field values is counted."""
        return all(any(fnmatchcase(values.get(name, ""), glob) for glob in globs) for name, globs in self.only.items())

    def _cost(self, model: str, prompt: float, completion: float) -> float:
        """By the first price whose glob fits the model; by the dearest one when none does, so nothing is free."""
        for glob, (asked, answered) in self.prices.items():
            if model != "*" and fnmatchcase(model, glob):
                return (prompt * asked + completion * answered) / _MICRO
        dear = [(prompt * asked + completion * answered) / _MICRO for asked, answered in self.prices.values()]
        return max(dear, default=0.0)


def parse_limits(entries: Sequence[dict[str, Any]]) -> tuple[Limit, ...]:
    """The limits of a settings file.

    Raises:
        ConfigError: one sentence a mistake, naming the limit, the key and the fix.
    """
    made: list[Limit] = []
    wrong: list[str] = []
    for number, entry in enumerate(entries, 1):
        try:
            made.append(Limit(**entry))
        except ValidationError as error:
            name = entry.get("name", number)
            for problem in error.errors():
                key = ".".join(str(part) for part in problem["loc"])
                wrong.append(f"limits[{name}]{f'.{key}' if key else ''}: {expected(problem)}; see docs/limits.md")
        except TypeError:
            wrong.append(f"limits[{number}]: keys must be names; see docs/limits.md")
    twice = {limit.name for limit in made if sum(other.name == limit.name for other in made) > 1}
    wrong += [f"limits[{name}]: this name is used twice; give each limit its own" for name in sorted(twice)]
    if wrong:
        raise ConfigError("\n".join(wrong))
    return tuple(made)
