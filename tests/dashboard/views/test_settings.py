"""People, tokens, channels, and the log of who did what."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from akto_proxy.dashboard.app import create_app
from akto_proxy.store.control import Person

PASSWORD = "correct horse battery staple"


def test_a_new_role_ends_the_sessions_and_holds_at_once(sign_in: Any, control: Any) -> None:
    admin, ada = sign_in("admin"), sign_in("editor", "ada")
    assert ada.get("/").status_code == 200
    form = {"name": "ada", "act": "role", "role": "viewer"}
    assert admin.post("/settings/people/change", data=form).status_code == 303
    assert ada.get("/").status_code == 303
    assert control.person("ada").role == "viewer"


@pytest.mark.parametrize("act", ["off", "remove"])
def test_who_is_switched_off_is_out_at_once(act: str, sign_in: Any) -> None:
    admin, ada = sign_in("admin"), sign_in("editor", "ada")
    admin.post("/settings/people/change", data={"name": "ada", "act": act})
    assert ada.get("/").status_code == 303
    assert ada.post("/login", data={"name": "ada", "password": PASSWORD}).status_code == 401


def test_nobody_can_lock_everybody_out(sign_in: Any, control: Any) -> None:
    admin = sign_in("admin")
    for act in ("off", "remove", "role"):
        form = {"name": "admin-1", "act": act, "role": "viewer"}
        assert admin.post("/settings/people/change", data=form).status_code == 422
    sign_in("admin", "second")
    form = {"name": "second", "act": "role", "role": "viewer"}
    assert admin.post("/settings/people/change", data=form).status_code == 303
    assert control.person("admin-1").role == "admin"


def test_a_new_account_needs_a_good_password_and_a_free_name(sign_in: Any, control: Any) -> None:
    admin = sign_in("admin")
    good = {"name": "eve", "role": "analyst", "password": PASSWORD}
    for bad in ({"password": "short"}, {"name": "a b"}, {"name": "admin-1"}, {"role": "king"}):
        assert admin.post("/settings/people", data={**good, **bad}).status_code == 422, bad
    assert admin.post("/settings/people", data=good).status_code == 303
    assert PASSWORD not in control.person("eve").password
    assert control.notes(action="person.add")[0].subject == "eve"


def test_a_secret_is_shown_once(sign_in: Any, control: Any) -> None:
    admin = sign_in("admin")
    answer = admin.post("/settings/tokens", data={"name": "edge", "scope": "ingest", "last": "30d"})
    secret = re.search(r'data-copy="([^"]+)"', answer.text)[1]
    assert control.token(secret, 0.0).scope == "ingest"
    assert secret not in admin.get("/settings/tokens").text
    assert admin.post("/settings/tokens", data={"name": "edge", "scope": "root"}).status_code == 422
    token = control.tokens()[0]
    assert admin.post("/settings/tokens/revoke", data={"id": token.id}).status_code == 303
    assert control.token(secret, 0.0) is None
    assert admin.post("/settings/tokens/revoke", data={"id": "none"}).status_code == 404


class Bell:
    """A notifier with one channel."""

    def channels(self) -> list[tuple[str, str]]:
        return [("ops", "slack")]

    def test(self, name: str) -> str:
        return f"Sent through {name}."


def test_a_channel_is_tested_with_a_button(store: Any, control: Any, workshop: Any, clock: Any) -> None:
    app = create_app(
        traces=store, control=control, workshop=workshop, clock=clock, randomness=random.Random(3).randbytes,
        notifier=Bell(),
    )  # fmt: skip
    control.keep_person(Person("ada", "admin", "!"))
    client = TestClient(app, base_url="http://dash.test", follow_redirects=False)
    client.cookies.set("akto_session", app.state.house.sessions.begin("ada"))
    client.headers["x-csrf-token"] = app.state.house.sessions.of("ada")[0].csrf
    assert "Sent through ops." in client.post("/settings/channels/test", data={"name": "ops"}).text
    assert client.post("/settings/channels/test", data={"name": "http://evil"}).status_code == 404
    assert client.post("/api/v1/channels/ops/test").json() == {"result": "Sent through ops."}


def test_the_log_can_be_searched_and_paged(sign_in: Any, control: Any) -> None:
    from akto_proxy.store.control import AuditNote

    for number in range(130):
        control.note(AuditNote(float(number), f"u{number % 2}", "policy.save", f"version {number}"))
    admin = sign_in("admin")
    first = admin.get("/settings/audit?action=policy").text
    assert "version 129" in first
    assert "version 20<" not in first
    older = re.search(r'href="(/settings/audit\?[^"]*before=\d+)"', first)[1].replace("&amp;", "&")
    assert "version 20<" in admin.get(older).text
    assert "version 128" not in admin.get("/settings/audit?actor=u1").text
    assert admin.get(f"/settings/audit?before={1 << 70}").status_code == 422
