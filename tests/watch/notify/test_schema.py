"""What an operator may write in `notify:`."""

from __future__ import annotations

from typing import Any

import pytest

from akto_proxy.errors import ConfigError
from akto_proxy.watch.notify.schema import parse_channels

SECRET = "https://hooks.example/very-secret"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"name": "a", "kind": "slack"}, "needs url"),
        ({"name": "a", "kind": "webhook", "url": SECRET}, "needs secret"),
        ({"name": "a", "kind": "email", "host": "h"}, "needs sender and to"),
        ({"name": "a", "kind": "pigeon"}, "notify[a].kind"),
        ({"name": "a", "kind": "slack", "url": "ftp://x/very-secret"}, "http:// or https:// is expected"),
        ({"name": "a", "kind": "slack", "url_env": "NOT_SET"}, "the environment has no NOT_SET"),
        ({"name": "a b", "kind": "slack", "url": SECRET}, "notify[a b].name"),
        ({"name": "a", "kind": "email", "host": "h", "sender": "x\ny", "to": ["b"]}, "a line break"),
    ],
)
def test_mistakes_are_named_without_a_secret(entry: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as told:
        parse_channels([entry], {})
    assert said in str(told.value)
    assert "very-secret" not in str(told.value)


def test_secrets_come_from_the_environment() -> None:
    entry = {"name": "a", "kind": "webhook", "url_env": "HOOK", "secret_env": "KEY"}
    [channel] = parse_channels([entry], {"HOOK": SECRET, "KEY": "k"})
    assert (channel.address, channel.key) == (SECRET, "k")
    assert "very-secret" not in repr(channel)


def test_a_name_is_used_once() -> None:
    entry = {"name": "a", "kind": "slack", "url": SECRET}
    with pytest.raises(ConfigError, match="used twice"):
        parse_channels([entry, entry], {})
