from __future__ import annotations

import pytest

from akto_proxy.cli.stores import since_time
from akto_proxy.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "at"),
    [("", 0.0), ("15m", 999_100.0), ("2H", 992_800.0), ("7d", 395_200.0), ("30s", 999_970.0),
     ("1970-01-02", 86_400.0), ("1970-01-01T01:00", 3600.0), ("1970-01-01T01:00+01:00", 0.0)],
)  # fmt: skip
def test_a_time_is_read_in_every_form_it_is_written(text: str, at: float) -> None:
    assert since_time(text, 1_000_000.0) == at


@pytest.mark.parametrize("text", ["yesterday", "5", "m", "-5m", "2026-13-01"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ConfigError, match="expected 15m"):
        since_time(text, 1.0)
