"""Mistakes in the words of those who write YAML, wherever in a settings file they are."""

import pytest

from akto_proxy.errors import ConfigError
from akto_proxy.limits.schema import parse_limits
from akto_proxy.watch.notify.schema import parse_channels
from akto_proxy.watch.schema import parse_alerts

LIMIT = {"name": "l", "limit": 1}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("by", 5, "limits[l].by: expected a list"),
        ("only", "x", "limits[l].only: expected `name: value` lines"),
        ("limit", "many", "limits[l].limit: expected a number"),
        ("mode", "on", "limits[l].mode: expected 'enforce' or 'shadow'"),
        ("strict", "perhaps", "limits[l].strict: expected true or false"),
    ],
)
def test_a_limit(key, value, said):
    with pytest.raises(ConfigError) as raised:
        parse_limits([{**LIMIT, key: value}])
    assert str(raised.value).startswith(said)


def test_alerts():
    with pytest.raises(ConfigError, match=r"alerts\.quiet: expected a list; see docs/watch\.md"):
        parse_alerts({"quiet": {"start": "22:00"}})


def test_a_channel():
    with pytest.raises(ConfigError, match=r"notify\[n\]\.kind: expected '.*; see docs/watch\.md"):
        parse_channels([{"name": "n", "kind": "pigeon", "url": "https://ops.example"}], {})


def test_a_lone_text_may_stand_without_brackets():
    [limit] = parse_limits([{**LIMIT, "only": {"user": "bob*"}}])
    assert limit.applies({"user": "bobby"})
    assert not limit.applies({"user": "eve"})
    rules = parse_alerts(
        {"defaults": False, "rules": [{"name": "r", "when": "score > 1", "channels": "ops"}]}
    ).all_rules()
    assert rules[0].channels == ("ops",)
