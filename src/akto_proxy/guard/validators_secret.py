"""Is this value a secret, or does it only stand where one could? Placeholders, references and plain words are not.

Trade-off: a password that is a plain dictionary word ("sunshine") is let pass outside a quoted assignment, because
every "password: required" in prose and code would be redacted otherwise.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections import Counter

# Values that stand for a value. Searched anywhere, case-insensitively.
_STAND_IN = re.compile(
    r"example|placeholder|change[_-]?me|change[_-]?this|replace[_-]?(?:me|this|with)|insert[_-]|your[_-]|yoursecret"
    r"|yourpass|yourtoken|yourkey|yourapi|<[^>]{0,60}>|x{4,}|^(?:sk|pk|key|tok)[-_]1234\d{0,6}$|\*{3,}|\.{3,}|…|#{4,}|_{4,}|-{5,}|redacted|dummy|todo|fixme"
    r"|not[_-]?a[_-]?real|fake[_-]?(?:key|token|secret|pass)|(?:key|token|secret|pass(?:word)?)[_-]?here|my[_-]?(?:secret|token"
    r"|api[_-]?key|password)(?:$|[_-])|\{[a-z_]\w{2,40}(?:\.\w+)*\}|sample[_-]|test[_-]?(?:key|token|secret|pass)|0{8,}|12345678901234|abcdefghijkl",
    re.IGNORECASE,
)
# What fills a form without being a value of it.
_FILLER = re.compile(r"<[^>]{0,60}>|x{6,}|\*{3,}|\.{3,}|…|#{4,}|_{4,}|-{6,}|your[_-]|0{12,}", re.IGNORECASE)
# Whole values that refer to a value kept elsewhere, or are of a form that is never a secret.
_REFERENCE = re.compile(
    r"\$\{[^}]*\}|\$\([^)]*\)|\$[A-Za-z_]\w*|\{\{.*\}\}|\{.*\}|%[A-Za-z_]\w*%|%\(?\w*\)?[sd]|@[\w.]+@|<.*>|\[.*\]"
    r"|(?:os\.)?(?:environ|getenv|env|process\.env|secrets?|vault|var|local|data|self|this|config|settings|params?|args?"
    r"|request|req|ctx|context|kwargs|props|state|options?|opts|input|event|row|user|arn|keyvault|ssm)[.\[(:].*"
    r"|os\.environ/.*|(?:https?|file|s3|gs|op|vault|ssm|arn|ref\+\w+|secretsmanager)://.*"
    r"|(?:\.{0,2}/|~/|[A-Za-z]:\\)[\w./\\ -]*|[\w-]+\.(?:py|js|ts|json|ya?ml|txt|pem|key|crt|md|toml|env"
    r"|conf|cfg|ini|html?|css|go|java|rb|sh)"
    r"|[A-Za-z_]\w*(?:(?:\.|->|::)[A-Za-z_]\w*)+(?:[\[(].*)?|[A-Za-z_]\w*[\[(].*|&\w+|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*"
    r"|\$[A-Za-z_]\w*(?:(?:::\w+)+-?|(?:::\w+)*(?:->|\[|\{).*)|[A-Za-z]+(?:-[A-Za-z]+)*-v?\d+(?:\.\d+)+(?:[-+.]\w+)*"
    r"|(?-i:[a-z][a-z0-9_-]*(?:/[a-z0-9][a-z0-9_-]*){2,}(?:-[A-Za-z0-9]{6})?)|/\^.*|\^.*\$|\(\?[=!:<].*"
    r"|v?\d+(?:\.\d+)+[\w.-]*|-?\d+(?:\.\d+)?(?:px|em|rem|%|s|ms|kb|mb|gb|k|m|b|h|d)?|0x[0-9a-fA-F]{1,8}|#[0-9a-fA-F]{3,8}",
    re.IGNORECASE | re.DOTALL,
)
# An identifier made of the very words that name a secret, or a usual variable: `password2`, `token_b64`, `sha256`.
_IDENTIFIER = re.compile(
    r"[a-z_-]*(?:pass|pwd|token|secret|key|auth|cred|param|value|string|field|input|user|name|type|code|hash|sha|md5|base64|utf"
    r"|oauth|http|version|config|option|bearer|basic|index|level|model|bert|gpt|llama|none|null|true|false|undefined)[a-z_-]*"
    r"\d{0,4}[a-z_-]*|[a-z]{1,3}[0-9]{1,3}|[a-z]+\d{0,2}:[a-z]+\d{0,2}|[A-Za-z]+(?:[_-][A-Za-z]+)*|[a-z]+\d{0,3}(?:_[a-z]+\d{0,3})+",
    re.IGNORECASE,
)
_WORDY = re.compile(r"[A-Za-z]+(?:[-_'][A-Za-z0-9]+)+|[A-Z]?[a-z]+(?:[A-Z][a-z]+)*\d?", re.ASCII)
# Words of what a form or a manual says about a password; a passphrase is drawn from others.
_SPOKEN_WORDS = """
a an the is are was be been not no if you your yours my our their its this that these those please enter must should
may can will password passwords passwd passphrase passcode secret secrets key keys token tokens user username login
sign log invalid incorrect wrong required optional forgot reset change changed confirm new old current set unset
missing empty field fields value's field's input type string text characters letters digits numbers length least
most minimum maximum long short account email server database db used use uses using for to from of in on at by or
has have had does do did none null undefined true false default hidden encrypted hash hashed plain random generated
"""
_SPOKEN = frozenset(_SPOKEN_WORDS.split())
# What a rule matched whole, to be left alone: an assignment to the name of something beside it, `secret_name: x`.
_ASIDE = re.compile(
    r"[a-z_ -]{3,40}(?:name|ref|path|file|dir|ur[il]|endpoint|type|hint|question|length|len|policy|field|label|arn"
    r"|version|manager|store|provider|expir[a-z]{1,6}|age|ttl|rotation|count|size|format|encoding|algorithm|regex|pattern|prefix"
    r"|placeholder|error|message|status|separator|delimiter|header)s?[\"'`\\]*\s{0,4}[:=]",
    re.IGNORECASE,
)
# What begins as code does: a call, a subscript, a reference.
_CALL = re.compile(r"[A-Za-z_][\w.]{2,}[(\[]|\$[{(]|\{\{?|[(\[<%]")
_SPECIAL = frozenset("!@#$%^&*+=?~|;:<>{}[]()")


def entropy(text: str) -> float:
    """Shannon entropy of the characters of `text`, in bits each."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values()) if size else 0.0


