"""Gathers facts about the servers that take traces: are they there, is the token good, does a trace come back?"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from akto_proxy.doctor import http
from akto_proxy.doctor.facts import HttpFacts, Target, TraceFacts
from akto_proxy.model import Trace
from akto_proxy.proxy.akto_form import to_item

LINES = "application/x-ndjson"
CANNOT_ASK = "cannot be asked"


@dataclass(frozen=True, slots=True)
class Ingestion:
    """A server that takes traces. `form` is `collector` or `akto`; `own` says that it is this deployment's."""

    target: Target
    token: str
    form: str
    own: bool


def target_of(url: str, ca_file: str = "", *, verify: bool = True) -> Target:
    """A URL as a Target."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Target(parts.scheme, parts.hostname or "", port, parts.path.rstrip("/"), ca_file=ca_file, verify=verify)


def health(server: Ingestion, timeout: float) -> HttpFacts:
    """Does it answer at all?"""
    return http.call(server.target, "GET", "/health", timeout=timeout)


def auth(server: Ingestion, timeout: float) -> HttpFacts:
    """Is the token good? An Akto server wants it bare, some versions with `Bearer`."""
    found = _post(server, "/api/auth-check", b"{}", "application/json", timeout)
    if found.status == 401 and server.form == "akto":
        bearer = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        return http.call(server.target, "POST", "/api/auth-check", headers=bearer, body=b"{}", timeout=timeout)
    return found


def send(server: Ingestion, trace: Trace, timeout: float) -> HttpFacts:
    """Send one trace."""
    if server.form == "akto":
        body = orjson.dumps({"batchData": [to_item(trace)]})
        return _post(server, "/api/ingestData", body, "application/json", timeout)
    return _post(server, "/v1/traces", orjson.dumps(trace) + b"\n", LINES, timeout)


def find(
    server: Ingestion, trace_id: str, seconds: float, timeout: float, sleep: Callable[[float], None] = time.sleep
) -> TraceFacts:
    """Ask for a trace until it is there or `seconds` are over."""
    if server.form == "akto":
        return TraceFacts(error=CANNOT_ASK)
    began = time.monotonic()
    while True:
        answer = http.call(server.target, "GET", f"/v1/traces/{trace_id}", headers=_bearer(server), timeout=timeout)
        took = time.monotonic() - began
        if answer.status == 200:
            return _found(answer, took)
        if answer.status != 404 or took > seconds:
            return TraceFacts(error=answer.error or _why(answer.status), seconds=took)
        sleep(0.2)


def _why(status: int) -> str:
    return "not there" if status == 404 else f"status {status}"


def _found(answer: HttpFacts, took: float) -> TraceFacts:
    try:
        tree = orjson.loads(answer.body)
        return TraceFacts(True, str(tree["outcome"]), str(tree["verdict"]), seconds=took)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return TraceFacts(error="the address answers, but not as our server does", seconds=took)


def _bearer(server: Ingestion) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}


def _post(server: Ingestion, path: str, body: bytes, kind: str, timeout: float) -> HttpFacts:
    token = server.token if server.form == "akto" else f"Bearer {server.token}"
    headers = {"Authorization": token, "Content-Type": kind}
    return http.call(server.target, "POST", path, headers=headers, body=body, timeout=timeout)
