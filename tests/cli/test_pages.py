"""The settings become the pages' options: who may sign in how, by which names the pages are served."""

from __future__ import annotations

from typing import Any

import pytest

from akto_proxy.cli.pages import hosts, options, provider
from akto_proxy.config.settings import load
from akto_proxy.errors import ConfigError

OIDC = {
    "OIDC_ISSUER": "https://id.example",
    "OIDC_CLIENT_ID": "dash",
    "OIDC_CLIENT_SECRET": "secret",
    "OIDC_ROLES": "security=editor,team=a=viewer",
    "DASHBOARD_URL": "https://guard.example/",
}


def test_single_sign_on_comes_from_the_settings() -> None:
    made = provider(load(OIDC))
    assert made is not None
    assert made.redirect == "https://guard.example/oidc/callback"
    assert made.roles == (("security", "editor"), ("team=a", "viewer"))
    assert made.default_role == "viewer"
    assert provider(load({})) is None


@pytest.mark.parametrize(
    "wrong", [{"OIDC_CLIENT_SECRET": ""}, {"OIDC_ROLES": "security=king"}, {"OIDC_ISSUER": "id.example"}]
)
def test_what_cannot_be_used_is_said_at_start(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"(?i)oidc"):
        load({**OIDC, **wrong})


@pytest.mark.parametrize(
    ("given", "name", "served"),
    [
        ({}, "127.0.0.1", True),
        ({}, "evil.test", False),
        ({"SERVER_HOST": "0.0.0.0"}, "", False),
        ({"DASHBOARD_URL": "https://Guard.example:8443"}, "guard.example", True),
        ({"DASHBOARD_URL": "https://guard.example"}, "evil.test", False),
    ],
)
def test_the_pages_answer_to_their_own_names(given: dict[str, str], name: str, served: bool) -> None:
    assert (name in hosts(load(given))) == served


def test_the_rest_of_what_the_pages_say() -> None:
    given: dict[str, Any] = {"TWO_PEOPLE": "true", "GUARDRAIL_ENDPOINTS": "POST:/generate", "CAPTURE": "metadata"}
    made = options(load({**given, "DASHBOARD_URL": "https://guard.example"}))
    assert made.two_people
    assert made.https
    assert made.guarded == ("POST:/generate",)
    assert ("CAPTURE", "metadata") in made.about
    assert not options(load({})).https
