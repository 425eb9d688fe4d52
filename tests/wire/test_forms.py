from __future__ import annotations

from urllib.parse import parse_qsl

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


def test_a_part_with_a_huge_head_is_a_fault() -> None:
    data = b'--b\r\nContent-Disposition: form-data; name="' + b'x;name="' * 2000 + b'"\r\n\r\nv\r\n--b--\r\n'
    assert multipart(data, b"multipart/form-data; boundary=b").fault == "multipart"
