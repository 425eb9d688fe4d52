"""An OpenID Connect provider on loopback for the tests: code flow with PKCE, client secret and nonce, signed tokens.

With `asks` it has a page of its own where people sign in and agree or decline, as a browser meets it; without, its one
user always agrees. `claims` are put over those of the id token.
"""

from __future__ import annotations

import base64
import hashlib
import html
import threading
import time
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests_support import free_port

CLIENT, SECRET = "dash", "secret"
PASSWORD = "the password at the provider"
PAGE = """<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,">
<h1>Provider</h1><p>{problem}</p>
<form method="post" action="/authorize?{query}"><input name="name" aria-label="Name">
<input name="password" type="password" aria-label="Password">
<button name="do" value="allow">Allow</button> <button name="do" value="deny">Deny</button></form>"""


class Issuer:
    """The provider. `redirect` is the only address it sends anybody back to."""

    def __init__(self, redirect: str, *, asks: bool = False) -> None:
        self.redirect = redirect
        self.asks = asks
        self.holds = False
        """Whether the browser is shown where it would be sent instead of being sent there."""
        self.url = ""
        self.claims: dict[str, Any] = {}
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.signing = self.key
        self.codes: dict[str, dict[str, str]] = {}
        self._server: uvicorn.Server | None = None

    def start(self, host: str = "127.0.0.1") -> None:
        """Serve; `host` is its name in addresses, so that a browser may take it for another site than ours."""
        port = free_port()
        self.url = f"http://{host}:{port}"
        self._server = uvicorn.Server(uvicorn.Config(self.app(), host="127.0.0.1", port=port, log_level="error"))
        threading.Thread(target=self._server.run, daemon=True).start()
        while not self._server.started:
            time.sleep(0.02)

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/authorize", self.authorize, methods=["GET", "POST"]),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", lambda request: JSONResponse({"keys": [self.key.as_dict(private=False)]})),
            ]
        )

    async def discovery(self, request: Request) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({"issuer": self.url, **{key: f"{self.url}/{path}" for key, path in names.items()}})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["redirect_uri"] == self.redirect
        assert asked["code_challenge_method"] == "S256"
        if self.asks:
            form = dict(await request.form()) if request.method == "POST" else {}
            if form.get("do") == "deny":
                return self._back(error="access_denied", state=asked["state"])
            if form.get("password") != PASSWORD:
                problem = "That is not right." if form else "Who are you?"
                return HTMLResponse(PAGE.format(problem=problem, query=html.escape(urlencode(asked))))
            asked["name"] = str(form["name"])
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return self._back(code=code, state=asked["state"])

    def _back(self, **answer: str) -> Response:
        target = f"{self.redirect}?{urlencode(answer)}"
        if self.holds:
            return HTMLResponse(f"<!doctype html><title>Held</title><p id=target>{html.escape(target)}")
        return RedirectResponse(target, status_code=303)

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or basic != f"{CLIENT}:{SECRET}" or challenge != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "1",
            "exp": int(time.time()) + 60,
            "nonce": asked["nonce"],
            "email": asked.get("name", "ada@acme.example"),
            "email_verified": True,
            "groups": ["staff", "security"],
            **self.claims,
        }
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.signing)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})
