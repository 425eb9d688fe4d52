"""What a text written in disguise must hold: asked in the same pass as the rules, so plain text pays nothing for it.

Each question is answered yes by every text that `views` could read in another way (but for characters beyond ASCII,
which are told by `isascii`), and by some that it cannot: there the exact tests come after.
"""

from __future__ import annotations

from akto_proxy.guard.trigger import Ask

TURNED = (
    "the",
    "and",
    "ignore",
    "instructions",
    "previous",
    "system",
    "prompt",
    "password",
    "secret",
    "reveal",
    "your",
)
"""Words that give away a text written backwards or in ROT13."""
ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM"
)
_HEX = "[0-9A-Fa-f]"

ASKS: tuple[Ask, ...] = (
    # encodings: JSON and C escapes, entities, percent, bytes in hex, and whatever is long enough to be base64
    Ask(rf"\x5c[ux]{_HEX}{{2}}"),
    Ask(r"\x26[\x23A-Za-z][0-9A-Za-z]{1,8}\x3b"),
    Ask(rf"\x25{_HEX}{{2}}"),
    Ask(rf"{_HEX}{{2}}(?:[\x20\x2c\x3a]?{_HEX}{{2}}){{7}}"),
    Ask(r"[\x23-\x25\x2a\x2b\x2d-\x3a\x3d0-9A-Z\x5fa-z\x7e]{16}"),
    # control characters, which no reader sees; NUL stands between the texts of a survey and is counted there
    Ask(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]"),
    # l33t, l e t t e r s and digits apart, hy-phen-ation
    Ask(r"[A-Za-z][0134578\x24\x40][A-Za-z]|[0134578\x24\x40][A-Za-z]+[0134578\x24\x40]"),
    Ask(r"[A-Za-z](?:[\x20\x2a\x2d-\x2f\x5f\x7c]{1,3}[A-Za-z]){4}"),
    Ask(r"[0-9A-Za-z](?:[\x20\x2a\x2d-\x2f\x5f\x7c]{1,3}[0-9A-Za-z]){8}"),
    Ask(r"(?:[\x2a\x2d]|\xc2\xb7)[A-Za-z]{1,5}(?:[\x2a\x2d]|\xc2\xb7)[A-Za-z]"),
    # backwards, ROT13
    Ask("", (tuple(word[::-1].encode() for word in TURNED),)),
    Ask("", (tuple(word.translate(ROT13).encode() for word in TURNED),)),
)
