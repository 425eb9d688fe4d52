"""The routes Akto's connectors call, with the meanings they need: `success` true on success, 422 for a bad record.

A verdict that cannot be given is never "allowed": without a guard the answer is 503, and the connector's own fail mode
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request, Response

from akto_proxy.collector.access import GUARD, INGEST, Access
from akto_proxy.collector.akto import Item, batch_items, item, merged, result, stable_id, to_trace, unwrap
from akto_proxy.collector.body import answer, parse_json, read_body
from akto_proxy.collector.intake import Batch, Intake
from akto_proxy.collector.judge import Busy, JudgeLine, Verdict
from akto_proxy.collector.problem import Problem
from akto_proxy.model import Direction
from akto_proxy.store.control import Token
from akto_proxy.store.face import Entry

_TRUE = ("true", "1", "yes")
_MAX_CONNECTOR = 100


class AktoRoutes:
    """Akto's endpoints over our parts. `line` is None where no guard is joined."""

    def __init__(
        self,
        access: Access,
        intake: Intake,
        line: JudgeLine | None,
        now: Callable[[], float],
        random: Callable[[int], bytes],
        limit: int,
        unpacked: int,
    ) -> None:
        self._access, self._intake, self._line = access, intake, line
        self._now, self._random, self._limit, self._unpacked = now, random, limit, unpacked

    def add(self, app: FastAPI) -> None:
        """Put the routes on the app."""
        app.post("/api/ingestData")(self.ingest)
        app.post("/api/http-proxy")(self.http_proxy)
        app.get("/api/http-proxy", include_in_schema=False)(self.http_proxy)
        app.post("/api/validate/request")(self.validate_request)
        app.post("/api/validate/response")(self.validate_response)
        app.post("/api/auth-check")(self.auth_check)
        app.get("/api/auth-check")(self.auth_check)

    async def auth_check(self, request: Request) -> Response:
        """Whether the token is good."""
        await self._access.check(request, INGEST, GUARD)
        return answer({"success": True})

    async def ingest(self, request: Request) -> Response:
        """Keep a batch of observed exchanges: `{"batchData": [...]}`."""
        token = await self._access.check(request, INGEST)
        data = await read_body(request, limit=self._limit, unpacked=self._unpacked)
        try:
            items = batch_items(parse_json(data), self._now())
        except (ValueError, Problem) as error:
            return answer({"success": False, "message": str(error), "actionErrors": [str(error)]}, 422)
        self._access.spend(token, len(items), len(data))
        batch = Batch()
        for found in items:
            verdicts = await self._verdicts(found, Direction.REQUEST, Direction.RESPONSE) if self._line else {}
            batch.entries.append(self._entry(found, verdicts, _connector(request), enforced=False))
        await self._intake.put(batch)
        return answer({"success": True, "result": "SUCCESS", "message": "ok", "processed": len(items)})

    async def http_proxy(self, request: Request) -> Response:
        """A verdict, and the record kept, in one call: `guardrails`, `response_guardrails`, `ingest_data`."""
        flags = {name: value.lower() in _TRUE for name, value in request.query_params.items()}
        asked = [
            side
            for side, name in ((Direction.REQUEST, "guardrails"), (Direction.RESPONSE, "response_guardrails"))
            if flags.get(name)
        ]
        keep = flags.get("ingest_data", False)
        scopes = (INGEST,) if keep else (INGEST, GUARD)
        token = await self._access.check(request, *scopes)
        try:
            found = await self._item(request, token)
            if not found.request:
                raise Problem(422, "Missing required field: requestPayload")
            if flags.get("file_guardrails"):
                raise Problem(422, "attachments are not checked here")
            verdicts = await self._verdicts(found, *asked)
            data = _data(found, verdicts)
            if keep:
                entry = self._entry(found, verdicts, _connector(request), enforced=bool(asked))
                await self._intake.put(Batch([entry]))
        except Problem as problem:
            body = {"success": False, "message": problem.message, "data": {"error": problem.message}}
            return answer(body, problem.status, problem.headers)
        return answer({"success": True, "message": "Request processed successfully", "data": data})

    async def validate_request(self, request: Request) -> Response:
        """A verdict about `requestPayload` (or `payload`)."""
        return await self._validate(request, Direction.REQUEST)

    async def validate_response(self, request: Request) -> Response:
        """A verdict about `responsePayload` (or `payload`)."""
        return await self._validate(request, Direction.RESPONSE)

    async def _validate(self, request: Request, side: Direction) -> Response:
        token = await self._access.check(request, INGEST, GUARD)
        found = await self._item(request, token)
        payload = found.request if side is Direction.REQUEST else found.response or found.request
        if not payload:
            empty = result(Verdict(), unwrap(""))
            return answer({**empty, "Reason": f"No {side.value} body provided"})
        verdict = await self._judge(payload, side)
        return answer(result(verdict, unwrap(payload)))

    async def _item(self, request: Request, token: Token) -> Item:
        data = await read_body(request, limit=self._limit, unpacked=self._unpacked)
        value = parse_json(data)
        if not isinstance(value, dict):
            raise Problem(422, "expected a JSON object")
        self._access.spend(token, 1, len(data))
        return item(value, self._now())

    async def _verdicts(self, found: Item, *sides: Direction) -> dict[Direction, Verdict]:
        payloads = {Direction.REQUEST: found.request, Direction.RESPONSE: found.response}
        return {side: await self._judge(payloads[side], side) for side in sides if payloads[side]}

    async def _judge(self, payload: str, side: Direction) -> Verdict:
        if self._line is None:
            raise Problem(503, "no guard is joined to this collector, so it gives no verdicts")
        try:
            return await self._line(unwrap(payload).payload, side)
        except Busy:
            raise Problem(503, "too many verdicts are waiting", headers={"retry-after": "1"}) from None
        except Exception as error:  # noqa: BLE001 - whatever failed, the connector must never take it for "allowed"
            raise Problem(500, f"the guard failed: {type(error).__name__}") from None

    def _entry(self, found: Item, verdicts: Mapping[Direction, Verdict], connector: str, *, enforced: bool) -> Entry:
        trace_id = stable_id(found, self._random(10))
        return Entry(to_trace(found, verdicts, trace_id=trace_id, connector=connector, enforced=enforced))


def _data(found: Item, verdicts: Mapping[Direction, Verdict]) -> dict[str, Any]:
    """The `data` of an http-proxy answer."""
    results = [
        result(verdict, unwrap(found.request if side is Direction.REQUEST else found.response))
        for side, verdict in verdicts.items()
    ]
    data: dict[str, Any] = {"success": True, "message": "Request processed successfully"}
    if len(results) == 2:
        data["guardrailsResult"] = merged(*results)
    elif results:
        data["guardrailsResult"] = results[0]
    return data


def _connector(request: Request) -> str:
    return request.query_params.get("akto_connector", "")[:_MAX_CONNECTOR]
