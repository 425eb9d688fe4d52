"""The rules a policy is made of: which findings they take, and what is done about them.

A rule's kind is told by its key (`detect`, `words`, `regex`, `topic`, `limit`, `links`, `tools`, `canary`,
`external`), so a file has no `type:` lines. What runs is never code from a file: a policy can only select detectors
that ship or are installed, or give words, RE2 patterns and limits.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator, model_validator

from akto_proxy.model import Action, Role
from akto_proxy.policy.arguments import check_schema
from akto_proxy.policy.pattern import check_custom
from akto_proxy.policy.terms import (
    MAX_PATTERN,
    MAX_WORDS,
    ActionName,
    Control,
    Example,
    Glob,
    Levels,
    Replacement,
    Score,
    SeverityName,
    Side,
    Slug,
    Strict,
    Word,
)

Entity = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")]
Target = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:*-]{0,99}$")]
Strings = Annotated[tuple[Example, ...], Field(max_length=50)]


class RuleBase(Strict):
    """What every rule may say. Left out, `direction`, `roles`, `severity` and `action` are the policy's."""

    located: ClassVar[bool] = True
    """Whether findings have a place in the text, so that `redact` is possible."""

    id: Slug | Literal[""] = Field("", description="A name for explain and diff; the rule's number if left out.")
    description: str = Field("", max_length=500)
    action: ActionName | None = Field(None, description="What is done about a finding.")
    levels: Levels | None = Field(None, description="An action for each level of score, in place of `action`.")
    redact: Replacement = Field("label", description="What stands in place of redacted text.")
    confidence: Score = Field(0.5, description="Findings with a lower score are not taken.")
    min_matches: int = Field(1, ge=1, le=10_000, description="Act from this many findings in one body on.")
    severity: SeverityName | None = None
    direction: Side | None = None
    roles: tuple[Role, ...] | None = Field(None, min_length=1)
    controls: tuple[Control, ...] = Field((), max_length=40, description="Ids of the controls this rule serves.")

    @model_validator(mode="after")
    def _one_action(self) -> RuleBase:
        if self.action is not None and self.levels is not None:
            raise ValueError("give `action` or `levels`, not both")
        if not self.located and self.action is Action.REDACT:
            raise ValueError("nothing can be redacted here: use alert or block")
        return self


