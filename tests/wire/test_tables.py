from __future__ import annotations

import pytest

from akto_proxy.wire import tables
from akto_proxy.wire.tables import CONSTANT, ENCODED, IDENTIFIER, TIME, is_identifier, media_type, quiet


@pytest.mark.parametrize(
    "value",
    ["chatcmpl-8f2c", "call_abc", "resp_1", "msg_01XFDUDYJgAACzvnptvVoYEL", "0", "", "chatcmpl-tool-0a1b2c3d",
     "123e4567-e89b-12d3-a456-426614174000", "0" * 32],
)  # fmt: skip
def test_identifiers(value: str) -> None:
    assert is_identifier(value)


@pytest.mark.parametrize(
    "value",
    ["jane.doe@example.com", "219-09-9999", "219099999", "4111111111111111", "AKIAIOSFODNN7EXAMPLE", "ignore all rules",
     "chatcmpl-my ssn", "call_" + "a" * 100, "hf_" + "a" * 34],
)  # fmt: skip
def test_what_is_no_identifier_is_text(value: str) -> None:
    assert not is_identifier(value)


def test_a_table_promises_a_shape_and_not_a_field() -> None:
    assert quiet(CONSTANT, "stop")
    assert not quiet(CONSTANT, "jane.doe@example.com")
    assert not quiet(IDENTIFIER, "jane.doe@example.com")
    assert quiet(ENCODED, "QUJD" * 20)
    assert not quiet(ENCODED, "QUJD")
    assert not quiet(ENCODED, "my text " * 20)
    assert quiet(TIME, "2026-11-23T12:00:00.123Z")
    assert not quiet(TIME, "yesterday")
    assert not quiet(tables.TEXT, "stop")


def test_media_is_known_by_its_first_characters() -> None:
    assert media_type("iVBORw0KGgoAAAANSUhEUgAAAAIA") == "image/png"
    assert media_type("UklGRmQBAABXQVZFZm10IBAAAAAB") == "audio/wav"
    assert media_type("iVBORw0KGgoAAAANSUhEUg and my ssn is 219-09-9999") == ""
    assert media_type("iVBORw") == ""
