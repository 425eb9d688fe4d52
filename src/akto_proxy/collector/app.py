"""The ingestion server: spool batches of our proxies and Akto's wire formats in, verdicts and the policy out.

One FastAPI app; `create_app` is given everything it needs. `OWNED` lists the paths it answers, so that a page server
may stand on the same port. Every route asks for a token but `/health`; what cannot be checked is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from fastapi import FastAPI, Request, Response

from akto_proxy.collector.access import Access
from akto_proxy.collector.akto_routes import AktoRoutes
from akto_proxy.collector.body import answer
from akto_proxy.collector.describe import PATH, document
from akto_proxy.collector.intake import Intake
from akto_proxy.collector.judge import Judge, JudgeLine
from akto_proxy.collector.measures import PATH as MEASURES
from akto_proxy.collector.measures import add_measures
from akto_proxy.collector.problem import Problem
from akto_proxy.collector.proxy_routes import ProxyRoutes
from akto_proxy.errors import StorageError
from akto_proxy.store.control import ControlStore
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
    add_measures(app, access, control, now)
    ProxyRoutes(store, control, access, intake, now, arrived, limits.body, limits.unpacked).add(app)
    app.get("/health", operation_id="health")(_alive)
    app.get("/healthCheck", include_in_schema=False)(_alive)
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


async def _problem(_request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Problem)
    return answer({"error": problem.message}, problem.status, problem.headers)


async def _storage(_request: Request, _error: Exception) -> Response:
    return answer({"error": "the database cannot be reached now"}, 503, {"retry-after": "5"})


async def _alive() -> Response:
    """Whether the process answers. No token needed, nothing said about what is kept."""
    return answer({"status": "ok", "success": True})
