"""Single sign-on by OpenID Connect: the code flow with PKCE by authlib, id tokens checked by joserfc.

State, nonce and verifier wait here (bounded, ten minutes), bound to the browser by a cookie of their own. Endpoints and
keys come from the provider's discovery document over a client the operator's settings made, with a timeout. A person
who comes this way gets the role that the provider's claim says, or the lowest; local accounts of the same name are
never taken over.
"""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from akto_proxy.dashboard.roles import Role

with warnings.catch_warnings():
    # authlib 1.9 says at its import that it moves to httpx2; the operator who starts a server can do nothing about it.
    warnings.simplefilter("ignore", DeprecationWarning)
    from authlib.integrations.httpx_client import OAuth2Client

WAITS = 600.0
KEPT = 1_000
SECONDS = 10.0
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "PS256", "EdDSA")


class SsoError(Exception):
    """The provider's answer cannot be trusted or used; the message is for the person who signs in."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One OpenID Connect provider. `roles` maps a value of the claim `role_claim` to a role of ours."""

    issuer: str
    client_id: str
    client_secret: str
    redirect: str
    name: str = "single sign-on"
    role_claim: str = "groups"
    roles: tuple[tuple[str, str], ...] = ()
    default_role: str = "viewer"
    name_claim: str = "email"


@dataclass(frozen=True, slots=True)
class _Waiting:
    nonce: str
    verifier: str
    target: str
    since: float


class Sso:
    """Sign-in through one provider. Safe from any thread."""

    def __init__(self, provider: Provider, clock: Callable[[], float], *, transport: Any = None) -> None:
        self.provider = provider
        self._clock = clock
        self._transport = transport
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, target: str) -> tuple[str, str]:
        """Where to send the browser, and the state to bind to it."""
        config = self._discover()
        state, nonce, verifier = generate_token(43), generate_token(43), generate_token(64)
        with self._lock:
            self._waiting[state] = _Waiting(nonce, verifier, target, self._clock())
            while len(self._waiting) > KEPT:
                self._waiting.popitem(last=False)
        with self._client() as client:
            url, _ = client.create_authorization_url(
                config["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        return str(url), state

    def finish(self, state: str, bound: str, code: str) -> tuple[str, Role, str]:
        """The person's name, role, and where they wanted to go.

        Raises:
            SsoError: anything at all is not as it must be.
        """
        with self._lock:
            waiting = self._waiting.pop(state, None)
        if waiting is None or state != bound or self._clock() - waiting.since > WAITS:
            raise SsoError("This sign-in was started elsewhere or too long ago. Try again.")
        claims = self._claims(code, waiting)
        name = claims.get(self.provider.name_claim)
        if not isinstance(name, str) or not 2 <= len(name) <= 80:
            raise SsoError(f"The provider says no {self.provider.name_claim} for this account.")
        if self.provider.name_claim == "email" and claims.get("email_verified") is False:
            raise SsoError("The provider has not verified this e-mail address.")
        return name, self._role(claims), waiting.target

    def _claims(self, code: str, waiting: _Waiting) -> Mapping[str, Any]:
        config = self._discover()
        try:
            with self._client() as client:
                token = client.fetch_token(config["token_endpoint"], code=code, code_verifier=waiting.verifier)
            keys = KeySet.import_key_set(self._get(config["jwks_uri"]))
            claims = jwt.decode(token["id_token"], keys, algorithms=list(ALGORITHMS)).claims
            jwt.JWTClaimsRegistry(
                now=int(self._clock()),
                leeway=60,
                iss={"essential": True, "value": self.provider.issuer},
                aud={"essential": True, "value": self.provider.client_id},
                nonce={"essential": True, "value": waiting.nonce},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
        except (httpx.HTTPError, JoseError, OAuthError, KeyError, ValueError, TypeError) as error:
            raise SsoError(f"The provider's answer was not accepted ({type(error).__name__}).") from None
        return dict(claims)

    def _role(self, claims: Mapping[str, Any]) -> Role:
        said = claims.get(self.provider.role_claim)
        values = said if isinstance(said, list) else [said]
        wanted = {label for value, label in self.provider.roles if value in values} or {self.provider.default_role}
        return max(role for role in Role if role.label in wanted)

    def _discover(self) -> Mapping[str, str]:
        config: Mapping[str, str] = self._get(self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if config.get("issuer") != self.provider.issuer:
            raise SsoError("The provider's discovery document names another issuer.")
        return config

    def _get(self, url: str) -> Any:
        try:
            with httpx.Client(timeout=SECONDS, transport=self._transport, follow_redirects=False) as client:
                return client.get(url).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise SsoError(f"The provider cannot be reached ({type(error).__name__}).") from None

    def _client(self) -> Any:
        return OAuth2Client(
            self.provider.client_id,
            self.provider.client_secret,
            scope="openid email profile",
            redirect_uri=self.provider.redirect,
            code_challenge_method="S256",
            timeout=SECONDS,
            transport=self._transport,
        )
