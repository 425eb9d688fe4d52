import json
from typing import Any

import pytest

from akto_proxy.exchange.face import Forward, Refusal, RequestHead
from akto_proxy.model import Action

QUIET = """
version: 1
policies:
  - {name: quiet, enabled: false, rules: [{detect: [secrets], action: alert}]}
"""
CHAT = {"messages": [{"role": "user", "content": "AKIAQ3EGR7ZL5XWVT2MH"}]}


@pytest.mark.parametrize(
    "target", ["/pause", "/update_weights", "/slots/0?action=save", "/_custom_router/set-backends"]
)
def test_administrative_routes_are_refused_with_a_reason_and_a_trace(path: Any, target: str):
    refusal = path.open(target)
    assert isinstance(refusal, Refusal)
    assert (refusal.status, refusal.reason) == (403, "route_not_allowed")
    assert refusal.trace is not None
    assert refusal.trace.outcome == "refused"
    assert refusal.trace.verdict is Action.BLOCK, "it did not pass, so it must not be listed as allowed"
    assert "administrative" in json.loads(refusal.body)["error"]["message"]


@pytest.mark.parametrize(
    "target", ["//v1/chat/completions", "/v1/%2e%2e/x", "/v1/chat%2fcompletions", "/a/../v1/models", "http://x/v1", "*"]
)
def test_a_path_that_could_mean_two_things_is_refused(path: Any, target: str):
    refusal = path.open(target)
    assert isinstance(refusal, Refusal)
    assert refusal.status in (400, 403)


def test_methods_can_be_limited(make_path: Any):
    path = make_path(methods=frozenset(["GET"]))
    assert path.open().status == 405
    assert not isinstance(path.open("/health", method="GET"), Refusal)


def test_guardrails_can_be_limited_to_some_endpoints(make_path: Any):
    path = make_path(guarded=("POST:/v1/*",))
    assert b"AKIA" not in path.send(CHAT)[1].body
    assert b"AKIA" in path.send({"inputs": "AKIAQ3EGR7ZL5XWVT2MH"}, "/generate")[1].body


def test_extra_routes_pass_and_are_guarded(make_path: Any):
    forward = make_path(extra_routes=("POST:/custom/*",)).send({"x": "AKIAQ3EGR7ZL5XWVT2MH"}, "/custom/thing")[1]
    assert isinstance(forward, Forward)
    assert b"AKIA" not in forward.body


def test_what_the_shell_refuses_has_the_routes_form(path: Any):
    head = RequestHead(b"POST", b"/generate", [], "1.1.1.1")
    refusal = path.handler.refuse("body_too_large", 413, "Too large.", head)
    assert json.loads(refusal.body)["error"] == "Too large."
    assert path.handler.refuse("form", 400, "Bad.", None).close


def test_an_exchange_ends_under_the_policy_it_began_with(make_path: Any):
    path, other = (
        make_path(),
        make_path(
            "version: 1\npolicies:\n  - {name: quiet, enabled: false, rules: [{detect: [secrets], action: alert}]}\n"
        ),
    )
    began = path.open()
    path.handler.swap(other.handler._shared.guard)
    assert b"AKIA" not in began.request(json.dumps(CHAT).encode()).body
    assert b"AKIA" in path.send(CHAT)[1].body


def test_a_secret_in_a_refused_path_is_in_no_trace(path: Any):
    refusal = path.open("/nowhere/AKIAQ3EGR7ZL5XWVT2MH")
    assert refusal.status == 403
    assert "AKIA" not in repr(refusal)
