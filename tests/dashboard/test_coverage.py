"""What guards a call like the last one, and why nothing does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from akto_proxy.dashboard.coverage import coverage, last_of
from akto_proxy.dashboard.house import Options
from akto_proxy.store.face import By, Filter

SCOPED = """
version: 1
policies:
  - name: only-support
    action: redact
    mode: {mode}
    scope: {{endpoints: [support-llama]}}
    rules: [{{detect: pii}}]
"""


def test_the_last_call_of_a_group_is_found_by_its_moment(filled: Any, app: Any) -> None:
    for by in (By.ENDPOINT, By.ROUTE):
        for count in filled.top(by):
            found = last_of(app.state.house, count, by.value)
            newest = filled.search(Filter(**{by.value: count.name}), limit=1).items[0]
            assert found == newest


@pytest.mark.parametrize(
    ("endpoint", "mode", "options", "word"),
    [
        ("support-llama", "enforce", Options(), "1 policy"),
        ("support-llama", "monitor", Options(), "Only monitored"),
        ("code-qwen", "enforce", Options(), "Not guarded"),
        ("support-llama", "enforce", Options(guarded=("POST:/generate",)), "Not checked"),
        ("support-llama", "enforce", Options(guarded=("ANY:/v1/*",)), "1 policy"),
        ("support-llama", "enforce", Options(guard_streams=False), "Streams unchecked"),
    ],
)
def test_each_reason_has_its_word(
    endpoint: str, mode: str, options: Options, word: str, filled: Any, app: Any, control: Any
) -> None:
    control.add_version(SCOPED.format(mode=mode), author="x", at=1.0)
    house = replace(app.state.house, options=options)
    streams = [item for item in filled.search(Filter(endpoint=endpoint), limit=400).items if item.streamed]
    assert coverage(house, streams[0]).word == word
    assert coverage(house, None).word == "Unknown"
