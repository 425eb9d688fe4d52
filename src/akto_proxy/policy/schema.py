"""What a policy file may say (version 1), as pydantic models; `docs/schema/policy.schema.json` is made from them.

A file holds policies and, beside them, the cases that prove them. Everything has a default but a policy's name and
rules, and defaults are the careful ones: a check that fails blocks, and a key we do not know refuses the file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from akto_proxy.errors import PolicyError
from akto_proxy.model import Action, Direction, Mode, Role, Severity
from akto_proxy.policy import text as reader
from akto_proxy.policy.pattern import compiled, quote
from akto_proxy.policy.rules import KINDS, AnyRule, RuleBase, TopicRule
from akto_proxy.policy.terms import (
    MAX_PHRASES,
    MAX_POLICIES,
    MAX_RULES,
    MAX_TOPICS,
    ActionName,
    Control,
    Example,
    FailMode,
    Glob,
    Levels,
    SeverityName,
    Side,
    Slug,
    Strict,
)

Globs = Annotated[tuple[Glob, ...], Field(max_length=1_000)]
Sensitivity = Literal["public", "internal", "confidential", "restricted"]


class Callers(Strict):
    """Who calls. Every list given must hold the caller (and), by one of its globs (or)."""

    keys: Globs = ()
    users: Globs = ()
    teams: Globs = ()
    agents: Globs = ()
    sessions: Globs = ()
    ips: Globs = ()


class ScopeRule(Strict):
    """Where a policy applies. Every list given must hold the call (and), by one of its globs (or)."""

    endpoints: Globs = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    methods: tuple[str, ...] = Field(default=(), max_length=20)
    paths: Globs = Field(default=(), description="`*` stays within one part of a path, `**` does not.")
    routes: Globs = ()
    models: Globs = ()
    callers: Callers = Callers()
    tags: dict[str, Globs] = Field(default={}, description="Header tag to its allowed values.")


class AllowPhrase(Strict):
    """Text this policy (and no other) lets pass: a finding inside an occurrence of it is not taken."""

    phrase: str = Field("", max_length=200, description="Literal text.")
    regex: str = Field("", max_length=200, description="Or an RE2 pattern.")
    case_sensitive: bool = False

    @model_validator(mode="after")
    def _one(self) -> AllowPhrase:
        if bool(self.phrase) == bool(self.regex):
            raise ValueError("give `phrase` or `regex`")
        if compiled(self.pattern).search("") is not None:
            raise ValueError("the pattern matches the empty text, so it would allow everything")
        return self

    @property
    def pattern(self) -> str:
        """The RE2 pattern of what is let pass."""
        body = self.regex or quote(self.phrase)
        return body if self.case_sensitive else f"(?i:{body})"


class Policy(Strict):
    """Rules with a scope, an action, a severity and a fail mode."""

    name: Slug
    description: str = Field("", max_length=2_000)
    enabled: bool = True
    severity: SeverityName = Severity.MEDIUM
    action: ActionName = Field(Action.ALERT, description="For rules that say none.")
    mode: Mode = Field(Mode.ENFORCE, description="`monitor` only records what `enforce` would do.")
    on_error: FailMode = Field("block", description="When a check of this policy fails.")
    on_unreadable: FailMode | None = Field(None, description="When a body cannot be read; `on_error` if left out.")
    direction: Side = "both"
    roles: tuple[Role, ...] = Field((), description="Whose text; all if left out.")
    scope: ScopeRule = ScopeRule()
    exclude: ScopeRule | None = Field(None, description="Not where this holds.")
    message: str = Field("", max_length=500, description="What a blocked caller reads.")
    response_message: str = Field("", max_length=500, description="The same for a blocked answer.")
    allow: tuple[AllowPhrase, ...] = Field((), max_length=MAX_PHRASES)
    sample: float = Field(1.0, gt=0.0, le=1.0, description="Share of calls checked; never less than 1 with block.")
    controls: tuple[Control, ...] = Field((), max_length=40)
    rules: tuple[AnyRule, ...] = Field(min_length=1, max_length=MAX_RULES)

    @field_validator("allow", mode="before")
    @classmethod
    def _plain_phrases(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return [{"phrase": item} if isinstance(item, str) else item for item in value]
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Policy:
        for number, rule in enumerate(self.rules):
            strongest = max(self.actions(rule).values())
            if self.sample < 1.0 and strongest > Action.ALERT:
                raise ValueError(f"rules[{number}]: a sampled policy may only alert: leave out `sample`")
            if not rule.located and Action.REDACT in self.actions(rule).values():
                raise ValueError(f"rules[{number}]: nothing can be redacted here: give it `action: alert` or block")
        if sum(isinstance(rule, TopicRule) for rule in self.rules) > MAX_TOPICS:
            raise ValueError(f"more than {MAX_TOPICS} topics: make a second policy")
        ids = [rule.id for rule in self.rules if rule.id]
        if len(ids) != len(set(ids)):
            raise ValueError("two rules have the same `id`")
        return self

    def actions(self, rule: RuleBase) -> dict[str, Action]:
        """Level name to action, for one of this policy's rules."""
        if rule.levels is not None:
            return {"low": rule.levels.low, "medium": rule.levels.medium, "high": rule.levels.high}
        action = self.action if rule.action is None else rule.action
        return dict.fromkeys(("low", "medium", "high"), action)