class DetectRule(RuleBase):
    """Findings of detectors that ship or are installed, chosen by rule id, entity, category or family."""

    detect: tuple[Target, ...] = Field(min_length=1, max_length=200, description="`*` stands for any characters.")
    but: tuple[Target, ...] = Field((), max_length=200, description="Not these, by the same names.")

    @field_validator("detect", "but", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class WordsRule(RuleBase):
    """Words or phrases, up to 10,000."""

    words: tuple[Word, ...] = Field(min_length=1, max_length=MAX_WORDS)
    case_sensitive: bool = False
    whole_words: bool = True
    entity: Entity = "CUSTOM_WORD"


class RegexRule(RuleBase):
    """An RE2 pattern with examples that prove it. A group named `v`, if there is one, is the part found."""

    regex: str = Field(min_length=1, max_length=MAX_PATTERN)
    entity: Entity = "CUSTOM"
    keywords: tuple[Word, ...] = Field((), max_length=50, description="At least one must stand nearby.")
    context: tuple[Word, ...] = Field((), max_length=50, description="Words that raise the score.")
    score: Score = 0.8
    match: Strings = Field(min_length=1, description="Texts in which the pattern must be found.")
    no_match: Strings = Field(min_length=1, description="Texts in which it must not be found.")

    @model_validator(mode="after")
    def _proven(self) -> RegexRule:
        check_custom(self.regex, self.match, self.no_match)
        return self


class TopicRule(RuleBase):
    """A denied topic, told by sample phrases (any case, any spacing)."""

    topic: Slug
    phrases: tuple[Word, ...] = Field(min_length=1, max_length=200)
    entity: Entity = "DENIED_TOPIC"


class Limit(Strict):
    """Sizes of the text of one body. Tokens are estimated as characters / 4."""

    tokens: int | None = Field(None, ge=1)
    characters: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _some(self) -> Limit:
        if self.tokens is None and self.characters is None:
            raise ValueError("give `tokens` or `characters`")
        return self


class LimitRule(RuleBase):
    """How long the text of a body may be."""

    located: ClassVar[bool] = False
    limit: Limit


class Links(Strict):
    """Hosts that links may name: `example.com` stands for itself and its subdomains."""

    deny: tuple[Glob, ...] = Field((), max_length=1_000)
    allow: tuple[Glob, ...] = Field((), max_length=1_000, description="If given, every other host is found.")

    @model_validator(mode="after")
    def _some(self) -> Links:
        if not self.deny and not self.allow:
            raise ValueError("give `deny` or `allow`")
        return self


class LinksRule(RuleBase):
    """Links to hosts that are denied, or not among the allowed."""

    links: Links
    entity: Entity = "URL"


class Tools(Strict):
    """Which tools may be offered and called, with which arguments, how often."""

    allow: tuple[Glob, ...] = Field((), max_length=1_000, description="If given, every other tool is found.")
    forbid: tuple[Glob, ...] = Field((), max_length=1_000)
    arguments: dict[str, dict[str, Any]] = Field({}, description="Tool name to the JSON Schema of its arguments.")
    max_calls: int | None = Field(None, ge=0, description="Calls of one session.")

    @field_validator("arguments")
    @classmethod
    def _schemas(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for schema in value.values():
            check_schema(schema)
        return value


class ToolsRule(RuleBase):
    """Tool calls of a model, and tools offered to it."""

    located: ClassVar[bool] = False
    tools: Tools


class CanaryRule(RuleBase):
    """Secret words planted in a system prompt: seen in an answer, the prompt has leaked."""

    canary: tuple[Annotated[str, StringConstraints(min_length=8, max_length=200)], ...] = Field(
        min_length=1, max_length=100
    )
    entity: Entity = "CANARY"


class External(Strict):
    """A check over HTTP: Akto's verdict API, or an OpenAI-compatible model such as a Llama Guard endpoint."""

    url: str = Field(pattern=r"^https?://[^\s@]+$", max_length=2_000)
    kind: Literal["akto", "openai"] = "openai"
    model: str = Field("", max_length=200)
    instructions: str = Field("", max_length=8_000, description="System prompt for an `openai` check.")
    unsafe: tuple[Word, ...] = Field(("unsafe",), description="The answer of a bad text starts with one of these.")
    token_env: str = Field("", pattern=r"^[A-Z0-9_]*$", description="Environment variable that holds the token.")
    timeout_ms: int = Field(2_000, ge=50, le=30_000)
    cache_seconds: int = Field(300, ge=0, le=86_400)
    max_characters: int = Field(20_000, ge=100, le=1_000_000)
    allow_private: bool = Field(False, description="Let the URL lead to a private address.")


class ExternalRule(RuleBase):
    """A verdict from outside. What it cannot say follows `on_error`."""

    external: External
    entity: Entity = "EXTERNAL"


KINDS: dict[str, type[RuleBase]] = {
    "detect": DetectRule,
    "words": WordsRule,
    "regex": RegexRule,
    "topic": TopicRule,
    "limit": LimitRule,
    "links": LinksRule,
    "tools": ToolsRule,
    "canary": CanaryRule,
    "external": ExternalRule,
}
"""A rule's telling key -> its model."""


def kind_of(value: Any) -> str:
    """The telling key of a rule, as read from a file or as a model."""
    if isinstance(value, RuleBase):
        return next(key for key, kind in KINDS.items() if isinstance(value, kind))
    if isinstance(value, dict):
        return next((key for key in KINDS if key in value), "")
    return ""


AnyRule = Annotated[
    Annotated[DetectRule, Tag("detect")]
    | Annotated[WordsRule, Tag("words")]
    | Annotated[RegexRule, Tag("regex")]
    | Annotated[TopicRule, Tag("topic")]
    | Annotated[LimitRule, Tag("limit")]
    | Annotated[LinksRule, Tag("links")]
    | Annotated[ToolsRule, Tag("tools")]
    | Annotated[CanaryRule, Tag("canary")]
    | Annotated[ExternalRule, Tag("external")],
    Discriminator(
        kind_of,
        custom_error_type="rule_kind",
        custom_error_message=f"a rule needs one of the keys {', '.join(KINDS)}",
    ),
]
