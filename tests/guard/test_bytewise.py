from __future__ import annotations

import pytest

from akto_proxy.guard.bytewise import write_bytes
from akto_proxy.guard.syntax import parse


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        (r"\ba\b", "a"),
        (r"[0-9]{3,40}", "[0-9]{3,}"),
        (r"[0-9]{20}", "[0-9]{16,}"),
        (r"é", r"\xc3\xa9"),
        (r"[é-ü]", r"[\x80-\xff]{1,4}"),
        (r"(?P<v>x|yz)-", r"(?:x|yz)\x2d"),
    ],
)
def test_a_tree_is_written_over_bytes(pattern, written):
    assert write_bytes(parse(pattern)) == written
