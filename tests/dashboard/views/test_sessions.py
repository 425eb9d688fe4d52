"""A session is one conversation, found by an id that callers choose freely."""

from __future__ import annotations

from dataclasses import replace
from typing import Any


def test_a_session_reads_as_one_thread(store: Any, sample: Any, clock: Any, sign_in: Any) -> None:
    calls = list(sample.traffic(4, until=clock() - 5, span=60))
    name = "../odd id?&#<b>"
    store.insert_many([replace(call, caller=replace(call.caller, session=name)) for call in calls])
    client = sign_in("viewer")
    page = client.get("/sessions").text
    assert "../odd id?&amp;#&lt;b&gt;" in page
    thread = client.get("/sessions/thread", params={"id": name}).text
    assert "4 calls by" in thread
    places = [thread.index(f"/traces/{call.id}") for call in calls]
    assert places == sorted(places)
