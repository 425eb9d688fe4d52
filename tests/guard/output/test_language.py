import pytest

from akto_proxy.guard.output.language import LanguageDetector, language_of
from akto_proxy.model import Segment


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the best way to learn how to swim?", "en"),
        ("Wer war der erste Kanzler und wie lange war er im Amt?", "de"),
        ("Quelle est la meilleure façon de préparer une soupe pour les enfants ?", "fr"),
        ("¿Cómo se prepara una buena tortilla para los niños?", "es"),
        ("Как приготовить хороший хлеб?", "ru"),
        ("Як приготувати добрий хліб?", "uk"),
        ("图书馆九点开门。", "zh"),
        ("図書館は九時に開きます。", "ja"),
        ("도서관은 아홉 시에 엽니다.", "ko"),
        ("تفتح المكتبة في الساعة التاسعة.", "ar"),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_language_is_told_by_script_and_small_words(text, language):
    assert language_of(text) == language


def test_each_language_is_a_rule_of_its_own():
    [(_, finding)] = LanguageDetector().check([Segment("Wer war der erste Kanzler und wie lange war er im Amt?", "")])
    assert (finding.rule, finding.entity) == ("language-de", "LANGUAGE_DE")
    assert finding.rule in LanguageDetector().rules


def test_what_cannot_be_told_is_not_guessed():
    assert LanguageDetector().check([Segment("0x1F4A9 == 128169; xyzzy", ""), Segment("oui", "")]) == []
