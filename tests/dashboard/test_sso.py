"""Single sign-on against a provider that runs on loopback and asks for PKCE, the client secret and the nonce."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.dashboard.sso import Provider
from akto_proxy.store.control import Person
from tests_issuer import Issuer

REDIRECT = "http://dash.test/oidc/callback"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer(REDIRECT)
    issuer.start()
    yield issuer
    issuer.stop()


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


def test_somebody_who_declines_is_told_so_and_stays_outside(client: TestClient) -> None:
    answer = client.get("/oidc/callback", params={"error": "access_denied", "error_description": "<b>evil</b>"})
    assert answer.status_code == 401
    assert "did not sign you in" in answer.text
    assert "evil" not in answer.text
    assert client.get("/traces").status_code == 303