Span = tuple[int, int] | Example


class Case(Strict):
    """A text and what the file's policies must make of it."""

    name: str = Field(min_length=1, max_length=200)
    input: Example
    direction: Direction = Direction.REQUEST
    role: Role | None = Field(None, description="`user` in a request and `assistant` in a response if left out.")
    place: str = Field("", max_length=200)
    expect: ActionName
    spans: tuple[Span, ...] | None = Field(None, description="What is redacted: the text, or [start, end].")
    policy: Slug | None = Field(None, description="The policy that must have decided.")

    @property
    def speaker(self) -> Role:
        """Whose text the case is."""
        usual = Role.USER if self.direction is Direction.REQUEST else Role.ASSISTANT
        return self.role or usual


class PolicyFile(Strict):
    """A policy file. A pack is one that ships with the program."""

    version: Literal[1]
    name: Slug | Literal[""] = ""
    description: str = Field("", max_length=2_000)
    policies: tuple[Policy, ...] = Field(min_length=1, max_length=MAX_POLICIES)
    cases: tuple[Case, ...] = Field((), max_length=2_000)

    @field_validator("policies")
    @classmethod
    def _names(cls, value: tuple[Policy, ...]) -> tuple[Policy, ...]:
        names = [policy.name for policy in value]
        if len(names) != len(set(names)):
            raise ValueError("two policies have the same `name`")
        return value


_TAGS = frozenset(KINDS)


def parse_file(text: str, name: str) -> PolicyFile:
    """The policy file written in `text`; `name` is its name for errors.

    Raises:
        PolicyError: naming file, key, what was expected and the type that came; never a value.
    """
    data = reader.load(text, name)
    try:
        return PolicyFile.model_validate(data)
    except ValidationError as error:
        raise PolicyError(reader.explain(error, name, _TAGS, _fields())) from None


def parse_policies(text: str, name: str) -> list[Policy]:
    """The policies of the file written in `text` (those switched off too).

    Raises:
        PolicyError: as `parse_file`.
    """
    return list(parse_file(text, name).policies)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a policy file, for completion in editors."""
    made = PolicyFile.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Akto agent proxy policy file", **made}


def _fields() -> frozenset[str]:
    models: list[type[Strict]] = [PolicyFile, Policy, ScopeRule, Callers, AllowPhrase, Case, Levels, *KINDS.values()]
    return frozenset(key for model in models for key in model.model_fields)
