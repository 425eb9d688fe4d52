"""The ingestion server: spool batches of our proxies and Akto's wire formats in, verdicts and the policy out.

One FastAPI app; `create_app` is given everything it needs. `OWNED` lists the paths it answers, so that a page server
may stand on the same port. Every route asks for a token but `/health`; what cannot be checked is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response

from akto_proxy.collector.access import GUARD, INGEST, Access
from akto_proxy.collector.akto_routes import AktoRoutes
from akto_proxy.collector.body import parse_json, read_body
from akto_proxy.collector.describe import PATH, document
from akto_proxy.collector.intake import Intake, parse
from akto_proxy.collector.judge import Judge, JudgeLine
from akto_proxy.collector.measures import PATH as MEASURES
from akto_proxy.collector.measures import add_measures
from akto_proxy.collector.problem import Problem
from akto_proxy.errors import StorageError
from akto_proxy.store.control import ControlStore, ProxyHealth
from akto_proxy.store.face import Retention, TraceStore

_log = structlog.get_logger("akto_proxy.collector")
SWEEP_EVERY = 3600.0
"""Seconds between two looks at retention."""

OWNED = (
    "/v1/traces",
    "/v1/policy",
    "/v1/proxies",
    MEASURES,
    "/api/ingestData",
    "/api/http-proxy",
    "/api/validate/request",
    "/api/validate/response",
    "/api/auth-check",
    "/health",
    "/healthCheck",
    PATH,
)
"""Paths (and `/v1/traces/{id}`) that are the collector's."""


@dataclass(frozen=True, slots=True)
class CollectorLimits:
    """Bytes on the wire and unpacked, records in line, verdicts in line, and each token's share a second (0: any)."""

    body: int = 16 << 20
    unpacked: int = 64 << 20
    waiting: int = 50_000
    judging: int = 256
    token_records: int = 0
    token_bytes: int = 0


def create_app(
    store: TraceStore,
    control: ControlStore,
    *,
    now: Callable[[], float],
    random: Callable[[int], bytes],
    judge: Judge | None = None,
    local_token: str = "",
    retention: Retention = Retention(),  # noqa: B008 - frozen
    limits: CollectorLimits = CollectorLimits(),
    arrived: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The collector.

    Args:
        store: where traces go.
        control: tokens, the policy in force, health of proxies.
        now: Unix seconds.
        random: so many unpredictable bytes.
        judge: gives verdicts and masks what connectors send; without one the verdict routes answer 503 and bodies of
            Akto records are not kept.
        local_token: a secret of this deployment itself, accepted as an ingest token.
        retention: what to remove, looked at each hour while the app lives; the default keeps everything.
        limits: sizes and shares.
        arrived: called when traces or a proxy's report were kept, so that nobody need ask again and again.
    """
    access = Access(control, now=now, local=local_token, records=limits.token_records, size=limits.token_bytes)
    intake = Intake(store, waiting=limits.waiting, arrived=arrived)
    line = JudgeLine(judge, limits.judging) if judge is not None else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(_sweep(store, retention, now))
        yield
        sweeper.cancel()
        await asyncio.to_thread(intake.close)
        if line is not None:
            line.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=PATH)
    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way to publish a document of one's own
    app.state.intake = intake
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(StorageError, _storage)
    _own_routes(app, store, control, access, intake, now, limits, arrived)
    AktoRoutes(access, intake, line, now, random, limits.body, limits.unpacked).add(app)
    return app


async def _sweep(store: TraceStore, retention: Retention, now: Callable[[], float]) -> None:
    while retention != Retention():
        try:
            removed = await asyncio.to_thread(store.sweep, retention, now())
            _log.info("retention", removed=removed)
        except StorageError as error:
            _log.error("retention", error=str(error))
        await asyncio.sleep(SWEEP_EVERY)


def answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(value), status, headers, "application/json")


async def _problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return answer({"error": problem.message}, problem.status, problem.headers)


async def _storage(_request: Request, _error: Exception) -> Response:
    return answer({"error": "the database cannot be reached now"}, 503, {"retry-after": "5"})


def _own_routes(
    app: FastAPI,
    store: TraceStore,
    control: ControlStore,
    access: Access,
    intake: Intake,
    now: Callable[[], float],
    limits: CollectorLimits,
    arrived: Callable[[], None],
) -> None:
    """Our own protocol."""
    add_measures(app, access, control, now)

    @app.post("/v1/traces")
    async def traces(request: Request) -> Response:
        """Keep a batch of traces. Answers 200 once they are durable; the same batch again changes nothing."""
        token = await access.check(request, INGEST)
        data = await read_body(request, limit=limits.body, unpacked=limits.unpacked)
        batch = parse(request.headers.get("content-type", ""), request.headers.get("x-spool-writer", ""), data)
        access.spend(token, batch.records, len(data))
        await intake.put(batch)
        rejected = [{"number": number, "reason": reason} for number, reason in batch.bad[:1000]]
        return answer({"accepted": batch.records, "rejected": rejected})

    @app.get("/v1/traces/{trace_id}")
    async def trace(trace_id: str, request: Request) -> Response:
        """Whether a trace has arrived; no texts."""
        await access.check(request, INGEST)
        found = await asyncio.to_thread(store.get, trace_id)
        if found is None:
            raise Problem(404, "no such trace")
        return answer(
            {"id": found.id, "started": found.started, "outcome": found.outcome, "verdict": found.verdict.label}
        )

    @app.get("/v1/policy")
    async def policy(request: Request) -> Response:
        """The policy in force as YAML, with an ETag; 304 when it is still the same, 204 when none was set here."""
        await access.check(request, INGEST, GUARD)
        version = await asyncio.to_thread(control.active)
        if version is None:
            return Response(status_code=204, headers={"etag": '"none"'})
        tag = f'"{version.number}-{sha256(version.text.encode()).hexdigest()[:16]}"'
        headers = {"etag": tag, "x-policy-version": str(version.number), "cache-control": "no-cache"}
        if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        return Response(version.text, 200, headers, "application/yaml")

    @app.post("/v1/proxies")
    async def proxies(request: Request) -> Response:
        """What a proxy says of itself: name, version, policy_version, policy_problem, lag, lag_seconds, dropped."""
        await access.check(request, INGEST)
        data = parse_json(await read_body(request, limit=65536, unpacked=65536))
        await asyncio.to_thread(control.keep_health, _health(data, now()))
        arrived()
        return answer({"accepted": True})

    @app.get("/health")
    @app.get("/healthCheck", include_in_schema=False)
    async def health() -> Response:
        """Whether the process answers. No token needed, nothing said about what is kept."""
        return answer({"status": "ok", "success": True})


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
