"""The routes that our own proxies call: traces in, the policy out, how a proxy is.

No text of a call goes out here: a token that may write may not read. Trade-off: a proxy asks for its policy again and
again, so that answer has an ETag and is usually 304.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from fastapi import FastAPI, Request, Response

from akto_proxy.collector.access import GUARD, INGEST, Access
from akto_proxy.collector.body import answer, parse_json, read_body
from akto_proxy.collector.intake import Intake, parse
from akto_proxy.collector.problem import Problem
from akto_proxy.store.control import ControlStore, ProxyHealth
from akto_proxy.store.face import TraceStore

_REPORT = 65536  # bytes of what a proxy says of itself
_NAMED = 1000  # bad records that an answer names


class ProxyRoutes:
    """The proxies' endpoints over our parts. `body` and `unpacked` bound a batch, in bytes."""

    def __init__(
        self,
        store: TraceStore,
        control: ControlStore,
        access: Access,
        intake: Intake,
        now: Callable[[], float],
        arrived: Callable[[], None],
        body: int,
        unpacked: int,
    ) -> None:
        self._store, self._control, self._access, self._intake = store, control, access, intake
        self._now, self._arrived, self._body, self._unpacked = now, arrived, body, unpacked

    def add(self, app: FastAPI) -> None:
        """Put the routes on the app."""
        app.post("/v1/traces")(self.traces)
        app.get("/v1/traces/{trace_id}")(self.trace)
        app.get("/v1/policy")(self.policy)
        app.post("/v1/proxies")(self.proxies)

    async def traces(self, request: Request) -> Response:
        """Keep a batch of traces. Answers 200 once they are durable; the same batch again changes nothing."""
        token = await self._access.check(request, INGEST)
        data = await read_body(request, limit=self._body, unpacked=self._unpacked)
        batch = parse(request.headers.get("content-type", ""), request.headers.get("x-spool-writer", ""), data)
        self._access.spend(token, batch.records, len(data))
        await self._intake.put(batch)
        rejected = [{"number": number, "reason": reason} for number, reason in batch.bad[:_NAMED]]
        return answer({"accepted": batch.records, "rejected": rejected})

    async def trace(self, trace_id: str, request: Request) -> Response:
        """Whether a trace has arrived; no texts."""
        await self._access.check(request, INGEST)
        found = await asyncio.to_thread(self._store.get, trace_id)
        if found is None:
            raise Problem(404, "no such trace")
        return answer(
            {"id": found.id, "started": found.started, "outcome": found.outcome, "verdict": found.verdict.label}
        )

    async def policy(self, request: Request) -> Response:
        """The policy in force as YAML, with an ETag; 304 when it is still the same, 204 when none was set here."""
        await self._access.check(request, INGEST, GUARD)
        version = await asyncio.to_thread(self._control.active)
        if version is None:
            return Response(status_code=204, headers={"etag": '"none"'})
        tag = f'"{version.number}-{sha256(version.text.encode()).hexdigest()[:16]}"'
        headers = {"etag": tag, "x-policy-version": str(version.number), "cache-control": "no-cache"}
        if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        return Response(version.text, 200, headers, "application/yaml")

    async def proxies(self, request: Request) -> Response:
        """What a proxy says of itself: name, version, policy_version, policy_problem, lag, lag_seconds, dropped."""
        await self._access.check(request, INGEST)
        data = parse_json(await read_body(request, limit=_REPORT, unpacked=_REPORT))
        await asyncio.to_thread(self._control.keep_health, _health(data, self._now()))
        self._arrived()
        return answer({"accepted": True})


def _health(data: object, now: float) -> ProxyHealth:
    if not isinstance(data, dict) or not isinstance(data.get("name"), str) or not data["name"]:
        raise Problem(400, 'expected {"name": "...", ...}')
    try:
        return ProxyHealth(
            data["name"][:320],
            now,
            str(data.get("version", ""))[:100],
            str(data.get("policy_version", ""))[:100],
            int(_count(data.get("lag", 0))),
            _count(data.get("lag_seconds", 0.0)),
            int(_count(data.get("dropped", 0))),
            str(data.get("policy_problem", ""))[:500],
        )
    except (TypeError, ValueError):
        raise Problem(400, "lag, lag_seconds and dropped must be numbers from 0 to 2^53") from None


def _count(value: Any) -> float:
    number = float(value)
    if not 0 <= number <= 1 << 53:
        raise ValueError("count")
    return number
