"""The words of a policy file: names of actions, severities, kinds, and the limits every file must keep.

Pydantic would take numbers for our ordered enums; a person writes names. These types read names and publish the
names in the JSON Schema. Trade-off: a file can never say `action: 3`, though the program compares by number.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, StringConstraints, WithJsonSchema

from akto_proxy.model import Action, Severity

MAX_TEXT = 4 << 20  # characters of one policy file; 10,000 words are about 150 KB
MAX_POLICIES = 200
MAX_RULES = 500  # rules of one policy
MAX_WORDS = 10_000  # words of one rule
MAX_TOPICS = 30  # topics of one policy
MAX_PATTERN = 1_000  # characters of one regex
MAX_EXAMPLE = 4_000
MAX_PHRASES = 200  # allowed phrases of one policy

LEVELS: tuple[tuple[str, float], ...] = (("high", 0.85), ("medium", 0.6), ("low", 0.0))
"""The least score of each level, strongest first. `confidence` cuts what lies below."""


def level(score: float) -> str:
    """The level's name of a finding's score."""
    return next(name for name, least in LEVELS if score >= least or least == 0.0)


def _named(kind: type[Action] | type[Severity]) -> Any:
    names = {item.label: item for item in kind}

    def read(value: object) -> object:
        if isinstance(value, kind):
            return value
        if isinstance(value, str) and value.lower() in names:
            return names[value.lower()]
        raise ValueError(f"expected one of {', '.join(names)}")

    return read


def _label(value: Action | Severity) -> str:
    return value.label


ActionName = Annotated[
    Action,
    BeforeValidator(_named(Action)),
    PlainSerializer(_label),
    WithJsonSchema({"type": "string", "enum": [item.label for item in Action]}),
]
SeverityName = Annotated[
    Severity,
    BeforeValidator(_named(Severity)),
    PlainSerializer(_label),
    WithJsonSchema({"type": "string", "enum": [item.label for item in Severity]}),
]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Control = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Glob = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Example = Annotated[str, StringConstraints(max_length=MAX_EXAMPLE)]
Side = Literal["request", "response", "both"]
FailMode = Literal["block", "allow"]
Replacement = Literal["label", "mask", "hash", "token", "surrogate", "remove"]
Score = Annotated[float, Field(ge=0.0, le=1.0)]

STRENGTH: dict[str, int] = {"surrogate": 0, "token": 1, "hash": 2, "mask": 3, "label": 4, "remove": 5}
"""How much of the original each replacement takes away: where two policies differ, the greater one is done."""


class Strict(BaseModel):
    """Frozen; a key that is not known is refused, so a typing error cannot switch a rule off."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Levels(Strict):
    """An action for each level of score: high from 0.85, medium from 0.6, low below."""

    low: ActionName = Action.ALLOW
    medium: ActionName = Action.ALERT
    high: ActionName = Action.BLOCK