def not_placeholder(text: str) -> bool:
    """A published token form that is filled with something: not `xxxx`, `<your-key>`, one character repeated.

    A word such as EXAMPLE inside does not excuse it: who sends a key of a vendor's exact form, sends a key.
    """
    if _FILLER.search(text):
        return False
    return len(text) < 12 or len(set(text)) >= 6


def token(text: str) -> bool:
    """An opaque token: letters and digits mixed, not a placeholder, not words joined by hyphens."""
    if not not_placeholder(text) or (_WORDY.fullmatch(text) and sum(map(str.isdigit, text)) < 3):
        return False
    return any(map(str.isdigit, text)) and any(map(str.isalpha, text))


def _kinds(text: str) -> tuple[bool, bool, bool, bool]:
    """Does `text` hold a lower-case letter, an upper-case one, a digit, a special character?"""
    return (
        any(map(str.islower, text)),
        any(map(str.isupper, text)),
        any(map(str.isdigit, text)),
        not _SPECIAL.isdisjoint(text),
    )


def _stands_for_value(text: str) -> bool:
    return bool(_STAND_IN.search(text) or _REFERENCE.fullmatch(text) or _ASIDE.match(text))


def secret_quoted(text: str) -> bool:
    """A quoted value under a name such as `password`: digits or specials among letters, and no reference."""
    text = text.strip()
    if len(text) < 5 or _stands_for_value(text) or len(set(text)) < 4:
        return False
    lower, upper, digit, special = _kinds(text)
    if " " in text:
        return False
    if digit and not (lower or upper):
        return len(text) >= 6
    if not digit and not special:
        return len(text) >= 16 and lower and upper and not _WORDY.fullmatch(text)
    return not _IDENTIFIER.fullmatch(text)


def secret_bare(text: str) -> bool:
    """An unquoted value after `=` or `:`: as `secret_quoted`, but it must not look like code."""
    if len(text) < 6 or not secret_quoted(text):
        return False
    lower, upper, digit, special = _kinds(text)
    letters = lower or upper
    if not digit:
        return special and len(text) >= 8 and lower + upper + special >= 2 and len(set(text) & _SPECIAL) >= 2
    return letters and entropy(text) >= 2.3


