"""Managed keys through the running product, before an endpoint that remembers what it was sent."""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

HF_TOKEN = "hf_" + "upstreamSecretQ7" * 2
CHAT = "/v1/chat/completions"
LIMITS = "limits:\n  - {name: small-team, count: requests, only: {team: [small]}, limit: 2, per: 1h}\n"


class Endpoint(BaseHTTPRequestHandler):
    """Answers a chat, and remembers the head of each request."""

    seen: list[dict[str, str]] = []  # noqa: RUF012 - one endpoint in this file
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": "fine"}}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the library's name

    def log_message(self, *args: object) -> None: ...


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def product(start_product: Callable[..., Any], endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Any:
    settings = tmp_path_factory.mktemp("settings") / "settings.yaml"
    settings.write_text(LIMITS)
    return start_product(
        "up",
        APP_URL=endpoint,
        AUTH="managed",
        UPSTREAM_TOKEN=HF_TOKEN,
        AKTO_PROXY_CONFIG=str(settings),
        APP_SERVER_NAME="llama",
        LOG_LEVEL="DEBUG",
    )


def keys(product: Any, *arguments: str, code: int = 0) -> str:
    run = subprocess.run(
        ["akto-proxy", "keys", *arguments], env=product.environ, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == code, run.stderr
    return run.stdout.strip() or run.stderr.strip()


def call(product: Any, headers: dict[str, str], model: str = "tgi") -> tuple[int, dict[str, Any], dict[str, str]]:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}).encode()
    request = urllib.request.Request(product.proxy + CHAT, body, {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), dict(error.headers)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def until(product: Any, headers: dict[str, str], status: int) -> bool:
    for _ in range(100):
        if call(product, headers)[0] == status:
            return True
        time.sleep(0.1)
    return False


def test_an_operator_is_told_that_there_is_no_key_yet(product: Any):
    assert "there is no key yet" in product.printed()
    assert "akto-proxy keys new" in product.printed()


def test_without_a_key_nothing_reaches_the_endpoint(product: Any):
    before = len(Endpoint.seen)
    status, body, headers = call(product, {})
    assert (status, body["error"]["code"]) == (401, "key_missing")
    assert headers["www-authenticate"] == "Bearer"
    assert call(product, bearer("hf_someone_elses"))[1]["error"]["code"] == "key_unknown"
    assert len(Endpoint.seen) == before


def test_a_key_works_within_a_second_and_the_endpoint_sees_its_own_token_only(product: Any):
    text = keys(product, "new", "--name", "search")
    assert until(product, bearer(text), 200)
    assert call(product, {"X-Api-Key": text, "x-user-id": "u1"})[0] == 200
    for sent in Endpoint.seen:
        assert sent["authorization"] == f"Bearer {HF_TOKEN}"
        assert "x-api-key" not in sent
        assert text not in json.dumps(sent)
    listed = keys(product, "list")
    assert text[:13] in listed
    assert "active" in listed
    assert text not in listed
    assert keys(product, "revoke", text[:13]).endswith("is revoked")
    assert until(product, bearer(text), 401)
    assert "no key with this id" in keys(product, "revoke", text[:13], code=2)


def test_a_key_is_kept_to_its_endpoint_and_models(product: Any):
    models = keys(product, "new", "--name", "m", "--model", "llama-*")
    other = keys(product, "new", "--name", "e", "--endpoint", "another")
    assert until(product, bearer(other), 403)
    assert call(product, bearer(models), "llama-7b")[0] == 200
    status, body, _ = call(product, bearer(models), "gpt")
    assert (status, body["error"]["code"]) == (403, "key_scope")


def test_a_teams_limit_holds_for_its_keys_and_nobody_can_claim_another_team(product: Any):
    small, other = (keys(product, "new", "--name", team, "--team", team) for team in ("small", "other"))
    assert until(product, bearer(other), 200)
    answers = [call(product, {**bearer(small), "X-Team-Id": "other"})[0] for _ in range(4)]
    assert answers == [200, 200, 429, 429]
    assert call(product, {**bearer(other), "X-Team-Id": "small"})[0] == 200


def test_a_broken_file_leaves_the_keys_in_force(product: Any):
    text = keys(product, "new", "--name", "kept")
    assert until(product, bearer(text), 200)
    path = product.folder / "data" / "keys.json"
    good = path.read_bytes()
    path.write_text("{")
    time.sleep(2.5)
    assert call(product, bearer(text))[0] == 200
    assert "keys not reloaded" in product.printed()
    path.write_bytes(good)


def test_doctor_asks_with_a_key_and_says_so_when_it_has_none(product: Any):
    text = keys(product, "new", "--name", "doctor")
    assert until(product, bearer(text), 200)
    for token, wanted in ((text, "ok"), ("", "skip")):
        environ = {**product.environ, "HF_TOKEN": token}
        command = ["akto-proxy", "doctor", "--json"]
        run = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=180)
        found = {item["name"]: item for item in json.loads(run.stdout)["checks"]}
        assert found["guardrail"]["state"] == wanted, found["guardrail"]
        assert HF_TOKEN not in run.stdout
    assert "akto-proxy keys new" in found["guardrail"]["what"]


def test_neither_secret_is_anywhere_in_what_was_written(product: Any):
    text = keys(product, "new", "--name", "canary", "--days", "1")
    assert until(product, bearer(text), 200)
    time.sleep(4)  # traces travel: spool, shipper, collector, store
    assert product.stop() == 0
    files = [product.output, *(path for path in (product.folder / "data").rglob("*") if path.is_file())]
    assert len(files) > 4
    for path in files:
        data = path.read_bytes()
        assert HF_TOKEN.encode() not in data, path.name
        assert text.rpartition("-")[2].encode() not in data, path.name
    traces = subprocess.run(
        ["akto-proxy", "traces", "list", "--json"], env=product.environ, capture_output=True, text=True, timeout=60
    )
    assert text[:13] in traces.stdout, traces.stderr
