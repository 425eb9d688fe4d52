"""The playground and the replay: nothing they do changes what is in force."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest


def tried(client: Any, **form: str) -> str:
    return client.post("/policies/playground", data={"text": "Write to ada@example.org today.", **form}).text


def test_both_directions_and_the_stream(sign_in: Any) -> None:
    analyst = sign_in("analyst")
    asked = tried(analyst)
    assert ">ada@example.org</mark>" in asked
    assert "Write to &lt;EMAIL_ADDRESS&gt; today." in asked
    assert "As a stream" not in asked
    answered = tried(analyst, direction="response")
    assert "As a stream" in answered
    assert re.search(r"<mark class=\"redact\">[^<]*&lt;EMAIL_ADDRESS&gt;", answered)


def test_a_draft_can_be_tried_and_a_bad_one_says_why(sign_in: Any, control: Any) -> None:
    analyst = sign_in("analyst")
    draft = "version: 1\npolicies: [{name: mine, action: block, rules: [{detect: EMAIL_ADDRESS}]}]"
    assert "the request never reaches the model" in tried(analyst, policy=draft)
    bad = analyst.post("/policies/playground", data={"text": "x", "policy": "nonsense"}, headers={"hx-request": "true"})
    assert "note bad" in bad.text
    assert bad.headers["hx-retarget"] == "#toast"
    assert control.active() is None
    assert sign_in("viewer").post("/policies/playground", data={"text": "x"}).status_code == 403


def until_done(client: Any, path: str) -> str:
    for _ in range(400):
        page = client.get(path, headers={"hx-request": "true"}).text
        if "every 700ms" not in page:
            return str(page)
        time.sleep(0.02)
    raise AssertionError(page)


def test_a_replay_shows_how_verdicts_move_and_can_be_put_in_force(filled: Any, control: Any, sign_in: Any) -> None:
    editor = sign_in("editor")
    draft = "version: 1\npolicies: [{name: default-pii, action: block, rules: [{detect: pii}]}]"
    started = editor.post("/policies/replay", data={"text": draft, "since": "7d", "comment": "stricter"})
    path = started.headers["location"]
    page = until_done(editor, path)
    assert "Calls judged" in page
    assert f'value="{100.0}"' in page
    assert re.search(r'chip redact">Redacted.*?chip block">Blocked', page, re.S)
    assert "stricter" in editor.get("/policies/replay").text
    assert control.active() is None
    assert editor.post(f"{path}/adopt").headers["location"] == "/policies?said=saved"
    assert control.active().text == draft


@pytest.mark.parametrize("act", ["stop", "adopt"])
def test_a_replay_that_is_not_kept(act: str, sign_in: Any) -> None:
    assert sign_in("editor").post(f"/policies/replay/none/{act}").status_code in (303, 404)
    assert sign_in("editor").get("/policies/replay/none").status_code == 404
