"""The collector's OpenAPI document: every route, what it takes, every status it answers with. Written, not derived.

Bodies are read by hand (spool frames, Akto's loose records), so a framework could derive nothing but names. A test asks
each route and holds its answers against this; `docs/schema/collector.openapi.json` is the same document as a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from akto_proxy.collector.intake import LINES_TYPE, SPOOL_TYPE

PATH = "/v1/openapi.json"
Tree = dict[str, Any]

_WORDS = {
    200: "Done.", 204: "No policy is set here.", 304: "Unchanged.", 400: "The body is not what it says it is.",
    401: "No token, or one that is unknown, revoked or expired.", 403: "The token's scope does not reach here.",
    404: "There is no such trace.", 413: "Too large; send smaller batches.",
    415: "A content type or encoding that is not read here.", 422: "A record cannot be read, or a field is missing.",
    429: "More than this token's share; wait Retry-After seconds.", 500: "The guard failed; nothing was allowed.",
    503: "The store, the guard or the line before them is not ready; try again.",
}  # fmt: skip
_BODY = (400, 413, 415)


def document() -> Tree:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "akto-agent-proxy collector",
            "version": "1",
            "description": "Batches of our proxies, and Akto's wire formats: records, verdicts, token check.",
        },
        "paths": {**_ours(), **_aktos()},
        "components": {"schemas": _schemas(), "securitySchemes": _schemes()},
        "security": [{"bearer": []}, {"bare": []}, {"key": []}],
    }


def _ours() -> Tree:
    batch = {
        SPOOL_TYPE: {"schema": {"type": "string", "format": "binary"}},
        LINES_TYPE: {"schema": {"type": "string", "description": "One trace (JSON) a line"}},
        "application/json": {"schema": _ref("Batch")},
    }
    writer = _header("X-Spool-Writer", "Name of the writer; needed with spool frames.")
    encoding = _header("Content-Encoding", "gzip, zstd or identity.")
    trace_id = {"name": "trace_id", "in": "path", "required": True, "schema": {"type": "string"}}
    health = {"get": {**_route("Is the process there? Needs no token.", {200: "Health"}, ()), "security": []}}
    policy = _route("The policy in force, with an ETag.", {}, (204, 304, 401, 403, 503))
    policy["responses"]["200"] = {
        "description": "The policy as YAML.",
        "content": {"application/yaml": {"schema": {"type": "string"}}},
    }
    measures = _route(
        "Blocked callers, stricter policies and learned limits in force, with an ETag.",
        {200: "Measures"},
        (304, 401, 403, 503),
    )
    return {
        "/v1/measures": {"get": measures},
        "/v1/traces": {
            "post": _route(
                "Keep a batch of traces. 200 means durable; the same batch again changes nothing.",
                {200: "Kept"},
                (*_BODY, 401, 403, 429, 503),
                body={"required": True, "content": batch},
                parameters=[writer, encoding],
            )
        },
        "/v1/traces/{trace_id}": {
            "get": _route("Has it arrived? No texts.", {200: "Arrived"}, (401, 403, 404, 503), parameters=[trace_id])
        },
        "/v1/policy": {"get": {**policy, "parameters": [_header("If-None-Match", "The ETag of the last answer.")]}},
        "/v1/proxies": {
            "post": _route(
                "What a proxy says of itself.", {200: "Accepted"}, (*_BODY, 401, 403, 503), body=_json("State")
            )
        },
        "/health": health,
        "/healthCheck": health,
        PATH: {"get": {**_route("This document. Needs no token.", {200: "Any"}, ()), "security": []}},
    }


def _aktos() -> Tree:
    flags = [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": about}
        for name, about in (
            ("guardrails", "`true`: a verdict about requestPayload"),
            ("response_guardrails", "`true`: a verdict about responsePayload"),
            ("ingest_data", "`true`: keep the record (scope `ingest`)"),
            ("akto_connector", "who sends"),
        )
    ]
    verdict = _route(
        "A verdict and the record kept, in one call.",
        {200: "ProxyAnswer"},
        (401, 403),
        body=_json("Record"),
        parameters=flags,
        failures=("ProxyFailure", (*_BODY, 422, 429, 500, 503)),
    )
    check = _route("Is the token good?", {200: "Success"}, (401, 403, 503))
    validate = (*_BODY, 401, 403, 422, 429, 500, 503)
    return {
        "/api/ingestData": {
            "post": _route(
                "Keep observed exchanges; decisions are what would have been done.",
                {200: "Ingested"},
                (400, 401, 403, 413, 415, 429, 500, 503),
                body=_json("Records"),
                failures=("IngestFailure", (422,)),
            )
        },
        "/api/http-proxy": {"post": verdict, "get": {**verdict, "summary": "The same; some connectors send a GET."}},
        "/api/validate/request": {
            "post": _route("A verdict about `requestPayload`.", {200: "Result"}, validate, body=_json("Record"))
        },
        "/api/validate/response": {
            "post": _route("A verdict about `responsePayload`.", {200: "Result"}, validate, body=_json("Record"))
        },
        "/api/auth-check": {"post": check, "get": check},
    }


def _route(
    summary: str,
    good: Mapping[int, str],
    bad: tuple[int, ...],
    *,
    body: Tree | None = None,
    parameters: list[Tree] | None = None,
    failures: tuple[str, tuple[int, ...]] = ("", ()),
) -> Tree:
    answers = {str(status): _answer(status, schema) for status, schema in good.items()}
    answers |= {str(status): _answer(status, "Problem" if status >= 400 else "") for status in bad}
    answers |= {str(status): _answer(status, failures[0]) for status in failures[1]}
    made: Tree = {"summary": summary, "responses": dict(sorted(answers.items()))}
    if body is not None:
        made["requestBody"] = body
    if parameters:
        made["parameters"] = parameters
    return made


def _answer(status: int, schema: str) -> Tree:
    made: Tree = {"description": _WORDS[status]}
    if schema:
        made["content"] = {"application/json": {"schema": _ref(schema)}}
    return made


def _json(schema: str) -> Tree:
    return {"required": True, "content": {"application/json": {"schema": _ref(schema)}}}


def _ref(schema: str) -> Tree:
    return {"$ref": f"#/components/schemas/{schema}"}


def _header(name: str, about: str) -> Tree:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": about}


def _schemes() -> Tree:
    return {
        "bearer": {"type": "http", "scheme": "bearer"},
        "bare": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "As connectors send it."},
        "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    }  # fmt: skip


def _object(required: str = "", **properties: Any) -> Tree:
    return {"type": "object", "required": required.split(), "properties": properties}


def _schemas() -> Tree:
    text, flag, count, real = ({"type": kind} for kind in ("string", "boolean", "integer", "number"))
    loose: Tree = {"description": "A string; numbers, objects and null are read too."}
    fields = (
        "path method requestHeaders responseHeaders requestPayload responsePayload payload ip time statusCode status "
        "tag _guardrail"
    )
    record = {"type": "object", "properties": dict.fromkeys(fields.split(), loose)}
    success = {"const": True}
    return {
        "Any": {"type": "object"},
        "Problem": _object("error", error=text),
        "Health": _object("status success", status=text, success=success),
        "Batch": _object("traces", traces={"type": "array", "items": {"type": "object"}}),
        "Kept": _object(
            "accepted rejected",
            accepted=count,
            rejected={"type": "array", "items": _object("number reason", number=count, reason=text)},
        ),
        "Arrived": _object("id started outcome verdict", id=text, started=real, outcome=text, verdict=text),
        "State": _object(
            "name", name=text, version=text, policy_version=text, lag=count, lag_seconds=real, dropped=count,
        ),
        "Measures": _object(
            "blocks overrides limits",
            blocks={"type": "array", "items": {"type": "array", "description": "Field, value, end (Unix seconds)."}},
            overrides={"type": "array", "items": _object("policy do until", policy=text, do=text, until=real)},
            limits={"type": "array", "items": _object("slot limit", slot=count, limit={"type": "object"})},
        ),
        "Accepted": _object("accepted", accepted=success),
        "Success": _object("success", success=success),
        "Record": record,
        "Records": _object("batchData", batchData={"type": "array", "items": _ref("Record")}),
        "Ingested": _object("success result message processed",
                            success=success, result=text, message=text, processed=count),
        "IngestFailure": _object("success message actionErrors", success={"const": False}, message=text,
                                 actionErrors={"type": "array", "items": text}),
        "Result": _object(
            "Allowed Modified ModifiedPayload Reason Metadata behaviour",
            Allowed={**flag, "description": "false only where the caller must block"}, Modified=flag,
            ModifiedPayload=text, Reason=text, Metadata={"type": "object"},
            behaviour={"enum": ["allow", "alert", "mask", "block"]},
        ),
        "ProxyAnswer": _object("success message data", success=success, message=text,
                               data=_object("success", success=success, message=text, guardrailsResult=_ref("Result"))),
        "ProxyFailure": _object("success message data", success={"const": False}, message=text,
                                data=_object("error", error=text)),
    }  # fmt: skip
