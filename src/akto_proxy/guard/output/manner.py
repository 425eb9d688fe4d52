"""How a model answers: whether it refuses, and in what mood a text is. Small word lists, many languages for refusal.

Trade-off: irony and politeness escape a lexicon; the score says how far the words lean, not what was meant.
"""

from __future__ import annotations

import re2

from akto_proxy.guard.output.base import Structural
from akto_proxy.model import Finding

_REFUSAL = re2.compile(
    r"(?i)\b(?:I(?:'m| am| must)? (?:sorry|apologi[sz]e)[^.!?\n]{0,60}?(?:can(?:no|')t|unable|not able|won't|"
    r"not going to|not comfortable)|"
    r"I(?:'m| am) (?:unable|not able|not allowed|not permitted|not comfortable|prohibited) (?:to|from|with)|I "
    r"(?:can(?:no|')t|cannot|can not|won't|will not|must decline to) (?:help|assist|provide|comply|fulfil?l|do "
    r"that|create|generate|write|answer|engage|support|continue|share|discuss|give|offer|participate|reveal)|"
    r"As an? (?:AI|artificial intelligence|language model|large language model)[^.\n]{0,80}(?:can(?:no|')t|"
    r"unable|not able|do not|don't)|(?:this|that|your) request (?:violates|goes against|is against|can(?:no|"
    r"')t be)|against my (?:guidelines|programming|policy|policies)|"
    r"I have to decline|I must decline|not something I can (?:help|assist)|es tut mir leid|ich kann (?:dabei|"
    r"dir|ihnen) (?:leider )?nicht|je suis désolée?,? (?:mais )?je ne peux pas|je ne peux pas vous aider|lo "
    r"siento,? (?:pero )?no puedo|no puedo ayudar|mi dispiace,? (?:ma )?non posso|"
    r"desculpe,? (?:mas )?não posso|não posso ajudar|het spijt me|извините|я не могу помочь|к сожалению,? я не могу)"
    r"|抱歉|我无法|我不能|申し訳(?:ありません|ございません)|お手伝いできません|죄송합니다"
    r"|도와드릴 수 없|عذرا|لا أستطيع مساعدتك|मुझे खेद है|माफ़ कीजिए"
)
#: A refusal opens an answer; later the same words are mostly a quotation.
_OPENING = 400

_GOOD = frozenset(
    [
        "good",
        "great",
        "excellent",
        "amazing",
        "wonderful",
        "love",
        "loved",
        "loves",
        "lovely",
        "happy",
        "glad",
        "perfect",
        "fantastic",
        "thanks",
        "thank",
        "helpful",
        "nice",
        "enjoy",
        "enjoyed",
        "pleased",
        "best",
        "brilliant",
        "superb",
        "delightful",
        "awesome",
        "beautiful",
        "friendly",
        "kind",
        "recommend",
        "impressive",
        "satisfied",
        "joy",
        "grateful",
        "appreciate",
        "fine",
        "better",
        "win",
        "success",
        "easy",
        "fun",
        "outstanding",
        "comfortable",
    ]
)
_BAD = frozenset(
    [
        "bad",
        "terrible",
        "awful",
        "horrible",
        "hate",
        "hated",
        "hates",
        "worst",
        "useless",
        "stupid",
        "idiot",
        "idiots",
        "angry",
        "furious",
        "disgusting",
        "pathetic",
        "garbage",
        "trash",
        "sad",
        "annoyed",
        "annoying",
        "disappointed",
        "disappointing",
        "broken",
        "fail",
        "failed",
        "failure",
        "wrong",
        "poor",
        "ridiculous",
        "worthless",
        "unacceptable",
        "rude",
        "scam",
        "sucks",
        "crap",
        "damn",
        "incompetent",
        "dreadful",
        "miserable",
        "nasty",
        "ugly",
        "lie",
        "liar",
        "lies",
        "waste",
        "shame",
        "shut",
        "moron",
        "dumb",
        "nightmare",
        "refuse",
        "never",
        "pain",
    ]
)
_NOT = frozenset(
    [
        "not",
        "no",
        "never",
        "hardly",
        "don't",
        "doesn't",
        "didn't",
        "isn't",
        "wasn't",
        "won't",
        "can't",
        "cannot",
        "without",
        "neither",
    ]
)
_STRONG = frozenset(
    ["very", "really", "so", "extremely", "absolutely", "totally", "utterly", "completely", "fucking", "bloody"]
)


class RefusalDetector(Structural):
    """The model declined. Rule `refusal`."""

    name = "refusal"
    category = "refusal"
    entity = "REFUSAL"
    only_answers = True

    def see(self, text: str) -> list[Finding]:
        """At most one finding, where the refusal is said."""
        match = _REFUSAL.search(text[:_OPENING])
        if match is None:
            return []
        return [self.found(match.start(), match.end(), 0.9 if match.start() < 120 else 0.6)]


class SentimentDetector(Structural):
    """A text that leans to the bad side. Rule `sentiment`; the score rises with the share of bad words."""

    name = "sentiment"
    category = "sentiment"
    entity = "SENTIMENT"

    def __init__(self, threshold: float = -0.6) -> None:
        self._threshold = threshold

    def see(self, text: str) -> list[Finding]:
        """A finding over the whole text if its mood is at or below the threshold."""
        value = mood(text[:20_000])
        return [self.found(0, len(text), 0.5 - value / 2)] if value <= self._threshold else []


def mood(text: str) -> float:
    """-1 (bad) to 1 (good); 0 when nothing was said either way."""
    value, hits = 0.0, 0
    before, before_that = "", ""
    for raw in text.lower().replace("\u2019", "'").split():
        word = raw.strip(".,;:!?()[]\"'*_-")
        lean = (word in _GOOD) - (word in _BAD)
        if lean:
            hits += 1
            weight = 1.5 if before in _STRONG or raw.endswith("!") else 1.0
            value += -0.7 * lean * weight if before in _NOT or before_that in _NOT else lean * weight
        before, before_that = word, before
    return max(-1.0, min(1.0, value / (hits + 0.5))) if hits else 0.0
