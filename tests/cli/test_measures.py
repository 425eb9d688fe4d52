"""Measures of a server in the running product: in force within two seconds, taken back as fast, also far away."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.cli.measures import write
from akto_proxy.store.control_sql import SqlControlStore

WITHIN = 2.0
SLACK = 3.0
"""What a machine that runs eight other things may take longer."""

POLICY = """
version: 1
policies:
  - {name: soft, mode: monitor, action: block, rules: [{detect: pii}]}
"""


def ask(proxy: str, text: str = "hi", **headers: str) -> int:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    given = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(proxy + "/v1/chat/completions", body, given)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def until(wanted: int, call: Callable[[], int]) -> float:
    """Seconds until a call answers so."""
    began = time.monotonic()
    while time.monotonic() - began < 30:
        if call() == wanted:
            return time.monotonic() - began
        time.sleep(0.05)
    raise AssertionError(f"never answered {wanted}")


def watch(product: Any, *arguments: str) -> str:
    done = subprocess.run(
        ["akto-proxy", "watch", *arguments],
        env=product.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not done.returncode, done.stderr
    return done.stdout.split()[0]


@pytest.mark.slow
def test_measures_in_one_place(start_product: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    product = start_product("up", POLICY_FILE=str(tmp_path / "policy.yaml"), TOUR="false", WORKERS="2")
    assert ask(product.proxy, X_User_Id="eve") == 200
    block = watch(product, "respond", "block", "user=eve")
    assert until(403, lambda: ask(product.proxy, X_User_Id="eve")) < WITHIN + SLACK
    assert ask(product.proxy, X_User_Id="adam") == 200
    watch(product, "undo", block)
    assert until(200, lambda: ask(product.proxy, X_User_Id="eve")) < WITHIN + SLACK

    mail = "write to jo.smith@corp-example.com"
    assert ask(product.proxy, mail) == 200
    enforce = watch(product, "respond", "enforce", "soft")
    until(400, lambda: ask(product.proxy, mail))
    watch(product, "undo", enforce)
    until(200, lambda: ask(product.proxy, mail))


@pytest.mark.slow
def test_measures_reach_a_proxy_that_runs_apart(start_product: Callable[..., Any]) -> None:
    server = start_product("up", TOUR="false")
    control = SqlControlStore(f"sqlite:///{server.folder / 'data' / 'control.db'}", random=os.urandom)
    _, secret = control.add_token("proxy", "ingest", by="test", at=time.time())
    control.close()
    proxy = start_product("proxy", AKTO_API_BASE_URL=server.server, AKTO_API_TOKEN=secret, INGEST_FORM="collector")
    block = watch(server, "respond", "block", "user=eve")
    assert until(403, lambda: ask(proxy.proxy, X_User_Id="eve")) < WITHIN + SLACK
    server.stop()
    time.sleep(1.5)
    assert ask(proxy.proxy, X_User_Id="eve") == 403  # the server is away: what it said stays
    assert block


@pytest.mark.parametrize("said", [{}, {"blocks": [], "overrides": [{}]}, {"blocks": [1], "overrides": []}])
def test_nonsense_of_a_server_changes_nothing(tmp_path: Path, said: dict[str, Any]) -> None:
    write(tmp_path, {"blocks": [["user", "eve", 9e9]], "overrides": []})
    before = (tmp_path / "blocks.json").read_bytes()
    with pytest.raises((ValueError, KeyError, TypeError)):
        write(tmp_path, said)
    assert (tmp_path / "blocks.json").read_bytes() == before
