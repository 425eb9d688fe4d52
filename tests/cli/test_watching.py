"""From a blocked call to somebody who hears of it, in the running product."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akto_proxy.cli.watching import Parts, Watching
from akto_proxy.store.control import ProxyHealth
from akto_proxy.store.control_sql import SqlControlStore
from akto_proxy.store.sqlite import SqliteStore
from akto_proxy.watch.desk import Desk
from akto_proxy.watch.notify.courier import Courier
from akto_proxy.watch.respond import Responder
from akto_proxy.watch.schema import AlertConfig
from akto_proxy.watch.watch import Watch

WITHIN = 2.0
SLACK = 3.0
"""What a machine that runs eight other things may take longer."""

POLICY = """
version: 1
policies:
  - {name: hard, severity: high, action: block, rules: [{detect: pii}]}
"""
SETTINGS = """
notify:
  - {{name: hook, kind: webhook, url: "http://127.0.0.1:{port}/", secret: "s3cret", allow_private: true}}
"""
MAIL = "jo.smith@corp-example.com"


class _Hook(http.server.BaseHTTPRequestHandler):
    heard: list[tuple[float, bytes]] = []  # noqa: RUF012  one list for the one server of this test

    def do_POST(self) -> None:
        self.heard.append((time.monotonic(), self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.slow
def test_a_blocked_call_is_told_within_two_seconds_and_without_its_text(
    start_product: Callable[..., Any], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    hook = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    (tmp_path / "policy.yaml").write_text(POLICY)
    (tmp_path / "settings.yaml").write_text(SETTINGS.format(port=hook.server_address[1]))
    product = start_product(
        "up", POLICY_FILE=str(tmp_path / "policy.yaml"), AKTO_PROXY_CONFIG=str(tmp_path / "settings.yaml"), TOUR="false"
    )
    until = time.monotonic() + 60
    while not _answers(product.server + "/health") and time.monotonic() < until:
        time.sleep(0.1)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"write to {MAIL}"}]}).encode()
    request = urllib.request.Request(
        product.proxy + "/v1/chat/completions", body, {"Content-Type": "application/json", "X-User-Id": "eve"}
    )
    began = time.monotonic()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 400
    while not _Hook.heard and time.monotonic() - began < 30:
        time.sleep(0.02)
    hook.shutdown()
    at, told = _Hook.heard[0]
    record_property("seconds", round(at - began, 2))
    assert at - began < WITHIN + SLACK
    assert MAIL.encode() not in told
    incident = json.loads(told)["incident"]
    assert (incident["severity"], incident["count"]) == ("high", 1)
    assert incident["trace_ids"]


def test_what_arrives_is_looked_at_when_it_arrives_and_not_at_the_next_turn(tmp_path: Path) -> None:
    control = SqlControlStore(f"sqlite:///{tmp_path / 'control.db'}", random=os.urandom)
    numbers = itertools.count(1)
    parts = Parts(
        traces=SqliteStore(tmp_path / "traces.db"),
        control=control,
        watch=Watch(),
        desk=Desk(AlertConfig(), control, lambda: f"{next(numbers):032x}"),
        courier=Courier((), control.add_delivery, now=time.time, random=os.urandom),
        responder=Responder(control, os.urandom),
        folder=tmp_path,
        now=time.time,
        poll=60.0,
    )
    watch = Watching(parts)
    watch.start()
    time.sleep(0.7)
    control.keep_health(ProxyHealth("p", time.time(), dropped=3))
    watch.wake()
    until = time.monotonic() + 20
    while not control.incidents() and time.monotonic() < until:
        time.sleep(0.02)
    watch.stop()
    assert [item.subject for item in control.incidents()] == ["proxy p"]
