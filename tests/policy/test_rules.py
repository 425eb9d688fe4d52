from __future__ import annotations

import pytest

from akto_proxy.policy.rules import KINDS, DetectRule, kind_of


def test_a_rules_kind_is_told_by_its_key():
    assert [kind_of({key: 1, "action": "block"}) for key in KINDS] == list(KINDS)
    assert kind_of(DetectRule(detect=("pii",))) == "detect"
    assert kind_of({"action": "block"}) == kind_of("detect") == ""


@pytest.mark.parametrize("url", ["ftp://x", "https://user@host/", "https://a b"])
def test_an_external_url_is_plain_http_without_a_user(policy, url):
    with pytest.raises(ValueError, match="url"):
        policy(rules=[{"external": {"url": url}, "action": "block"}])
