from akto_proxy.guard.output.base import LIMIT, Structural, answers, spoken
from akto_proxy.model import Direction, Finding, Role, Segment

SEGMENTS = [
    Segment("s", "", Role.SYSTEM),
    Segment("u", "", Role.USER),
    Segment("a", "", Role.ASSISTANT),
    Segment("r", "", Role.ASSISTANT, Direction.RESPONSE),
    Segment("", "", Role.USER),
]


def test_the_operator_is_never_judged_and_answers_are_what_the_model_wrote_now():
    assert list(answers(SEGMENTS)) == [(3, "r")]
    assert list(spoken(SEGMENTS)) == [(1, "u"), (2, "a"), (3, "r")]


class Loud(Structural):
    name, category, entity = "loud", "loud", "LOUD"

    def see(self, text: str) -> list[Finding]:
        return [self.found(0, len(text), 7.0)]


def test_a_subclass_says_what_it_sees_within_bounds():
    [(_, finding)] = Loud().check([Segment("x" * (LIMIT + 9), "")])
    assert (finding.rule, finding.end, finding.score) == ("loud", LIMIT, 1.0)
    assert Loud().rules == {"loud"}
