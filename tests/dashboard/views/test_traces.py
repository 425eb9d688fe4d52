"""The list of traces and one trace: filters, following, neighbours, what is opened and what stays closed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.model import Action, Message
from akto_proxy.store.control import Person
from akto_proxy.store.face import Filter


def rows(page: str) -> list[str]:
    return re.findall(r'data-row="([0-9a-f]{32})"', page)


@pytest.mark.parametrize(
    "asked",
    [
        {"verdict": "block"},
        {"status": "400"},
        {"user": "ada", "endpoint": "code-qwen"},
        {"severity": "critical"},
        {"text": "gradient"},
        {"outcome": "redacted"},
        {"agent": "support-bot", "direction": "response"},
    ],
)
def test_following_shows_what_the_list_would(
    asked: dict[str, str], store: Any, sample: Any, clock: Any, sign_in: Any
) -> None:
    client = sign_in("viewer")
    cursor = client.get("/traces/live").headers["x-cursor"]
    store.insert_many(list(sample.traffic(150, until=clock() - 1, span=600)))
    live = rows(client.get("/traces/live", params={"cursor": cursor, **asked}).text)
    listed = rows(client.get("/traces", params=asked).text)
    assert live
    assert set(listed) <= set(live)
    every = store.search(Filter(), limit=500).items
    assert len(live) < len(every)
    assert client.get("/traces/live", params={"cursor": cursor}).headers["x-cursor"] != cursor


def test_a_time_can_be_named_in_words_of_a_date_field(filled: Any, sign_in: Any, clock: Any) -> None:
    client = sign_in("viewer")
    page = client.get("/traces", params={"from": "2025-11-24T00:00", "to": "2025-11-24T02:00"}).text
    every = filled.search(Filter(since=1763942400.0, until=1763949600.0), limit=500).items
    assert rows(page) == [item.id for item in every][:50]
    assert "2025-11-24 00:00 to 2025-11-24 02:00 UTC" in page


def test_neighbours_stay_within_the_filter(filled: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    blocked = [item.id for item in filled.search(Filter(verdicts=(Action.BLOCK,))).items]
    page = client.get(f"/traces/{blocked[1]}", params={"verdict": "block"}).text
    assert f"/traces/{blocked[0]}?verdict=block" in page
    assert f"/traces/{blocked[2]}?verdict=block" in page


def test_one_trace_says_what_happened_and_why(filled: Any, sign_in: Any) -> None:
    client = sign_in("viewer")
    item = filled.search(Filter(verdicts=(Action.BLOCK,), rule="prompt-injection")).items[0]
    page = client.get(f"/traces/{item.id}").text
    for words in (
        "The model was not called",
        "was not called",
        "default-injection",
        "OWASP-LLM:LLM01",
        "curl -sS -X POST",
    ):
        assert words in page
    stream = next(item for item in filled.search(Filter(), limit=400).items if item.streamed and item.status == 200)
    page = client.get(f"/traces/{stream.id}").text
    for words in ("Model, to its first byte", "Caller, first to last byte", "streamed", "content-type"):
        assert words in page


def test_saved_views_are_ones_own_or_shared(filled: Any, sign_in: Any) -> None:
    ada, eve = sign_in("viewer", "ada"), sign_in("viewer", "eve")
    for name, shared in (("mine", ""), ("ours", "yes")):
        form = {"name": name, "query": "?verdict=block&said=x", "shared": shared}
        assert ada.post("/traces/views", data=form).headers["location"] == "/traces?verdict=block&said=saved"
    assert ">mine<" in ada.get("/traces").text
    page = eve.get("/traces").text
    assert ">ours<" in page
    assert ">mine<" not in page
    view = re.search(r'name="id" value="(\w+)"', ada.get("/traces").text)[1]
    eve.post("/traces/views/remove", data={"id": view})
    assert view in ada.get("/traces").text
    ada.post("/traces/views/remove", data={"id": view})
    assert view not in ada.get("/traces").text


def test_an_export_is_the_filtered_records_and_stands_in_the_log(filled: Any, control: Any, sign_in: Any) -> None:
    assert sign_in("viewer").get("/traces/export.jsonl").status_code == 403
    answer = sign_in("analyst").get("/traces/export.jsonl?verdict=block&since=7d")
    records = [orjson.loads(line) for line in answer.content.splitlines()]
    assert len(records) == filled.count(Filter(verdicts=(Action.BLOCK,)))
    assert {record["verdict"] for record in records} == {3}
    assert control.notes(action="traces.export")[0].detail == "verdict=block&since=7d"


@pytest.fixture
def sealed(store: Any, control: Any, workshop: Any, clock: Any, sample: Any) -> Any:
    """A trace kept under CAPTURE=full, and a server that holds its key."""
    trace = next(iter(sample.traffic(1, until=clock() - 5)))
    store.insert_many([replace(trace, request=Message((), "c2VhbGVk", "sealed", 9))])
    app = create_app(
        traces=store,
        control=control,
        workshop=workshop,
        clock=clock,
        randomness=__import__("random").Random(1).randbytes,
        unseal=lambda text: b'{"messages":[{"role":"user","content":"the real words"}]}' if text == "c2VhbGVk" else b"",
    )

    def client(role: str) -> TestClient:
        control.keep_person(Person(role, role, "!"))
        made = TestClient(app, base_url="http://dash.test", follow_redirects=False)
        made.cookies.set("akto_session", app.state.house.sessions.begin(role))
        made.headers["x-csrf-token"] = app.state.house.sessions.of(role)[0].csrf
        return made

    return trace.id, client


def test_a_viewer_never_sees_sealed_text_and_each_view_of_others_is_logged(sealed: Any, control: Any) -> None:
    trace_id, client = sealed
    viewer, analyst = client("viewer"), client("analyst")
    for path in (f"/traces/{trace_id}", f"/api/v1/traces/{trace_id}"):
        assert "the real words" not in viewer.get(path).text
        assert "the real words" not in analyst.get(path).text
    for path in (f"/traces/{trace_id}/unmask", f"/api/v1/traces/{trace_id}/unmask"):
        assert viewer.post(path).status_code == 403
        assert "the real words" in analyst.post(path).text
    notes = control.notes(action="trace.unmask")
    assert [(note.actor, note.subject) for note in notes] == [("analyst", trace_id)] * 2


def test_what_was_kept_masked_cannot_be_unmasked(filled: Any, sign_in: Any) -> None:
    item = filled.search(Filter(), limit=1).items[0]
    assert sign_in("admin").post(f"/traces/{item.id}/unmask").status_code == 404
