"""Single sign-on clicked through in a real Chromium: `akto-proxy up`, and a provider on another site with its own page.

What only a browser tells: that cookies survive the way through another site and back, that no policy of the pages
stops the redirects, and that nothing of it can be used in another browser.
"""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests_issuer import CLIENT, PASSWORD, SECRET, Issuer
from tests_support import free_port

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium: apt-get install chromium"),
]
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def place(start_product: Callable[..., Any]) -> Iterator[tuple[str, Issuer]]:
    """The dashboard's address, and the provider."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    issuer = Issuer(f"{base}/oidc/callback", asks=True)
    issuer.start("localhost")  # to a browser another site than 127.0.0.1
    assert "127.0.0.1" in {item[4][0] for item in socket.getaddrinfo("localhost", 80)}
    product = start_product(
        SERVER_PORT=str(port),
        OIDC_ISSUER=issuer.url,
        OIDC_CLIENT_ID=CLIENT,
        OIDC_CLIENT_SECRET=SECRET,
        OIDC_NAME="ACME",
        OIDC_ROLES="security=analyst,owners=admin",
    )
    answers(f"{base}/healthz", product)
    yield base, issuer
    issuer.stop()


def answers(address: str, product: Any) -> None:
    """The server comes up after the proxy."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(product.printed()[-2000:])


@pytest.fixture
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield browser
        browser.close()


def opened(browser: Any) -> Any:
    page = browser.new_context().new_page()
    page.set_default_timeout(15_000)
    page.problems = []
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" and "401" not in m.text else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def at_provider(page: Any, issuer: Issuer, name: str, password: str, act: str = "Allow") -> None:
    page.wait_for_url(f"{issuer.url}/**")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.click(f"button:has-text('{act}')")


def test_the_whole_way_in_and_out(place: tuple[str, Issuer], browser: Any) -> None:
    base, issuer = place
    page = opened(browser)
    page.goto(f"{base}/activity?since=7d")
    page.click("text=Sign in with ACME")
    at_provider(page, issuer, "ada@acme.example", "wrong")
    page.wait_for_selector("text=That is not right.")
    at_provider(page, issuer, "ada@acme.example", PASSWORD)
    page.wait_for_url(f"{base}/activity?since=7d")  # where they wanted to go
    page.wait_for_selector("h1:has-text('Guardrail activity')")
    assert "ada@acme.example" in page.inner_text(".who")
    assert "Analyst" in page.inner_text(".who")
    assert page.locator("nav >> text=Settings").count() == 0
    cookies = {item["name"]: item for item in page.context.cookies()}
    assert (cookies["akto_session"]["httpOnly"], cookies["akto_session"]["sameSite"]) == (True, "Lax")
    assert "akto_sso" not in cookies
    page.reload()
    page.wait_for_selector("h1:has-text('Guardrail activity')")
    page.goto(f"{base}/account")
    page.wait_for_selector("text=identity provider")
    page.click("[aria-label='Sign out']")
    page.wait_for_selector("text=You are signed out.")
    page.goto(f"{base}/traces")
    assert "/login" in page.url

    issuer.claims = {"groups": ["owners"]}  # the next sign-in finds them promoted
    page.click("text=Sign in with ACME")
    at_provider(page, issuer, "ada@acme.example", PASSWORD)
    page.wait_for_url(f"{base}/traces")
    page.goto(f"{base}/settings/audit")
    assert page.locator("tbody tr:has-text('sign-in'):has-text('ada@acme.example')").count() == 2
    issuer.claims = {}
    assert page.problems == []


def test_who_declines_stays_outside_and_can_try_again(place: tuple[str, Issuer], browser: Any) -> None:
    base, issuer = place
    page = opened(browser)
    page.goto(base)
    page.click("text=Sign in with ACME")
    at_provider(page, issuer, "eve@acme.example", "", "Deny")
    page.wait_for_selector("text=The identity provider did not sign you in.")
    assert not [item for item in page.context.cookies() if item["name"] == "akto_session"]
    page.click("text=Sign in with ACME")
    at_provider(page, issuer, "eve@acme.example", PASSWORD)
    page.wait_for_selector("h1:has-text('Overview')")
    assert page.problems == []


def test_the_way_back_is_of_no_use_in_another_browser(place: tuple[str, Issuer], browser: Any) -> None:
    base, issuer = place
    page, thief = opened(browser), opened(browser)
    issuer.holds = True
    page.goto(base)
    page.click("text=Sign in with ACME")
    at_provider(page, issuer, "ada@acme.example", PASSWORD)
    address = page.inner_text("#target")
    issuer.holds = False
    thief.goto(address)
    thief.wait_for_selector("text=This sign-in was started elsewhere")
    thief.goto(f"{base}/traces")
    assert "/login" in thief.url
    page.goto(address)  # and it was used up with that, also for whom it was meant
    page.wait_for_selector("text=This sign-in was started elsewhere")
