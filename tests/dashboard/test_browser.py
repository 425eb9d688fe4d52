"""The pages in a real Chromium: the tour of a working day, what axe-core says, and that no script is refused."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from akto_proxy.dashboard.app import create_app
from akto_proxy.store.control import Person

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no /usr/bin/chromium: apt-get install chromium")
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def browser(sample: ModuleType) -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=sample.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def live(store: Any, control: Any, workshop: Any, sample: ModuleType, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    app = create_app(
        traces=store,
        control=control,
        workshop=workshop,
        clock=time.time,
        randomness=secrets.token_bytes,
        keys=sample.keys(tmp_path),
        notifier=sample.Channels(),
    )
    base, stop = sample.serve(app)
    yield base, app
    stop()


def page_of(browser: Any, **options: Any) -> Any:
    context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
    page = context.new_page()
    page.set_default_timeout(8000)
    page.problems = []
    page.on("console", lambda m: page.problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def sign_in(page: Any, base: str, app: Any, role: str, name: str) -> None:
    house = app.state.house
    house.control.keep_person(Person(name, role, "!"))
    token = house.sessions.begin(name)
    page.context.add_cookies([{"name": "akto_session", "value": token, "url": base}])


def a_call(sample: ModuleType, rule: str) -> Any:
    """One invented call of now that this rule flagged."""
    calls = sample.traffic(800, until=time.time(), span=1.0, seed=secrets.randbelow(1 << 30))
    return next(trace for trace in calls if any(item.rule == rule for item in trace.decisions))


def test_tour(browser: Any, live: tuple[str, Any], store: Any, control: Any, sample: ModuleType) -> None:
    """Set up, see a call arrive live, open it, judge it, change the policy, roll it back."""
    base, app = live
    page = page_of(browser)
    page.goto(base + app.state.house.setup.path)
    page.fill("#name", "ada")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("text=Create administrator")
    page.wait_for_selector("text=No call has passed yet")

    page.click("text=Follow live")
    page.wait_for_selector("text=No trace fits")
    call = a_call(sample, "email")
    store.insert_many([call])
    page.wait_for_selector(f"tr[data-row='{call.id}']")
    page.click(f"tr[data-row='{call.id}'] a")
    page.wait_for_selector("mark.redact:has-text('<EMAIL_ADDRESS>')")

    page.click("text=Not a problem?")
    page.wait_for_selector("text=What else it would let through")
    assert page.locator("text=default-pii").count()
    page.goto(base + "/policies")
    page.locator("tr:has-text('default-pii') button:has-text('Monitor')").click()
    page.wait_for_selector("text=Saved.")
    assert "mode: monitor" in control.active().text
    page.locator("tr:has-text('default-pii') button:has-text('Enforce')").click()
    page.wait_for_selector("text=Saved.")
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto(base + "/policies/history")
    page.click("text=Roll back to this")
    page.wait_for_selector("text=The earlier version is in force again")
    assert [version.state for version in control.versions()] == ["active", "past", "past"]
    assert "mode: monitor" in control.active().text
    assert page.problems == []
    page.context.close()


@pytest.mark.slow
def test_a_rule_becomes_an_exception(
    browser: Any, live: tuple[str, Any], store: Any, control: Any, sample: Any
) -> None:
    base, app = live
    # The shipped id of the e-mail rule, so that the policy in force knows it.
    shipped = next(rule.id for rule in app.state.house.workshop.rules if rule.entity == "EMAIL_ADDRESS")
    from dataclasses import replace

    call = a_call(sample, "email")
    call = replace(call, decisions=(replace(call.decisions[0], rule=shipped),))
    store.insert_many([call])
    page = page_of(browser)
    sign_in(page, base, app, "editor", "grace")
    page.goto(f"{base}/activity/exception?event={call.id}:0&field=user")
    page.wait_for_selector("text=would have been treated otherwise")
    page.fill("#reason", "The address is public.")
    page.click("text=Make the exception")
    page.wait_for_selector("text=The exception is in force")
    assert call.caller.user in control.active().text
    assert control.marks([f"{call.id}:0"])[f"{call.id}:0"].state == "false-positive"
    page.goto(base + "/policies/playground")
    page.fill("#text", "Write to ada@example.org today.")
    page.select_option("#direction", "response")
    page.click("button:has-text('Run')")
    page.wait_for_selector("#result mark")
    assert page.locator("text=As a stream").count() == 1
    page.goto(base + "/policies/edit")
    page.wait_for_selector("#check .note")
    page.fill("textarea#text", "version: 1\npolicies: []\n")
    page.wait_for_selector("#check .note.bad")
    page.goto(base + "/policies/replay")
    page.click("button:has-text('Start')")
    page.wait_for_selector("text=Calls judged")
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(base + "/")
    page.click("[data-menu]")
    page.click("nav >> text=Callers")
    page.wait_for_selector("h1:has-text('Callers')")
    assert page.problems == []
    page.context.close()


def test_learned_limits_are_decided_on(browser: Any, live: tuple[str, Any], control: Any, sample: ModuleType) -> None:
    """Learn, choose two of those that wait, first in shadow mode, enforce one, take it back."""
    base, app = live
    for proposal in sample.proposals(time.time()):
        control.keep_proposal(proposal)
    page = page_of(browser)
    sign_in(page, base, app, "editor", "grace")
    page.goto(base + "/")
    page.click("nav >> text=Limits")
    page.wait_for_selector("text=14 requests in 1 min")
    page.click("button:has-text('Learn')")  # of an empty store: what waited is replaced, for it is not found again
    page.wait_for_selector("text=0 proposed")
    page.goto(base + "/limits")
    page.wait_for_selector("text=No proposal waits")
    for proposal in sample.proposals(time.time()):
        control.keep_proposal(proposal)
    page.goto(base + "/limits")
    page.check("[aria-label='Choose requests for each user at code-qwen']")
    page.check("[aria-label='Choose tokens for each user at code-qwen']")
    page.click("[data-bulk] button:has-text('Shadow')")
    page.wait_for_selector("text=Decided.")
    row = page.locator("section:has(h2:has-text('In force')) tr:has-text('21 requests in 1 min')")
    row.locator("button:has-text('Enforce')").click()
    page.wait_for_selector("tr:has-text('21 requests in 1 min'):has-text('Enforced')")
    row.locator("button:has-text('Withdraw')").click()
    page.wait_for_selector("tr:has-text('learned.code-qwen.user.requests'):has-text('Withdrawn')")
    assert {item.count for item in control.proposals(["accepted"])} == {"tokens"}
    assert page.problems == []
    page.context.close()


@pytest.mark.slow
def test_stored_markup_runs_nowhere(browser: Any, live: tuple[str, Any], store: Any) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("attacks", Path(__file__).with_name("test_attacks.py"))
    attacks = module_from_spec(spec)
    spec.loader.exec_module(attacks)
    base, app = live
    store.insert_many([attacks.evil_trace(time.time() - 5)])
    page = page_of(browser)
    page.on("dialog", lambda dialog: page.problems.append(f"dialog {dialog.message}"))
    sign_in(page, base, app, "admin", "ada")
    paths = ("/", "/traces", "/traces/" + "a" * 32, "/activity", "/endpoints", "/callers", "/reports")
    for path in paths:
        page.goto(base + path)
        page.wait_for_timeout(150)
        assert page.locator("img").count() == 0
    assert page.problems == []
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    theme: str, browser: Any, live: tuple[str, Any], store: Any, control: Any, sample: ModuleType
) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    base, app = live
    store.insert_many(list(sample.traffic(600, until=time.time(), span=86400)))
    sample.furnish(control, store, time.time())
    page = page_of(browser, color_scheme=theme)
    page.goto(base + "/login")
    bad = serious(axe.run(page), "login")
    sign_in(page, base, app, "admin", "ada")
    for name, path in sample.tour(store).items():
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 860})
            page.goto(base + path)
            page.wait_for_timeout(60)
            bad += serious(axe.run(page), f"{name} at {width}")
            cut = page.evaluate(
                "[...document.querySelectorAll('.scroll')].filter(s => s.scrollWidth > s.clientWidth + 1)"
                ".map(s => s.closest('.card')?.querySelector('h2')?.textContent || 'its table')"
            )
            bad += [f"{name} at {width} cuts {what}" for what in cut]
            wide = page.evaluate("document.documentElement.scrollWidth")
            bad += [f"{name} at {width} scrolls sideways ({wide})"] if wide > width else []
    assert bad == []
    assert page.problems == []
    page.context.close()


def serious(result: Any, name: str) -> list[str]:
    found = getattr(result, "response", result)["violations"]
    return [
        f"{name}: {item['id']}: {node['html'][:160]}"
        for item in found
        if item["impact"] in ("serious", "critical")
        for node in item["nodes"][:3]
    ]
