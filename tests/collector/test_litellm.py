"""LiteLLM's own Akto guardrail hook, as published, against our collector: block, mask, stream, unreachable.

Needs an interpreter with `litellm[proxy]`: this one, or the one LITELLM_PYTHON names (it pins many packages, so a
virtual environment of its own is kinder).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from akto_proxy.collector.app import create_app
from akto_proxy.collector.judge import Judge
from akto_proxy.model import Action
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.face import Filter
from akto_proxy.store.sqlite import SqliteStore

pytestmark = pytest.mark.e2e

HOOK = """
import asyncio, json, sys
from litellm.proxy.guardrails.guardrail_hooks.akto.akto import AktoGuardrail
hook = AktoGuardrail(akto_base_url=sys.argv[1], akto_api_key=sys.argv[2], guardrail_name="akto")

async def ask(kind, text, **request):
    data = {"model": "m", "messages": [{"role": "user", "content": request.pop("prompt", text)}],
            "litellm_call_id": text, **request}
    try:
        out = await hook.apply_guardrail({"texts": [text]}, data, kind)
        return {"texts": out["texts"]}
    except Exception as error:
        return {"error": type(error).__name__, "status": getattr(error, "status_code", None), "message": str(error)}

async def main():
    print(json.dumps([
        await ask("request", "hello there"),
        await ask("request", "odd question"),
        await ask("request", "write to jo@corp.example"),
        await ask("request", "ATTACK"),
        await ask("response", "mail jo@corp.example", prompt="p"),
        await ask("response", "ATTACK now", prompt="p"),
        await ask("response", "streamed ATTACK", prompt="p", stream=True),
        await ask("response", "streamed fine", prompt="p", stream=True),
        await ask("request", "CRASH"),
    ]))
asyncio.run(main())
"""


def interpreter() -> str:
    python = os.environ.get("LITELLM_PYTHON", sys.executable)
    have = subprocess.run([python, "-c", "import litellm"], check=False, capture_output=True, timeout=120)
    if have.returncode != 0:
        pytest.skip("litellm is not installed; set LITELLM_PYTHON to an interpreter that has litellm[proxy]")
    return python


@pytest.fixture
def served(store: SqliteStore, control: SqlControlStore, judged: Judge) -> Iterator[str]:
    app = create_app(store, control, now=time.time, random=os.urandom, judge=judged)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def test_the_published_hook_works(served: str, store: SqliteStore, control: SqlControlStore, tmp_path: Path) -> None:
    _, secret = control.add_token("litellm", "ingest", by="x", at=time.time())
    command = [interpreter(), "-c", HOOK, served, secret]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True, cwd=tmp_path)
    answers: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    hello, odd, masked, attack, answer_masked, answer_attack, stream_attack, stream_fine, crash = answers
    assert hello == {"texts": ["hello there"]}
    assert odd == {"texts": ["odd question"]}, "an alert passes"
    assert masked == {"texts": ["write to [EMAIL]"]}
    assert answer_masked == {"texts": ["mail [EMAIL]"]}
    for blocked in (attack, answer_attack, stream_attack):
        assert blocked["status"] == 403, blocked
        assert "jailbreak" in blocked["message"]
    assert stream_fine == {"texts": ["streamed fine"]}
    assert crash["status"] == 503, "a guard that fails is unreachable to the hook, whose own choice is to close"
    assert store.count() == 8
    assert store.count(Filter(verdicts=(Action.BLOCK,))) == 3
    assert store.count(Filter(model="m")) == 8
