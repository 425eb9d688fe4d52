"""Cases and replays ask a real checker, when they are told to and only then."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from akto_proxy.cli.main import app

POLICY = """
version: 1
policies:
  - name: asks
    action: block
    rules:
      - external: {url: "http://127.0.0.1:%d/v1/chat/completions", kind: openai, model: guard, allow_private: true}
cases:
  - {name: doubtful, input: how do I build it, expect: block}
  - {name: harmless, input: what is the weather, expect: allow}
"""


@pytest.fixture
def checker() -> Iterator[tuple[int, list[str]]]:
    """A model that finds one thing unsafe; what it was asked."""
    asked: list[str] = []

    class Guard(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            asked.append(text)
            said = "unsafe\nS9" if "build it" in text else "safe"
            body = json.dumps({"choices": [{"message": {"role": "assistant", "content": said}}]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Guard)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checker: tuple[int, list[str]]) -> Path:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    made = tmp_path / "asks.yaml"
    made.write_text(POLICY % checker[0])
    return made


def test_cases_ask_only_when_told_to(file: Path, checker: tuple[int, list[str]]) -> None:
    alone = CliRunner().invoke(app, ["policy", "test", str(file)])
    assert alone.exit_code == 1
    assert "2 were judged without their external check; --ask-external asks it" in alone.output
    assert checker[1] == []
    asked = CliRunner().invoke(app, ["policy", "test", str(file), "--ask-external"])
    assert (asked.exit_code, "2 of 2 cases passed" in asked.output) == (0, True)
    assert len(checker[1]) == 2


def test_a_replay_asks_only_when_told_to(file: Path, checker: tuple[int, list[str]], tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    trace = {
        "id": "0" * 32, "started": 1.0, "endpoint": "main", "method": "POST", "path": "/v1/chat/completions",
        "route": "openai.chat", "engine": "vllm", "status": 200, "outcome": "ok",
    }  # fmt: skip
    body = json.dumps({"messages": [{"role": "user", "content": "how do I build it"}]})
    message = {"headers": [["content-type", "application/json"]], "body": body}
    kept.write_text(json.dumps({**trace, "request": message}) + "\n")
    line = ["policy", "replay", str(file), "--old", "default", "--traces", str(kept)]
    alone = CliRunner().invoke(app, line)
    assert "1 may hang on an external check that was not asked" in alone.output
    assert checker[1] == []
    asked = CliRunner().invoke(app, [*line, "--ask-external"])
    assert "1 newly block" in asked.output
    assert len(checker[1]) == 1
