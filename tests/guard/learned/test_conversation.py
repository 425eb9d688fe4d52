import pytest

from akto_proxy.guard.learned.attack import PromptAttackDetector
from akto_proxy.guard.learned.conversation import ConversationDetector, SeenCache
from akto_proxy.model import Finding, Role, Segment


class Scripted(PromptAttackDetector):
    """Judges by a number in the text, and counts how often it was asked."""

    def __init__(self):
        self.asked = 0

    def look(self, segment):
        if segment.role is not Role.USER:
            return None
        self.asked += 1
        return Finding(0, 1, "prompt-injection", "PROMPT_INJECTION", "injection", float(segment.text))


def talk(*scores):
    return [Segment(str(s), f"/messages/{n}/content") for n, s in enumerate(scores)]


def test_only_new_messages_are_read():
    inner = Scripted()
    detector = ConversationDetector(inner, SeenCache())
    detector.check(talk(0.1, 0.2))
    detector.check(talk(0.1, 0.2, 0.3))
    assert inner.asked == 3


def test_small_steps_add_up():
    detector = ConversationDetector(Scripted(), SeenCache())
    scores = [finding.score for _, finding in detector.check(talk(0.4, 0.4, 0.4))]
    assert scores[0] == 0.4
    assert scores == sorted(scores)
    assert scores[0] < 0.5 <= scores[2] < 1


def test_calm_words_are_not_blamed_for_what_came_before():
    detector = ConversationDetector(Scripted(), SeenCache())
    assert [n for n, _ in detector.check(talk(0.9, 0.9, 0.05))] == [0, 1]


def test_the_same_text_of_another_role_is_another_message():
    inner = Scripted()
    detector = ConversationDetector(inner, SeenCache())
    detector.check([Segment("0.9", "", Role.ASSISTANT), Segment("0.9", "", Role.USER)])
    assert inner.asked == 1


def test_the_cache_is_bounded_and_counts_what_it_forgets():
    cache = SeenCache(2)
    finding = Finding(0, 1, "r", "E", "injection", 0.1)
    for key in (b"a", b"b", b"c"):
        cache.put(key, finding)
    assert cache.get(b"a") is None
    assert cache.get(b"c") is finding
    assert cache.forgotten == 1


@pytest.mark.parametrize("calm", ["What is the capital of France?", "Thanks! And of Peru?"])
def test_a_calm_talk_stays_calm(model, calm):
    detector = ConversationDetector(PromptAttackDetector(model), SeenCache())
    assert detector.check([Segment(calm, "") for _ in range(12)]) == []
