"""Replays in one process and in several: the same report, from a file and from the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from akto_proxy.cli import replaying
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError
from akto_proxy.model import Action, trace_from_dict
from akto_proxy.policy.schema import parse_policies
from akto_proxy.store.face import Entry
from akto_proxy.store.open import open_traces

OLD = parse_policies("version: 1\npolicies: [{name: p, rules: [{words: [spade], action: alert}]}]", "old")
NEW = parse_policies("version: 1\npolicies: [{name: p, rules: [{words: [spade, shovel], action: block}]}]", "new")


def record(number: int) -> dict[str, object]:
    word = ("spade", "shovel", "plain")[number % 3]
    body = json.dumps({"messages": [{"role": "user", "content": f"call {number} with a {word} here"}]})
    kept = {"headers": [["content-type", "application/json"]], "body": body, "encoding": "text", "size": len(body)}
    return {
        "id": f"{number:032x}", "started": 1.0 + number, "endpoint": "e", "method": "POST", "status": 200,
        "path": "/v1/chat/completions", "route": "chat", "engine": "openai", "outcome": "ok", "request": kept,
        "caller": {"user": f"user-{number % 4}"},
    }  # fmt: skip


@pytest.mark.parametrize("source", ["file", "store"])
def test_several_processes_say_what_one_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str):
    monkeypatch.setattr(replaying, "FEW", 10)
    monkeypatch.setattr(replaying, "BATCH", 7)
    settings = load({"DATA_DIR": str(tmp_path)})
    lines = tmp_path / "traces.jsonl"
    lines.write_text("".join(json.dumps(record(number)) + "\n" for number in range(60)))
    if source == "store":
        store = open_traces(str(tmp_path / "traces.db"))
        store.insert_many([Entry(trace_from_dict(record(number))) for number in range(60)])
        store.close()

    def records():
        return replaying.exported(str(lines)) if source == "file" else replaying.stored(settings, 0.0)

    one = replaying.replayed(records(), settings, OLD, NEW)
    assert one.total == 60
    assert one.moves == {
        (Action.ALERT, Action.BLOCK): 20,
        (Action.ALLOW, Action.BLOCK): 20,
    }
    two = replaying.replayed(records(), settings, OLD, NEW, processes=2)
    assert two == one


def test_a_line_that_is_no_trace_is_named(tmp_path: Path):
    (tmp_path / "traces.jsonl").write_text("{}\n")
    with pytest.raises(ConfigError, match=r"traces\.jsonl, line 1: not a trace"):
        replaying.replayed(
            replaying.exported(str(tmp_path / "traces.jsonl")), load({"DATA_DIR": str(tmp_path)}), OLD, NEW
        )
