"""The measures in force, for proxies that run apart from their server: who is blocked, which policies are stricter,
which learned limits hold.

A proxy asks twice a second, so the answer has an ETag and is usually 304. It says nothing of why or by whom.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import Response

from akto_proxy.collector.access import INGEST, Access
from akto_proxy.limits.learned import rows_of
from akto_proxy.store.control import ControlStore
from akto_proxy.watch.learning import accepted
from akto_proxy.watch.respond import overrides

PATH = "/v1/measures"


def add_measures(app: FastAPI, access: Access, control: ControlStore, now: Callable[[], float]) -> None:
    """Add the route."""

    @app.get(PATH)
    async def measures(request: Request) -> Response:
        """Blocked callers, stricter policies, learned limits, with an ETag; 304 when they are the same."""
        await access.check(request, INGEST)
        data = orjson.dumps(await asyncio.to_thread(in_force, control, now()))
        tag = f'"{sha256(data).hexdigest()[:16]}"'
        headers = {"etag": tag, "cache-control": "no-cache"}
        if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        return Response(data, 200, headers, "application/json")


def in_force(control: ControlStore, now: float) -> dict[str, Any]:
    """`blocks`: [field, value, until]; `overrides`: {policy, do, until}; those whose time is not over; `limits`: {slot,
    limit}.
    """
    return {
        "blocks": sorted([item.field, item.value, item.until] for item in control.blocks() if item.until > now),
        "overrides": [
            {"policy": item.policy, "do": item.do, "until": item.until}
            for item in overrides(control)
            if item.until > now
        ],
        "limits": rows_of(accepted(control)),
    }
