"""An answer that is not 200, as a value to raise: status, one sentence without protected text, headers."""

from __future__ import annotations

from collections.abc import Mapping


class Problem(Exception):  # noqa: N818 - an answer, not a fault
    """Becomes `{"error": message}` with the status; Akto's routes put it in their own form."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})
