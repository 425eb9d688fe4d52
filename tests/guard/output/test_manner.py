import pytest

from akto_proxy.guard.output.manner import RefusalDetector, SentimentDetector, mood
from akto_proxy.model import Segment


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot assist with this request.",
        "As an AI language model, I can't do this.",
        "Es tut mir leid, das geht nicht.",
        "抱歉，我无法帮助你。",
    ],
)
def test_refusals_are_found(answer, text):
    [(_, finding)] = RefusalDetector().check([answer(text)])
    assert finding.rule == "refusal"


@pytest.mark.parametrize("text", ["Sure, here it is.", "I'm sorry for your loss.", "He said nothing."])
def test_help_is_no_refusal(answer, text):
    assert RefusalDetector().check([answer(text)]) == []


def test_a_quotation_far_down_is_no_refusal(answer):
    assert RefusalDetector().check([answer("All good here. " * 60 + "I cannot assist with that.")]) == []


def test_only_answers_refuse():
    assert RefusalDetector().check([Segment("I cannot help with that.", "")]) == []


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("This is awful, the worst service, I hate it!", -1, -0.6),
        ("Great work, thank you, I love it", 0.6, 1),
        ("The train leaves at nine.", 0, 0),
        ("not bad", 0.1, 1),
    ],
)
def test_mood_leans_as_the_words_do(text, low, high):
    assert low <= mood(text) <= high


def test_a_bad_mood_is_a_finding():
    assert SentimentDetector().check([Segment("You useless idiot, I hate this garbage", "")])
    assert SentimentDetector().check([Segment("Could you help me, please?", "")]) == []
