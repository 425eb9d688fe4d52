"""Akto's formats to our nouns and back, as pure functions."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.collector.akto import item, merged, result, stable_id, text, to_trace, unwrap
from akto_proxy.collector.judge import Verdict
from akto_proxy.model import Action, Decision, Direction, Severity

NOW = 1_780_531_200.0
json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=5), json, max_size=4), st.sampled_from(["bare", "text", "object"]))
def test_for_every_payload_the_wrapping_it_came_in_goes_around_what_comes_back(body, form: str):
    inner = orjson.dumps(body).decode()
    sent = {
        "bare": inner,
        "text": orjson.dumps({"body": inner}).decode(),
        "object": orjson.dumps({"body": body}).decode(),
    }
    found = unwrap(sent[form])
    if form == "bare" and set(body) == {"body"}:
        return  # it is itself what connectors wrap payloads in
    assert orjson.loads(found.payload) == body
    assert orjson.loads(found.wrap(found.payload)) == orjson.loads(sent[form])


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ("1780531200", NOW), (1780531200, NOW), ("1780531200123", 1780531200.123), (1780531200123, 1780531200.123),
        (None, 5.0), ("soon", 5.0), (-1, 5.0), (float("nan"), 5.0), (float("inf"), 5.0), ("1e400", 5.0), ([], 5.0),
    ],
)  # fmt: skip
def test_a_time_is_read_in_seconds_and_milliseconds(sent, seconds: float):
    assert item({"time": sent}, 5.0).at == seconds


@pytest.mark.parametrize("sent", ["1e300", 2**80, "-5", None, "x", {}, float("inf")])
def test_a_status_that_is_none_is_none(sent):
    assert item({"statusCode": sent}, NOW).status == 0


@given(json)
def test_for_every_value_a_field_is_a_text(value):
    assert isinstance(text(value), str)


def verdict(action: Action) -> Verdict:
    made = Decision("p", "r", "c", "E", Severity.HIGH, action, Direction.REQUEST)
    return Verdict(action, (made,), "masked" if action is Action.REDACT else None, "masked")


@given(st.sampled_from(Action), st.sampled_from(Action))
def test_for_every_pair_of_sides_both_must_be_allowed(first: Action, second: Action):
    one, two = (result(verdict(action), unwrap("x")) for action in (first, second))
    both = merged(one, two)
    assert both["Allowed"] is (first is not Action.BLOCK and second is not Action.BLOCK)
    assert (both["requestResult"], both["responseResult"]) == (one, two)
    if not both["Allowed"]:
        assert both["behaviour"] == "block", "the side that objects speaks"


def test_what_was_only_observed_is_never_said_to_be_enforced():
    found = item({"requestPayload": "x"}, NOW)
    sides = {Direction.REQUEST: verdict(Action.BLOCK)}
    seen = to_trace(found, sides, trace_id="1" * 32, connector="c", enforced=False)
    assert (seen.outcome, seen.decisions[0].action, seen.decisions[0].would) == ("ok", Action.ALERT, Action.BLOCK)
    done = to_trace(found, sides, trace_id="1" * 32, connector="c", enforced=True)
    assert (done.outcome, done.verdict) == ("blocked", Action.BLOCK)


@given(st.binary(min_size=10, max_size=10), st.floats(1, 4e9))
def test_for_every_record_the_id_is_a_version_7_of_its_time(random: bytes, at: float):
    made = stable_id(item({"time": at}, NOW), random)
    assert len(made) == 32
    assert made[12] == "7"
    assert made[16] in "89ab"
    assert abs(int(made[:12], 16) / 1000 - at) < 0.01
