"""No record that a sender can think of may hold up the records of others."""

from dataclasses import fields, replace
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akto_proxy.collector.sound import check
from akto_proxy.model import (
    Action,
    Caller,
    Decision,
    Direction,
    Message,
    Severity,
    Timing,
    Trace,
    Usage,
    trace_from_dict,
)
from akto_proxy.store.sqlite import SqliteStore

TRACE = Trace(
    "1" * 32, 1000.0, "e", "POST", "/p", "r", "v", 200, "ok", Action.BLOCK, model="m",
    caller=Caller("1.2.3.4", user="u"), usage=Usage(1, 2), timing=Timing(5),
    request=Message((("a", "b"),), "hi", "text", 2), tags=(("k", "v"),),
    decisions=(
        Decision("p", "r", "c", "E", Severity.HIGH, Action.BLOCK, Direction.REQUEST, controls=("x",)),
    ),
)  # fmt: skip
TREE: dict[str, Any] = orjson.loads(orjson.dumps(TRACE))
odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\x00", "9" * 400, "-1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places() -> list[tuple[str, ...]]:
    """Every key of the record, nested ones too."""
    found: list[tuple[str, ...]] = [(key,) for key in TREE]
    found += [(key, inner) for key, value in TREE.items() if isinstance(value, dict) for inner in value]
    return found + [("decisions", "0", key) for key in TREE["decisions"][0]]


def changed(place: tuple[str, ...], value: Any) -> dict[str, Any]:
    tree = orjson.loads(orjson.dumps(TREE))
    here: Any = tree
    for key in place[:-1]:
        here = here[int(key) if key.isdigit() else key]
    here[place[-1]] = value
    return tree


def test_a_sound_trace_passes():
    check(TRACE)
    check(trace_from_dict(TREE))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(places()), odd, st.integers(0, 2**100))
def test_for_every_change_of_every_field_the_record_is_refused_or_can_be_kept(
    store: SqliteStore, place: tuple[str, ...], value: Any, number: int
):
    tree = changed(place, value)
    if place != ("id",):
        tree["id"] = f"{number:032x}"
    try:
        trace = trace_from_dict(orjson.loads(orjson.dumps(tree)))
        check(trace)
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    from akto_proxy.store.face import Entry

    store.insert_many([Entry(trace, orjson.dumps(tree))])
    assert store.get(trace.id) is not None


async def test_a_poisonous_record_is_named_and_the_others_are_kept(client: httpx.AsyncClient, store: SqliteStore):
    poison = [changed(("status",), 2**63), changed(("caller", "user"), {"a": 1}), changed(("usage", "prompt"), "7")]
    lines = [orjson.dumps(tree) for tree in poison] + [orjson.dumps(replace(TRACE, id="2" * 32))]
    answer = await client.post(
        "/v1/traces", content=b"\n".join(lines), headers={"content-type": "application/x-ndjson"}
    )
    assert (answer.status_code, [item["number"] for item in answer.json()["rejected"]]) == (200, [0, 1, 2])
    assert store.count() == 1


ITEM = {
    "path": "/v1/chat", "method": "POST", "requestPayload": '{"messages":[]}', "responsePayload": "{}", "ip": "1.1.1.1",
    "requestHeaders": '{"host":"h"}', "responseHeaders": "{}", "time": "1780531200", "statusCode": "200",
    "status": "200", "tag": '{"a":"b"}', "_guardrail": '{"guardrailViolated":true}',
}  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(ITEM)), odd, max_size=4), st.booleans())
async def test_for_every_kind_of_every_field_akto_records_are_kept(
    client: httpx.AsyncClient, changes: dict[str, Any], as_text: bool
):
    """As connectors send them: numbers, objects, nulls, JSON in strings; never a failure of ours."""
    if as_text:
        changes = {name: orjson.dumps(value).decode() for name, value in changes.items()}
    record = {**ITEM, **changes}
    body = orjson.dumps({"batchData": [record, ITEM]})
    for content_type in ("application/json", "text/plain"):
        answer = await client.post("/api/ingestData", content=body, headers={"content-type": content_type})
        assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
    answer = await client.request(
        "GET", "/api/http-proxy?guardrails=true&response_guardrails=1&ingest_data=true", content=orjson.dumps(record)
    )
    assert answer.status_code == (200 if record["requestPayload"] not in (None, "") else 422), answer.text


@pytest.mark.parametrize("missing", sorted(ITEM))
async def test_missing_fields_are_tolerated(client: httpx.AsyncClient, store: SqliteStore, missing: str):
    body = orjson.dumps({"batchData": [{name: value for name, value in ITEM.items() if name != missing}]})
    assert (await client.post("/api/ingestData", content=body)).status_code == 200
    assert store.count() == 1


def test_every_plain_field_of_the_model_is_looked_at():
    """A field added to the model is checked without anybody thinking of it."""
    from akto_proxy.collector.sound import _KINDS

    for kind, readers in _KINDS.items():
        made = {Trace: TRACE, Decision: TRACE.decisions[0]}.get(kind) or kind()
        plain = [f.name for f in fields(kind) if type(getattr(made, f.name)) in (str, int, float, bool)]
        assert sum(len(read(made)) for read, _ in readers) >= len(plain)
