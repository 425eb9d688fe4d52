"""Is a pattern from a person safe to run on text from strangers? RE2 decides, and we say what to write instead.

RE2 runs in linear time and knows no look-around, back-reference or possessive repeat, so what compiles cannot hang.
The price: some patterns from elsewhere must be rewritten; the error names the construct and the nearest allowed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import re2

from akto_proxy.errors import PolicyError
from akto_proxy.guard.syntax import parse
from akto_proxy.policy.terms import MAX_PATTERN

MAX_MEMORY = 8 << 20  # bytes RE2 may use for one pattern; its own default


def check_custom(pattern: str, match: Sequence[str] = (), no_match: Sequence[str] = ()) -> None:
    """Refuse a pattern that RE2 cannot run, that finds nothing at all, or that its examples disprove.

    Raises:
        PolicyError: naming the construct that is not allowed and the nearest allowed one. It is a ValueError too.
    """
    check_syntax(pattern)
    found = compiled(pattern)
    if found.search("") is not None:
        raise PatternError("the pattern matches the empty text, so it would be found everywhere: use + for *")
    for number, example in enumerate(match, 1):
        if found.search(example) is None:
            raise PatternError(f"`match` example {number} is not found by the pattern")
    for number, example in enumerate(no_match, 1):
        if found.search(example) is not None:
            raise PatternError(f"`no_match` example {number} is found by the pattern, and must not be")


class PatternError(PolicyError, ValueError):
    """A pattern that cannot be used (a ValueError, so that a model's validator may raise it)."""


def check_syntax(pattern: str) -> None:
    """Refuse a construct that the matching engine does not take, and name the nearest it does.

    Raises:
        PatternError: naming both.
    """
    try:
        parse(pattern)
    except PolicyError as error:
        raise PatternError(str(error)) from None


@lru_cache(maxsize=4096)
def compiled(pattern: str, *, case_sensitive: bool = True) -> Any:
    """The RE2 object of `pattern`.

    Raises:
        PatternError: RE2 does not take it.
    """
    if len(pattern) > MAX_PATTERN * 100:
        raise PatternError(f"the pattern is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False  # the pattern may hold what must not be logged
    options.max_mem = MAX_MEMORY
    options.case_sensitive = case_sensitive
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        first = error.args[0] if error.args else b""
        said = first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)
        raise PatternError(f"RE2 does not take this pattern: {said[:80]}") from None


def quote(text: str) -> str:
    """`text` as a pattern that matches just it."""
    return str(re2.escape(text))


def glob_pattern(glob: str, *, path: bool = False) -> str:
    """A whole-text RE2 pattern for a glob: `*` any characters (in a path not `/`), `**` any, `?` one."""
    out = ["(?s)^"]
    position = 0
    while position < len(glob):
        if glob.startswith("**", position):
            out.append(".*")
            position += 2
            continue
        char = glob[position]
        one = "[^/]" if path else "."
        out.append({"*": one + "*", "?": one}.get(char) or quote(char))
        position += 1
    return "".join(out) + r"\z"
