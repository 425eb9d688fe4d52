import pytest

from akto_proxy.guard.output.leak import SystemPromptLeakDetector
from akto_proxy.model import Role, Segment

PROMPT = (
    "You are Nora, the support assistant of Nordwind Bank. Never talk about interest rates before the customer has "
    "been identified. If someone asks for a refund, hand the case to a colleague and give the ticket number in return."
)


@pytest.fixture
def detector(reader):
    return SystemPromptLeakDetector(reader)


def system(text=PROMPT):
    return Segment(text, "/messages/0/content", Role.SYSTEM)


def test_the_system_prompt_in_an_answer_is_found_and_marked(detector, answer):
    lead = "Sure! My instructions say: "
    [(number, finding)] = detector.check([system(), answer(lead + PROMPT[:130] + " and more.")])
    assert number == 1
    assert finding.rule == "system-prompt-leak"
    assert finding.start >= len(lead) - 1
    assert finding.score >= 0.6


def test_other_case_and_layout_change_nothing(detector, answer):
    assert detector.check([system(), answer("\n- ".join(PROMPT.upper().split(", ")))])


@pytest.mark.parametrize("text", ["I can hand this to a colleague.", "Your refund is on its way.", ""])
def test_an_answer_in_other_words_is_no_leak(detector, answer, text):
    assert detector.check([system(), answer(text)]) == []


def test_a_common_phrase_for_a_prompt_is_nothing_to_leak(detector, answer):
    phrase = "You are a helpful assistant."
    assert detector.check([system(phrase), answer(phrase)]) == []


def test_no_system_message_no_leak(detector, answer):
    assert detector.check([answer(PROMPT)]) == []


def test_many_conversations_are_remembered_within_bounds(detector, answer):
    for number in range(200):
        assert detector.check([system(f"{number} " + PROMPT), answer(PROMPT)])


def test_only_answers_are_judged(detector):
    assert detector.check([system(), Segment(PROMPT, "", Role.TOOL)]) == []


def test_a_long_answer_is_read_to_its_bound(detector, answer):
    assert detector.check([system(), answer("All is well. " * 3000 + PROMPT)])
