"""Words, topics, canaries, links and regexes of a policy, written as rules for the matching engine.

Their ids are `custom:<policy>:<n>`; no other policy takes their findings. Long word lists are cut into alternations
of a bounded size: one pattern of 10,000 words would meet RE2's memory limit, 10,000 patterns would cost a lookup each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from akto_proxy.guard.rule import Rule
from akto_proxy.policy.pattern import quote
from akto_proxy.policy.rules import CanaryRule, LinksRule, RegexRule, RuleBase, TopicRule, WordsRule
from akto_proxy.policy.schema import Policy

PATTERN_LENGTH = 600  # characters of one alternation: the engine writes each as up to 21, and vectorscan takes 16,000

_LINK = r"(?i)(?:https?|wss?|ftp)://[^\s\"'<>\\)\]}]{1,600}"
_TAIL = r"(?:[:/?#][^\s\"'<>\\)\]}]{0,500})?"  # what of a link follows its host; a longer rest is not part of the span


def rules_of(policy: Policy, number: int, first: int) -> list[Rule]:
    """The engine's rules of `policy.rules[number]`, numbered from `first`; none for rules that only select."""
    rule = policy.rules[number]
    controls = tuple(dict.fromkeys((*rule.controls, *policy.controls)))
    return [
        _made(f"custom:{policy.name}:{count}", pattern, rule, controls)
        for count, pattern in enumerate(_patterns(rule), first)
    ]


def _made(name: str, pattern: str, rule: RuleBase, controls: tuple[str, ...]) -> Rule:
    category, entity, score = _kind(rule)
    if isinstance(rule, RegexRule):
        return Rule(
            id=name,
            entity=entity,
            category=category,
            pattern=pattern,
            score=score,
            keywords=rule.keywords,
            context=rule.context,
            yes=rule.match,
            no=rule.no_match,
            source="policy",
            controls=controls,
        )
    return Rule(
        id=name, entity=entity, category=category, pattern=pattern, score=score, source="policy", controls=controls
    )


def _kind(rule: RuleBase) -> tuple[str, str, float]:
    """Category, entity and score. All are `custom`: findings of that category never compete with each other."""
    match rule:
        case RegexRule():
            return "custom", rule.entity, rule.score
        case WordsRule() | TopicRule():
            return "custom", rule.entity, 1.0
        case CanaryRule() | LinksRule():
            return "custom", rule.entity, 1.0
    raise TypeError(type(rule).__name__)


def _patterns(rule: RuleBase) -> Iterable[str]:
    match rule:
        case RegexRule():
            return [rule.regex]
        case WordsRule():
            forms = [_bounded(word) if rule.whole_words else quote(word) for word in dict.fromkeys(rule.words)]
            return _alternations(forms, fold=not rule.case_sensitive)
        case TopicRule():
            return _alternations([_spaced(phrase) for phrase in dict.fromkeys(rule.phrases)], fold=True)
        case CanaryRule():
            return _alternations([quote(word) for word in dict.fromkeys(rule.canary)], fold=False)
        case LinksRule():
            any_link = bool(rule.links.allow) or any(map(_globbed, rule.links.deny))
            return [*([_LINK] if any_link else ()), *_denied(rule)]
    return []


def _alternations(forms: Sequence[str], *, fold: bool) -> Iterator[str]:
    ordered = sorted(forms, key=lambda form: (-len(form), form))  # the longest first: RE2 takes the first that fits
    chunk: list[str] = []
    for form in [*ordered, ""]:
        if chunk and (not form or sum(map(len, chunk)) + len(form) > PATTERN_LENGTH):
            yield f"(?i:{'|'.join(chunk)})" if fold else f"(?:{'|'.join(chunk)})"
            chunk = []
        chunk.append(form)


def _bounded(word: str) -> str:
    """The word between word boundaries, where RE2's (ASCII) boundary has a meaning."""
    before = r"\b" if _wordly(word[0]) else ""
    after = r"\b" if _wordly(word[-1]) else ""
    return f"{before}{quote(word)}{after}"


def _wordly(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


def _spaced(phrase: str) -> str:
    r"""The phrase with `\s{1,8}` or punctuation between its words."""
    words = phrase.split()
    body = r"[\s\-_,.'’]{1,8}".join(quote(word) for word in words)
    return (r"\b" if _wordly(words[0][0]) else "") + body + (r"\b" if _wordly(words[-1][-1]) else "")


def _denied(rule: LinksRule) -> list[str]:
    """Denied hosts are found without `https://` too: a caller's browser completes them.

    The pattern takes the whole host around a denied name, so that the judging sees `evil.com.good.org` as it is.
    """
    hosts = [quote(host.rstrip(".")) for host in dict.fromkeys(rule.links.deny) if not _globbed(host)]
    scheme = r"(?:(?:(?:https?|wss?|ftp):)?//(?:[^\s/@\"'<>]{1,100}@)?)?"
    after = r"(?:[a-z0-9.\-]{0,252}[a-z0-9\-])?"
    body = rf"{scheme}[a-z0-9.\-]{{0,253}}(?:{'|'.join(hosts)}){after}{_TAIL}"
    return [rf"(?i)(?:^|[^a-z0-9.\-@])(?P<v>{body})"] if hosts else []


def _globbed(host: str) -> bool:
    return "*" in host or "?" in host
