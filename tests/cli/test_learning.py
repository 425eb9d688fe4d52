"""`akto-proxy limits` as a person types it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akto_proxy.cli.main import app, run_command
from akto_proxy.model import Caller, Trace, Usage
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DATA_DIR with five days of two users' calls, and no other setting."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    store = SqliteStore(tmp_path / "traces.db")
    begin = time.time() - 5 * 86_400
    made = [
        Trace(
            id=f"{day:016x}{n:08x}{len(user):08x}", started=begin + day * 86_400 + n * 720, endpoint="main",
            method="POST", path="/v1/chat/completions", route="openai-chat", engine="vllm", status=200, outcome="ok",
            caller=Caller(user=user), usage=Usage(100, 50),
        )
        for day in range(5) for n in range(120) for user in ("ann", "bobby")
    ]  # fmt: skip
    store.insert_many(made)
    store.close()
    return tmp_path


def said(*arguments: str) -> str:
    answer = CliRunner().invoke(app, ["limits", *arguments])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_learn_list_accept_withdraw_and_dismiss(kept: Path) -> None:
    assert "None." in said("proposals")
    assert "5 proposed, from 1,200 calls" in said("learn", "--by", "user")
    rows = [json.loads(line) for line in said("proposals", "--json").splitlines()]
    calls = next(row for row in rows if row["count"] == "requests")
    others = [row for row in rows if row["count"] != "requests"]
    assert calls["days"] >= 4
    assert "shadow" in said("accept", calls["id"], "--mode", "shadow")
    assert "enforce: 2 requests in 60 s for each user at main" in said("accept", calls["id"])
    assert "enforce" in said("proposals")
    assert "taken back" in said("withdraw", calls["id"])
    assert "dismissed" in said("dismiss", others[0]["id"])
    assert len(said("proposals", "--all", "--json").splitlines()) == 5
    control = SqlControlStore(f"sqlite:///{kept / 'control.db'}", random=lambda n: b"0" * n)
    actions = [note.action for note in control.notes(action="limits.")]
    control.close()
    assert actions == ["limits.dismiss", "limits.withdraw", "limits.accept", "limits.accept", "limits.learn"]


def test_too_little_data_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    SqliteStore(tmp_path / "traces.db").close()
    assert "nothing to learn from" in said("learn")


def test_too_few_days_are_said(kept: Path) -> None:
    assert " days only; 3 are needed" in said("learn", "--days", "1")


def test_prices_of_a_cost_limit_are_what_cost_is_learned_by(kept: Path) -> None:
    entry = {"name": "spend", "count": "cost", "limit": 5, "per": "1d", "by": ["user"], "prices": {"*": [1, 2]}}
    (kept / "c.yaml").write_text(json.dumps({"limits": [entry]}))
    said("learn", "--config", str(kept / "c.yaml"), "--by", "user", "--percentile", "90")
    counts = {json.loads(line)["count"] for line in said("proposals", "--json").splitlines()}
    assert "cost" in counts


@pytest.mark.parametrize(
    "arguments", [["learn", "--by", "shoe"], ["learn", "--percentile", "20"], ["accept", "none"], ["withdraw", "none"]]
)
def test_what_cannot_be_used_is_refused(kept: Path, arguments: list[str]) -> None:
    assert run_command(["limits", *arguments]) == 2
