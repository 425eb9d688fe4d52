"""Versions from a command line: what is said without a server, and the whole way to a running proxy."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.cli.main import run_command
from akto_proxy.cli.versions import base_url
from akto_proxy.config.settings import load
from akto_proxy.store.control_sql import SqlControlStore
from tests_support import answers, free_port

POLICY = "version: 1\npolicies: [{name: own, rules: [{words: [%s], action: block}]}]\n"


def test_which_server_is_spoken_to():
    remote = {"AKTO_API_BASE_URL": "https://c.example"}
    assert base_url(load({"SERVER_PORT": "1234"}), "") == "http://127.0.0.1:1234"
    assert base_url(load(remote), "") == "http://127.0.0.1:8090", "Akto's own server keeps no versions of ours"
    assert base_url(load(remote | {"INGEST_FORM": "collector"}), "") == "https://c.example"
    assert base_url(load(remote), "http://other:1/") == "http://other:1"


def test_mistakes_are_told_with_the_way_out(capsys, monkeypatch, tmp_path: Path):
    def said(*arguments: str) -> str:
        assert run_command(["policy", *arguments]) == 2
        return " ".join(capsys.readouterr().err.split())

    monkeypatch.delenv("AKTO_PROXY_TOKEN", raising=False)
    assert "make an API token of role editor on the dashboard" in said("versions")
    monkeypatch.setenv("AKTO_PROXY_TOKEN", "secret-token")
    there = f"http://127.0.0.1:{free_port()}"
    away = said("rollback", "1", "--server", there)
    assert "cannot be reached" in away
    assert "secret-token" not in away
    assert "absent.yaml: cannot be read" in said("push", str(tmp_path / "absent.yaml"), "--server", there)
    (tmp_path / "bad.yaml").write_text("version: 1\npolicies: [{name: own, rules: [{word: [x]}]}]")
    assert "a rule needs one of the keys" in said("push", str(tmp_path / "bad.yaml"), "--server", there)


def call(proxy: str, text: str) -> int:
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(proxy + "/v1/chat/completions", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def until(wanted: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.mark.slow
def test_a_pushed_version_reaches_running_proxies_and_is_rolled_back(
    start_product: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
):
    product = start_product(WORKERS="2", TOUR="false", POLICY_INTERVAL="0.5")
    control = SqlControlStore(f"sqlite:///{product.folder}/data/control.db", random=os.urandom)
    _, secret = control.add_token("ci", "editor", by="test", at=time.time())
    monkeypatch.setenv("AKTO_PROXY_TOKEN", secret)
    file = tmp_path / "policy.yaml"

    def policy(*arguments: str) -> str:
        assert run_command(["policy", *arguments, "--server", product.server]) == 0
        return str(capsys.readouterr().out)

    until(lambda: answers(product.server + "/health"))
    assert "no version yet" in policy("versions")
    file.write_text(POLICY % "spade")
    assert "version 1 is in force" in policy("push", str(file), "-m", "first")
    until(lambda: {call(product.proxy, "a spade") for _ in range(6)} == {400})
    file.write_text(POLICY % "shovel")
    policy("push", str(file))
    until(lambda: {call(product.proxy, "a spade") for _ in range(6)} == {200})
    assert call(product.proxy, "a shovel") == 400

    bad = control.add_version("version: 1\npolicies: []\n", author="somebody", at=time.time())
    until(lambda: any(f"version {bad.number} is refused" in proxy.policy_problem for proxy in control.proxies()))
    assert call(product.proxy, "a shovel") == 400, "the last good version stays"
    assert f"version {bad.number}" not in product.printed() or "refused" in product.printed()

    assert "version 4 is in force" in policy("rollback", "1")
    until(lambda: {call(product.proxy, "a spade") for _ in range(6)} == {400})
    until(lambda: all(not proxy.policy_problem for proxy in control.proxies()))
    assert policy("pull") == POLICY % "spade"
    listed = policy("versions")
    assert [line.split()[:2] for line in listed.splitlines()[1:]] == [
        ["4", "active"], ["3", "past"], ["2", "past"], ["1", "past"],
    ]  # fmt: skip
    assert "first" in listed
    control.close()
