"""Single sign-on against a provider that runs on loopback and asks for PKCE, the client secret and the nonce."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.sso import Provider
from akto_proxy.store.control import Person

REDIRECT = "http://dash.test/oidc/callback"


class Issuer:
    """An OpenID Connect provider with one user, who always agrees. `claims` are put over those of the id token."""

    def __init__(self) -> None:
        self.url = ""
        self.claims: dict[str, Any] = {}
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.signing = self.key
        self.codes: dict[str, dict[str, str]] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", lambda request: JSONResponse({"keys": [self.key.as_dict(private=False)]})),
            ]
        )

    async def discovery(self, request: Request) -> Response:
        names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({"issuer": self.url, **{key: f"{self.url}/{path}" for key, path in names.items()}})

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["redirect_uri"] == REDIRECT
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}")

    async def token(self, request: Request) -> Response:
        form = await request.form()
        asked = self.codes.pop(str(form["code"]), None)
        basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or basic != "dash:secret" or challenge != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        claims = {
            "iss": self.url,
            "aud": "dash",
            "sub": "1",
            "exp": int(time.time()) + 60,
            "nonce": asked["nonce"],
            "email": "ada@acme.example",
            "email_verified": True,
            "groups": ["staff", "security"],
            **self.claims,
        }
        token = jwt.encode({"alg": "RS256", "kid": "k1"}, claims, self.signing)
        return JSONResponse({"access_token": "a", "token_type": "Bearer", "id_token": token})


@pytest.fixture
def issuer(sample: ModuleType) -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.url, stop = sample.serve(issuer.app())
    yield issuer
    stop()


@pytest.fixture
def client(issuer: Issuer, store: Any, control: Any, workshop: Any) -> TestClient:
    import secrets

    roles = (("security", "analyst"), ("owners", "admin"))
    provider = Provider(issuer.url, "dash", "secret", REDIRECT, "ACME", roles=roles)
    app = create_app(
        traces=store,
        control=control,
        workshop=workshop,
        clock=time.time,
        randomness=secrets.token_bytes,
        provider=provider,
    )
    return TestClient(app, base_url="http://dash.test", follow_redirects=False)


def walk(client: TestClient, target: str = "/traces") -> Any:
    """Through the provider and back: the answer of our callback."""
    start = client.get("/oidc/start", params={"next": target})
    assert start.status_code == 303, start.text
    back = httpx.get(start.headers["location"], follow_redirects=False).headers["location"]
    parts = urlsplit(back)
    return client.get(parts.path, params={key: values[0] for key, values in parse_qs(parts.query).items()})


def test_somebody_the_provider_vouches_for_comes_in(client: TestClient, control: Any) -> None:
    assert "ACME" in client.get("/login").text
    answer = walk(client, "/activity")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/activity"
    person = control.person("ada@acme.example")
    assert (person.role, person.source, person.password) == ("analyst", "oidc", "")
    assert client.get("/activity").status_code == 200
    assert client.get("/settings/people").status_code == 403


def test_the_role_follows_the_provider(client: TestClient, issuer: Issuer, control: Any) -> None:
    walk(client)
    issuer.claims = {"groups": ["owners"]}
    walk(client)
    assert control.person("ada@acme.example").role == "admin"
    issuer.claims = {"groups": []}
    walk(client)
    assert control.person("ada@acme.example").role == "viewer"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"iss": "http://evil.test"},
        {"nonce": "replayed"},
        {"exp": 1},
        {"email_verified": False},
        {"email": None},
    ],
)
def test_what_does_not_fit_is_refused(claims: dict[str, Any], client: TestClient, issuer: Issuer) -> None:
    issuer.claims = claims
    assert walk(client).status_code == 401
    assert client.get("/traces").status_code == 303


def test_a_token_of_another_key_is_refused(client: TestClient, issuer: Issuer) -> None:
    issuer.signing = RSAKey.generate_key(2048, {"kid": "k1"})
    assert walk(client).status_code == 401


def test_a_state_from_elsewhere_is_refused(client: TestClient) -> None:
    start = client.get("/oidc/start")
    back = urlsplit(httpx.get(start.headers["location"]).headers["location"])
    query = {key: values[0] for key, values in parse_qs(back.query).items()}
    client.cookies.clear()  # the browser of somebody else
    assert client.get(back.path, params=query).status_code == 401


def test_a_local_account_is_not_taken_over(client: TestClient, control: Any) -> None:
    control.keep_person(Person("ada@acme.example", "admin", "hash"))
    assert walk(client).status_code == 401
    assert control.person("ada@acme.example").source == "local"


def test_without_a_provider_there_is_no_way_in(stranger: TestClient) -> None:
    assert stranger.get("/oidc/start").status_code == 404
    assert stranger.get("/oidc/callback?state=x&code=y").status_code == 404