def secret_brackets(text: str) -> bool:
    """An unquoted value with brackets in it that do not match, as in a password drawn at random and never in code."""
    text = text.rstrip(".,;:)]}>'\"`")
    kinds = _kinds(text)
    if _balanced(text) or not (kinds[0] or kinds[1]) or len(text) < 10 or _CALL.match(text):
        return False
    return len(set(text) & _SPECIAL) >= (3 if kinds[2] else 6) and entropy(text) >= 3.0


def _balanced(text: str) -> bool:
    return all(text.count(first) == text.count(last) for first, last in ("()", "[]", "{}"))


def secret_prose(text: str) -> bool:
    """A value after "the password is": a sentence's last full stop does not count, digits alone do when six or more."""
    text = text.rstrip(".,!?;:")
    if text.isdigit():
        return 6 <= len(text) <= 24 and len(set(text)) > 1
    return secret_bare(text) or (secret_quoted(text) and len(text) >= 6 and _kinds(text)[2])


def secret_strong(text: str) -> bool:
    """A value that looks random on its own: for names that promise little (`key`, `token`, `auth`)."""
    text = text.rstrip(".,;:")
    if len(text) < 8 or any(c in text for c in " \t\n\"'`"):
        return False
    if _stands_for_value(text) or _IDENTIFIER.fullmatch(text) or _WORDY.fullmatch(text):
        return False
    lower, upper, digit, special = _kinds(text)
    if not digit or not (lower or upper):
        return False
    if len(text) >= 20:
        return entropy(text) >= 3.0 and sum(map(str.isdigit, text)) >= 2
    return lower + upper + digit + special >= 3 and entropy(text) >= 2.8


def token_drawn(text: str) -> bool:
    """A long opaque value, perhaps behind words of its own kind (`acme_live_...`): its last part is random."""
    last = re.split(r"[_.-]", text.rstrip(".,;:"))[-1] or text
    return not _stands_for_value(text) and len(last) >= 16 and token(last) and secret_strong(last)


def totp_seed(text: str) -> bool:
    """A base32 seed of RFC 6238 as services print it: letters and the digits 2 to 7, not words."""
    text = text.replace(" ", "")
    return sum(map(str.isdigit, text)) >= 2 and entropy(text) >= 3.0


def recovery_code(text: str) -> bool:
    """A code that opens an account once: not a year beside a year, not one digit over and over."""
    parts = re.split(r"[ -]", text)
    return len(set(text)) >= 4 and not all(re.fullmatch(r"(?:19|20)\d\d", part) for part in parts)


def password_drawn(text: str) -> bool:
    """A value that no one would write but as a password: random on its own, or with brackets that do not match."""
    text = text.rstrip(".,;:!?") if secret_strong(text.rstrip(".,;:!?")) else text
    return secret_strong(text) or secret_brackets(text)


def passphrase(text: str) -> bool:
    """Words in quotation marks under the name of a password: small letters, and none that speaks of passwords."""
    words = re.split(r"[ -]+", text)
    if text != text.lower() or not 12 <= len(text) <= 80 or len(words) < 3 or _stands_for_value(text):
        return False
    return sum(len(word) > 2 for word in words) >= 3 and _SPOKEN.isdisjoint(words)


def jwt(text: str) -> bool:
    """A token whose first part is the JSON object that RFC 7519 wants there, in base64url."""
    head = text.partition(".")[0]
    if not not_placeholder(text):
        return False
    try:
        return isinstance(json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4))), dict)
    except (ValueError, RecursionError):
        return False


def pem_body(text: str) -> bool:
    """A private key block with a body (a bare header in prose or a search pattern has none)."""
    return len(text) > 80 or "\n" in text or "\\n" in text


def basic_pair(text: str) -> bool:
    """The password part of `user:password@host`: any value that is no reference."""
    return not _stands_for_value(text) and text.lower() not in {
        "password",
        "pass",
        "passwd",
        "pwd",
        "token",
        "secret",
        "user",
    }


def url_credentials(text: str) -> bool:
    """A URL whose authority holds a password that is no reference or stand-in."""
    authority = text.partition("://")[2].rpartition("@")[0]
    return basic_pair(authority.partition(":")[2])
