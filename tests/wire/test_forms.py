from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akto_proxy.wire.forms import multipart, pairs, write


@given(st.binary(max_size=60).filter(lambda data: b"+" not in data))
def test_every_value_of_a_query_is_read(query: bytes) -> None:
    fields = pairs(query, "query")
    expected = parse_qsl(query.decode("latin-1"), encoding="utf-8", errors="replace")
    texts = {field.text for field in fields}
    if query.isascii():
        assert {value for _, value in expected} <= texts
    assert write(query, fields, {}) == query


@given(st.text(max_size=10), st.integers(0, 2))
def test_an_edited_field_reads_as_written(new: str, nth: int) -> None:
    query = b"prompt=a&query=b&text=c"
    fields = pairs(query, "q")
    out = write(query, fields, {nth: new})
    again = [field.text for field in pairs(out, "q")]
    assert (new in again) if new else len(again) == 2


@given(st.binary(max_size=120))
def test_any_bytes_are_a_form_or_a_fault(data: bytes) -> None:
    form = multipart(b"--b" + data, b"multipart/form-data; boundary=b")
    assert form.fault in ("", "multipart", "binary")


PART = b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nhi\r\n'
SOUND = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n'
    b"\r\n%b\r\n--b--"
)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"my ssn\r\n" + PART + b"--b--", ""),
        (PART + b"--b--\r\nmy ssn", ""),
        (PART.replace(b"\r\n\r\n", b"\r\nX-Note: my ssn\r\n\r\n") + b"--b--", ""),
        (PART.replace(b'name="prompt"', b'name="prompt"; note="my ssn"') + b"--b--", ""),
        (PART.replace(b"hi", b"--bx\r\nmy ssn\r\n") + b"--b--", ""),
        (PART.replace(b"hi", b"x\r\n--b  \r\nmy ssn\r\n\r\n") + b"--b--", ""),
        (SOUND % b"my ssn", ""),
        (SOUND % b"RIFF\x00\n--b\nmy ssn", "multipart"),
        (PART.replace(b"hi", b"my ssn\x00"), "multipart"),
        (b"my ssn", "multipart"),
        (PART + b"my ssn", "multipart"),
    ],
)
def test_whatever_is_no_file_is_read(data: bytes, fault: str) -> None:
    form = multipart(data, b"multipart/form-data; boundary=b")
    assert form.fault == fault
    assert any("my ssn" in field.text for field in form.fields)


def test_an_empty_part_that_shares_its_line_end_with_its_head_stays_in_its_place() -> None:
    data = PART.replace(b"hi\r\n", b"") + b"--b--"
    form = multipart(data, b"multipart/form-data; boundary=b")
    assert [(field.text, field.start <= field.end) for field in form.fields] == [("", True)]
    assert write(data, form.fields, {0: "x"}) == data.replace(b"--b--", b"x--b--")


@pytest.mark.parametrize("named", [b"; boundary=a; boundary=b", b"; xboundary=a; boundary=b", b"; boundary*=b", b""])
def test_two_boundaries_or_none_are_a_fault(named: bytes) -> None:
    form = multipart(PART + b"--b--", b"multipart/form-data" + named)
    assert (form.fault, len(form.fields)) == ("multipart", 1)


def test_a_part_with_a_huge_head_is_a_fault() -> None:
    data = b'--b\r\nContent-Disposition: form-data; name="' + b'x;name="' * 2000 + b'"\r\n\r\nv\r\n--b--\r\n'
    assert multipart(data, b"multipart/form-data; boundary=b").fault == "multipart"


def test_a_value_keeps_the_name_of_a_field_that_no_protocol_knows() -> None:
    assert [(field.text, field.key) for field in pairs(b"ssn=1&prompt=hi", "query")] == [
        ("ssn", ""),
        ("1", "ssn"),
        ("hi", ""),
    ]
