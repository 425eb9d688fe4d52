"""Prompts are attacks on this page too: stored markup in every field stays text on every page."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import akto_proxy.dashboard
from akto_proxy.model import (
    Action,
    Alert,
    Caller,
    Decision,
    Direction,
    Incident,
    IncidentState,
    Message,
    Severity,
    Trace,
)
from akto_proxy.store.control import AuditNote, Block, Person, Step, View

EVIL = "<img src=x onerror=alert(1)>'\"`--></script><script>alert(2)</script>{{7*7}}<mark onclick=x>"
FOLDER = Path(akto_proxy.dashboard.__file__).parent


class Reader(HTMLParser):
    """Notes what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name: value or "" for name, value in attrs}
        if tag == "script" and not names.get("src", "").startswith("/static/"):
            self.bad.append(f"script {names}")
        if tag in ("style", "iframe", "object", "embed", "base", "img"):
            self.bad.append(tag)
        self.bad += [f"{tag} {name}" for name in names if name.startswith("on") or name == "style"]
        for name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
            if name in names and not names[name].startswith(("/", "?", "#")):
                self.bad.append(f"{tag} {name}={names[name]}")


def evil_trace(at: float) -> Trace:
    decision = Decision(
        EVIL, EVIL, EVIL, EVIL, Severity.HIGH, Action.BLOCK, Direction.REQUEST, EVIL, reason=EVIL, controls=(EVIL,)
    )
    body = '{"messages":[{"role":"<b>","name":"<i>","content":"' + EVIL.replace('"', '\\"') + '"}]}'
    return Trace(
        "a" * 32, at, EVIL, EVIL, "/" + EVIL, EVIL, EVIL, 400, EVIL, Action.BLOCK, 0,
        EVIL, EVIL, EVIL, True, EVIL, EVIL,
        Caller(EVIL, EVIL, EVIL, EVIL, EVIL, EVIL),
        request=Message(((EVIL, EVIL),), body, size=9),
        response=Message(((EVIL, EVIL),), "data: " + EVIL, size=9),
        decisions=(decision,), tags=((EVIL, EVIL),),
    )  # fmt: skip


@pytest.fixture
def attacked(store: Any, control: Any, clock: Any, propose: Any) -> None:
    store.insert_many([evil_trace(clock() - 9)])
    ids = ("a" * 32,)
    control.keep_incident(Incident("i", "f", EVIL, Severity.HIGH, IncidentState.OPEN, 1, 2, 1, EVIL, EVIL, (), ids))
    control.add_alert(Alert("a", 1, EVIL, Severity.HIGH, EVIL, "f", EVIL, EVIL, EVIL, trace_ids=ids), "i")
    control.move_incident("i", Step(3, EVIL, EVIL, EVIL))
    control.block(Block("b", "user", EVIL, clock() + 99, EVIL, EVIL, clock()))
    control.note(AuditNote(clock(), EVIL, EVIL, EVIL, EVIL, EVIL))
    control.keep_view(View("v", "admin-1", EVIL, "user=" + EVIL, True))
    control.keep_person(Person(EVIL, "viewer"))
    control.add_token(EVIL, "viewer", by=EVIL, at=clock())
    for state in ("proposed", "accepted", "dismissed"):
        propose(state, EVIL, state=state, by=EVIL, kind=EVIL, decided=clock())
    propose("broken", EVIL, state="accepted", name=EVIL, entry='{"name": "<img>"}')
    control.mark(["a" * 32 + ":0"], "review", by=EVIL, at=clock())


def test_stored_markup_stays_text_everywhere(attacked: None, sign_in: Any) -> None:
    admin = sign_in("admin")
    for path, params in (
        ("/", {}),
        ("/traces", {}),
        ("/traces", {"user": EVIL, "text": EVIL, "rule": EVIL}),
        ("/traces/" + "a" * 32, {}),
        ("/sessions", {}),
        ("/sessions/thread", {"id": EVIL}),
        ("/activity", {"since": "7d"}),
        ("/activity", {"state": "review"}),
        ("/activity/exception", {"event": "a" * 32 + ":0"}),
        ("/endpoints", {}),
        ("/endpoints/profile", {"name": EVIL}),
        ("/callers", {}),
        ("/callers/profile", {"field": "user", "value": EVIL}),
        ("/limits", {}),
        ("/limits", {"endpoint": EVIL}),
        ("/incidents", {}),
        ("/incidents/i", {}),
        ("/incidents/blocked", {}),
        ("/reports", {}),
        ("/settings/people", {}),
        ("/settings/tokens", {}),
        ("/settings/audit", {}),
        ("/settings/audit", {"actor": EVIL, "action": EVIL}),
        ("/nothing" + EVIL, {}),
    ):
        answer = admin.get(path, params=params)
        assert answer.status_code in (200, 404), (path, answer.status_code, answer.text[-1500:])
        reader = Reader()
        reader.feed(answer.text)
        assert reader.bad == [], (path, reader.bad)
        assert "<img" not in answer.text
        assert "49<mark" not in answer.text


def test_answers_to_forms_stay_text_too(attacked: None, sign_in: Any) -> None:
    admin = sign_in("admin")
    for path, form in (
        ("/policies/check", {"text": EVIL}),
        ("/policies/edit", {"text": EVIL, "comment": EVIL}),
        ("/policies/playground", {"text": EVIL + " ada@example.org", "direction": "response"}),
        ("/login", {"name": EVIL, "password": EVIL}),
        ("/settings/people", {"name": EVIL, "role": "viewer", "password": EVIL}),
        ("/settings/tokens", {"name": EVIL, "scope": "viewer"}),
    ):
        answer = admin.post(path, data=form)
        assert answer.status_code in (200, 401, 422), (path, answer.status_code)
        reader = Reader()
        reader.feed(answer.text)
        assert reader.bad == [], (path, reader.bad)


def test_spreadsheets_get_no_formulas(store: Any, sign_in: Any) -> None:
    from akto_proxy.dashboard.views.reports import cell

    assert [cell(text) for text in ("=cmd()", "+1", "-1", "@x", "\tx", "plain")] == [
        "'=cmd()", "'+1", "'-1", "'@x", "'\tx", "plain",
    ]  # fmt: skip
    assert cell(-3) == -3


def test_no_template_marks_text_as_safe() -> None:
    for path in [*FOLDER.rglob("*.html"), *FOLDER.rglob("*.py")]:
        text = path.read_text()
        for word in ("| safe", "|safe", "Markup(", "autoescape false", "hx-on", "style="):
            assert word not in text, (path.name, word)
