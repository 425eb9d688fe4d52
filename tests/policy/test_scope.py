from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akto_proxy.model import Caller
from akto_proxy.policy.schema import ScopeRule
from akto_proxy.policy.scope import Matcher, Scope

CALL = Scope(
    endpoint="chat-prod",
    sensitivity="restricted",
    method="POST",
    path="/v1/chat/completions",
    route="openai.chat",
    model="meta-llama/Llama-3",
    caller=Caller(user="ann", team="red", agent="bot", session="s1", ip="10.0.0.9", key="k1"),
    tags=(("X-Env", "prod"), ("x-env", "eu")),
)


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({}, True),
        ({"endpoints": ["chat-*"]}, True),
        ({"endpoints": ["code-*", "chat-prod"]}, True),
        ({"sensitivity": ["public"]}, False),
        ({"methods": ["post"]}, True),
        ({"paths": ["/v1/*"]}, False),
        ({"paths": ["/v1/**"]}, True),
        ({"paths": ["/v1/*/completions"]}, True),
        ({"routes": ["openai.*"]}, True),
        ({"models": ["meta-llama/*"]}, True),
        ({"callers": {"users": ["ann"], "teams": ["blue"]}}, False),
        ({"callers": {"ips": ["10.0.*"]}}, True),
        ({"tags": {"x-env": ["eu"]}}, True),
        ({"tags": {"x-env": ["eu"], "x-tier": ["1"]}}, False),
    ],
)
def test_every_list_must_hold_by_one_of_its_globs(rule, holds):
    assert Matcher(ScopeRule.model_validate(rule)).holds(CALL) is holds


def test_what_does_not_hold_is_told():
    matcher = Matcher(ScopeRule.model_validate({"methods": ["GET"], "callers": {"users": ["bob", "eve"]}}))
    assert matcher.misses(CALL) == ["methods is not GET", "callers.users is not bob or eve"]


def test_an_exclusion_turns_away(plan, policy):
    made = policy(scope={"paths": ["/v1/**"]}, exclude={"callers": {"users": ["ann"]}})
    assert plan(made, scope=CALL).policies == ()
    assert plan(made, scope=Scope(path="/v1/x")).policies == (made,)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet="a*?/.[(", max_size=12), st.text(alphabet="a/.[(b\n", max_size=30))
def test_a_glob_never_fails_and_stays_literal_elsewhere(glob, path):
    if not glob:
        return
    held = Matcher(ScopeRule.model_validate({"paths": [glob]})).holds(Scope(path=path))
    if "*" not in glob and "?" not in glob:
        assert held is (glob == path)
