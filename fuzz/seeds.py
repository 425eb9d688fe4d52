"""Writes the first corpus: the attacks of tests/attacks and a few good inputs, small.

PYTHONPATH=tests python fuzz/seeds.py
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from akto_proxy.spool.frame import Kind, encode
from attacks.cases import ANSWERS, REQUESTS, TEXT

HERE = Path(__file__).parent
LARGEST = 1500


def keep(target: str, data: bytes) -> None:
    """One input of one target, named by its content."""
    if len(data) <= LARGEST:
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def main() -> None:
    """Write them."""
    for at, attack in enumerate(REQUESTS):
        _, _, sent = attack.raw.partition(b"\r\n\r\n")
        keep("requests", attack.raw)
        keep("body", bytes([at % 5, at % 10, 1, 0]) + sent)
        if b"multipart" in attack.raw:
            keep("multipart", sent)
    for at, attack in enumerate(ANSWERS):
        _, _, sent = attack.raw.partition(b"\r\n\r\n")
        keep("events", bytes([at % 5, 0, at % 13]) + sent.partition(b"\r\n")[2] if b"chunked" in attack.raw else sent)
    for target in (
        b"/v1/chat/completions?a=b&c=%20",
        b"/v1/models/a%2Fb",
        b"/%C3%A9",
        b"/a//b",
        b"/a/../b",
        b"/?x=%zz",
    ):
        keep("route", target)
    for text in (
        TEXT,
        "A\u200bKIA \U000e0041\U000e0042 \u0410KIA %41%42 &#65; \\u0041 aGVsbG8gd29ybGQgaGVsbG8= 4e6f742061207365",
    ):
        keep("views", text.encode())
        keep("stream", b"\x03" + text.encode())
    chain, frames = b"\0" * 32, b""
    for number in range(3):
        frame, chain = encode(Kind.TRACE, number, chain, b"record %d" % number)
        frames += frame
    keep("spool", frames)
    keep("spool", frames[:-5] + b"xx" + frames)
    keep(
        "policy",
        b"version: 1\npolicies:\n  - {name: a, severity: high, action: block, rules: [{id: b, detect: [secrets]}]}\n",
    )


if __name__ == "__main__":
    main()
