"""What is in force, with what it did, and one policy switched from monitor to enforce."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from akto_proxy.store.control import ProxyHealth


def mode_of(control: Any, name: str) -> dict[str, Any]:
    return next(item for item in yaml.safe_load(control.active().text)["policies"] if item["name"] == name)


def test_the_list_says_what_each_policy_does_and_how_often(filled: Any, sign_in: Any) -> None:
    page = sign_in("viewer").get("/policies").text
    hits = re.search(r'href="/traces\?policy=default-pii">(\d+)<', page)
    assert int(hits[1]) > 0
    assert "the default that ships with the program" in page
    assert "/policies/mode" not in page


def test_a_policy_is_rolled_out_in_stages(control: Any, sign_in: Any) -> None:
    editor = sign_in("editor")
    for change, key, value in (
        ("monitor", "mode", "monitor"),
        ("enforce", "mode", "enforce"),
        ("off", "enabled", False),
        ("on", "enabled", True),
    ):
        answer = editor.post("/policies/mode", data={"name": "default-pii", "change": change})
        assert answer.headers["location"] == "/policies?said=saved"
        assert mode_of(control, "default-pii")[key] == value
    assert control.active().comment == "default-pii: on"
    assert editor.post("/policies/mode", data={"name": "default-pii", "change": "maybe"}).status_code == 422
    assert editor.post("/policies/mode", data={"name": "none", "change": "on"}).status_code == 404


def test_the_last_policy_cannot_be_switched_off_with_its_pack(control: Any, sign_in: Any) -> None:
    editor = sign_in("editor")
    assert editor.post("/policies/packs", data={"key": "default", "to": "off"}).status_code == 422
    assert control.active() is None


def test_packs_say_which_controls_they_serve(sign_in: Any, workshop: Any) -> None:
    page = sign_in("viewer").get("/policies/packs").text
    for key in workshop.packs:
        assert f">{key}<" in page
    assert re.search(r"OWASP-LLM</span> <span[^>]*>[^<]*LLM02", page)


@pytest.mark.parametrize(("version", "warned"), [("0" * 12, True), ("", False)])
def test_a_proxy_that_runs_another_version_is_named(
    version: str, warned: bool, control: Any, clock: Any, sign_in: Any
) -> None:
    control.keep_health(ProxyHealth("edge-7", clock(), policy_version=version))
    assert ("Some proxies run another version still" in sign_in("viewer").get("/policies").text) == warned


def test_proxies_get_a_minute_to_follow_before_they_are_behind(control: Any, clock: Any, sign_in: Any) -> None:
    control.keep_health(ProxyHealth("edge", clock(), "0.1.0", "0" * 16))
    editor = sign_in("editor")
    editor.post("/policies/mode", data={"name": "default-pii", "change": "monitor"})
    assert "Some proxies run another version" not in editor.get("/policies").text
    clock.now += 61
    assert "Some proxies run another version" in editor.get("/policies").text


def test_nobody_is_offered_what_they_may_not(sign_in: Any) -> None:
    viewer, editor = sign_in("viewer"), sign_in("editor")
    assert "Switch on a pack" not in viewer.get("/policies").text
    assert "Switch on a pack" in editor.get("/policies").text
    assert "data-fill" not in viewer.get("/policies/playground").text
    assert "data-fill" in editor.get("/policies/playground").text
