"""The language of a text: its script first, then the small words that every sentence of a language needs.

Trade-off: a few words in Latin letters may belong to several languages; then the answer is none rather than a guess.
"""

from __future__ import annotations

from collections import Counter

from akto_proxy.guard.output.base import Structural
from akto_proxy.model import Finding

_WORDS: dict[str, str] = {
    "en": "the of and to in is that it was for on are with as this be at have from you not what how your which "
    "can will my do",
    "de": "der die und das ist nicht ein eine zu den mit von auf für sich dem wie ich auch es wird bei einen "
    "war sind oder wer kann",
    "fr": "le la les des et est un une du que qui dans pour pas sur avec il au plus ce je vous par sont cette "
    "mais nous comment",
    "es": "el la los las de que y en un una es por con para del se no su al como más pero está lo qué cómo fue son",
    "it": "il di che la un una è per non con del della sono gli alla ma come anche dei nel si lo chi questo era",
    "pt": "o os de que e do da em um uma para com não por mais dos como mas ao das foi seu é quem são você",
    "nl": "de het een van en in is dat op te niet zijn met voor die er aan ook door maar wie hoe ik naar wordt",
    "pl": "w i na z do nie się jest że to jak przez dla od co po ale czy był są oraz kto",
    "sv": "och att det som en på är av för med den till inte om ett har jag var från vem hur",
    "da": "og at det som en på er af for med den til ikke om et har jeg var fra hvem hvordan",
    "cs": "a se na je v že to jako by pro ale jsou jsem při tak od do kdo není když",
    "ro": "și de la în a cu pe este nu care un o din pentru mai că sunt fost cine să",
    "tr": "ve bir bu için ile de da olarak çok daha ne gibi olan kim nasıl değil en var mı",
    "id": "dan yang di dari untuk dengan ini itu tidak adalah pada dalam ke akan saya siapa apa bagaimana",
    "vi": "và của là có không được trong cho một các người này với những đã khi ai như tôi",
    "fi": "ja on ei se että hän oli mutta kuin niin ovat mitä kuka joka myös",
    "hu": "a az és hogy nem is egy van ez mint de volt meg csak ki",
}
_SMALL: dict[str, tuple[str, ...]] = {
    word: tuple(language for language, listed in _WORDS.items() if word in listed.split())
    for word in {word for listed in _WORDS.values() for word in listed.split()}
}
#: First and last code point of a script, and its language when the script says it.
_SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x0370, 0x03FF, "el"),
    (0x0400, 0x052F, "ru"),
    (0x0530, 0x058F, "hy"),
    (0x0590, 0x05FF, "he"),
    (0x0600, 0x06FF, "ar"),
    (0x0900, 0x097F, "hi"),
    (0x0980, 0x09FF, "bn"),
    (0x0B80, 0x0BFF, "ta"),
    (0x0E00, 0x0E7F, "th"),
    (0x10A0, 0x10FF, "ka"),
    (0x3040, 0x30FF, "ja"),
    (0xAC00, 0xD7AF, "ko"),
    (0x4E00, 0x9FFF, "zh"),
)
_UKRAINIAN = frozenset("іїєґ")
_SAMPLE = 1200
_LEAST = 12
_AROUND = ".,;:!?()[]\"'*_-¿¡«»"
LANGUAGES = tuple(sorted({*_WORDS, *(language for _, _, language in _SCRIPTS), "uk"}))
"""The ISO 639-1 codes that can be told apart."""


def language_of(text: str) -> str:
    """An ISO 639-1 code, or "" when nothing says so clearly."""
    sample = text[:_SAMPLE]
    script = "" if sample.isascii() else _by_script(sample)
    return script or _by_words(sample)


def _by_script(sample: str) -> str:
    counts: Counter[str] = Counter()
    for char in sample:
        code = ord(char)
        if code >= 0x370:
            name = next((language for low, high, language in _SCRIPTS if low <= code <= high), "")
            if name:
                counts[name] += 1
    if not counts:
        return ""
    if counts["ja"] * 10 >= counts["zh"] and counts["ja"]:
        return "ja"  # kanji stand between kana
    name, many = counts.most_common(1)[0]
    letters = sum(c.isalpha() for c in sample)
    if many * 3 < letters:
        return ""
    return "uk" if name == "ru" and any(c in _UKRAINIAN for c in sample.lower()) else name


def _by_words(sample: str) -> str:
    counts: Counter[str] = Counter()
    for word in sample.lower().split():
        counts.update(_SMALL.get(word.strip(_AROUND), ()))
    (name, best), (_, second) = [*counts.most_common(2), ("", 0), ("", 0)][:2]
    return name if best >= 2 and best > 1.15 * second else ""


class LanguageDetector(Structural):
    """The language of a text, one rule for each: `detect: language, but: [language-en]` finds all but English."""

    name = "language"
    category = "language"

    @property
    def rules(self) -> frozenset[str]:
        """The ids it reports."""
        return frozenset(f"language-{code}" for code in LANGUAGES)

    def see(self, text: str) -> list[Finding]:
        """A finding over the whole text if its language can be told."""
        language = language_of(text) if len(text) >= _LEAST else ""
        if not language:
            return []
        return [Finding(0, len(text), f"language-{language}", f"LANGUAGE_{language.upper()}", self.category, 0.8)]
