"""What holds for every answer and every request before any route is chosen: headers, body limit, origin, host.

The content security policy allows no inline script or style, no outside address and no frame. Requests that change
something must come from our own pages: `Sec-Fetch-Site` or `Origin` must say so (and the route's gate asks for a
token besides). Nothing here reads `request.url`, which is built from the caller's Host header.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PROBES = frozenset({"/healthz", "/readyz"})
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
MAX_BODY = 4 << 20
"""Bytes of a request: a policy file may have 1 MiB, forms and JSON carry it escaped."""


class Shield:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] = frozenset(), https: bool = False) -> None:
        self._app = app
        self._hosts = hosts
        self._https = https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let pass, or answer at once."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = self._headers(send)
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, answer)
            return
        await self._app(scope, _bounded(receive), answer)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if scope["path"] not in PROBES and not self._served(host):  # a prober asks by an address of its own
            return _refuse(421, "this host name is not served here: set DASHBOARD_URL to the address that people use")
        if scope["method"] not in SAFE and not same_origin(headers, host):
            return _refuse(403, "this request did not come from a page of this dashboard")
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MAX_BODY:
            return _refuse(413, f"the body is larger than {MAX_BODY} bytes")
        return None

    def _served(self, host: str) -> bool:
        return not self._hosts or not self._hosts.isdisjoint((host.lower(), host.rsplit(":", 1)[0].lower()))

    def _headers(self, send: Send) -> Send:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                if self._https:
                    headers.setdefault("strict-transport-security", "max-age=31536000")
            await send(message)

        return with_headers


def same_origin(headers: Headers, host: str) -> bool:
    """Whether a browser says that one of our own pages sent this. Programs send neither header and hold a token."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host


def _bounded(receive: Receive) -> Receive:
    """The body, cut off (as if the client had gone) once it is larger than allowed, whatever its length header says."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > MAX_BODY else message

    return limited


def _refuse(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "refused"}}, status_code=status)
