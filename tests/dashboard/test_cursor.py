"""A cursor that the store did not make is the caller's mistake, on every list."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    "path", ["/api/v1/traces", "/api/v1/traces/live", "/api/v1/sessions", "/api/v1/decisions", "/traces"]
)
def test_a_cursor_of_somebody_elses_making_is_not_understood(path: str, sign_in: Any) -> None:
    answer = sign_in("viewer").get(path, params={"cursor": "nonsense"})
    assert answer.status_code == 422
    assert "nonsense" not in answer.text
