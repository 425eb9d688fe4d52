"""Checks of numbers and addresses that belong to no one country: cards, IBAN, IP, telephone, wallet, vehicle.

Trade-off: `phonenumbers` knows what is assigned, and made-up but well-formed numbers fail there; after a `+` it is
asked only whether the number is possible, so a caller's invented number is still protected.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable
from functools import cache
from typing import Any

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_NOT_DIGIT = re.compile(r"[^0-9]+", re.ASCII)
_BASE58 = {c: i for i, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32 = {c: i for i, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_IBAN = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18
FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20
LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24
SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS = {pair[:2]: int(pair[2:]) for pair in _IBAN.split()}
_BIC_ALSO = frozenset(
    [
        "US",
        "CA",
        "AU",
        "NZ",
        "JP",
        "CN",
        "HK",
        "SG",
        "IN",
        "ZA",
        "KR",
        "TW",
        "TH",
        "MY",
        "PH",
        "ID",
        "VN",
        "MX",
        "AR",
        "CL",
        "CO",
        "PE",
        "NG",
        "KE",
    ]
)
_NOT_A_DOMAIN = frozenset(
    ["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "py", "md", "html", "local", "localhost"]
)


def digits(text: str) -> str:
    """The ASCII digits of `text`, in order."""
    return _NOT_DIGIT.sub("", text)


def luhn(text: str) -> bool:
    """The digits of `text` pass the Luhn check (ISO/IEC 7812) and are not all alike."""
    number = digits(text)
    if len(number) < 2 or number == number[0] * len(number):
        return False
    values = [ord(c) - 48 for c in reversed(number)]
    return (sum(values[::2]) + sum(_DOUBLED[v] for v in values[1::2])) % 10 == 0


def _issuer(number: str) -> bool:
    """Does the number's length fit its issuer's range?"""
    size, two, four = len(number), int(number[:2]), int(number[:4])
    if number[0] == "4":
        return size in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or two == 35:
        return size == 16
    if two in (34, 37):
        return size == 15
    if two in (36, 38, 39) or 3000 <= four <= 3059 or four == 3095:
        return 14 <= size <= 19
    if two in (60, 62, 64, 65, 81, 50, 56, 57, 58, 63, 67) or 2200 <= four <= 2204:
        return 16 <= size <= 19
    return False


def card(text: str) -> bool:
    """A payment card number: an issuer's range and length, and the Luhn check."""
    number = digits(text)
    if any(map(str.isalpha, text)):
        return False  # "tracking 4987...": matched to be left alone
    return 13 <= len(number) <= 19 and _issuer(number) and luhn(number)


def iban(text: str) -> bool:
    """An IBAN: its country's length and the ISO 7064 check."""
    value = re.sub(r"[\s.\-]", "", text).upper()
    if _IBAN_LENGTHS.get(value[:2]) != len(value) or not value.isascii() or not value.isalnum():
        return False
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1


def ipv4(text: str) -> bool:
    """An IPv4 address of a host: not unspecified, loopback, broadcast or a netmask."""
    host, _, prefix = text.partition("/")
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    if prefix and not address.is_global and host.endswith(".0"):
        return False  # a range of private or shared addresses is nobody's address
    return not (address.is_unspecified or address.is_loopback or text.startswith(("255.", "0.")))


def ipv6(text: str) -> bool:
    """An IPv6 address of a host, not `::` or `::1`."""
    groups = text.partition("/")[0].split(":")
    if all(len(group) <= 2 and (group.isdigit() or not group) for group in groups):
        return False  # `::34:58` and `58::34:58` in a log line
    try:
        address = ipaddress.IPv6Address(text.partition("/")[0].partition("%")[0])
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback) and sum(c in "0123456789abcdefABCDEF" for c in text) >= 4


def mac(text: str) -> bool:
    """A MAC address that is neither all zeros nor the broadcast address."""
    value = re.sub(r"[^0-9a-fA-F]", "", text).lower()
    return len(value) == 12 and len(set(value)) > 1


def _phonenumbers() -> Any:
    import phonenumbers

    return phonenumbers


def phone_international(text: str) -> bool:
    """A telephone number that starts with `+` or `00` and a country code, of a possible length."""
    lib = _phonenumbers()
    value = "+" + digits(text)[2:] if text.lstrip("( ").startswith("00") else text
    try:
        return bool(lib.is_possible_number(lib.parse(value, None)))
    except lib.NumberParseException:
        return False


def phone_nanp(text: str) -> bool:
    """A North American number: area and exchange begin with 2-9, neither is a service code."""
    number = digits(re.split(r"(?i)\s*(?:x|ext|#)", text, maxsplit=1)[0])
    if len(number) == 11 and number[0] == "1":
        number = number[1:]
    return len(number) == 10 and number[0] in "23456789" and number[3] in "23456789" and number[1:3] != "11"


_DATE_LIKE = re.compile(
    r"(?:19|20)\d\d([-./ ]?)(?:0\d|1[0-2])\1[0-3]\d|[0-3]?\d[-./ ][0-3]?\d[-./ ](?:19|20)\d\d"
    r"|(?:1\d|20)\d\d ?- ?(?:1\d|20)\d\d"
)

_MOMENT = re.compile(r"(?:19|20)\d\d[-./](?:0\d|1[0-2])[-./][0-3]\d[ T-]")


def phone_national(text: str) -> bool:
    """A number that was called a telephone number: seven to twelve digits, not all alike, not a date."""
    number = digits(re.split(r"(?i)\s*(?:x|ext|#)", text, maxsplit=1)[0])
    if not 7 <= len(number) <= 13 or len(set(number)) < 3:
        return False
    return not (_DATE_LIKE.fullmatch(text) or _MOMENT.match(text))


def email(text: str) -> bool:
    """An e-mail address whose parts are well formed: neither a file's name nor an account of git."""
    local, _, host = text.rpartition("@")
    if not local or ".." in text or local[0] == "." or local[-1] == "." or len(local) > 64 or host[0] in "-.":
        return False
    tail = host.rpartition(".")[2].lower()
    return tail not in _NOT_A_DOMAIN and local.lower() != "git"


def url(text: str) -> bool:
    """A web address with a host that has a dot or a port."""
    host = re.split(r"[/?#]", text.partition("://")[2] or text, maxsplit=1)[0].rpartition("@")[2]
    return "." in host.strip(".") and not host.startswith(".")


def _base58check(text: str, size: int = 25) -> bool:
    number = 0
    for c in text:
        if c not in _BASE58:
            return False
        number = number * 58 + _BASE58[c]
    try:
        raw = number.to_bytes(size, "big")
    except OverflowError:
        return False
    return hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


def _bech32(text: str) -> bool:
    value = text.lower()
    head, _, tail = value.rpartition("1")
    if not head or any(c not in _BECH32 for c in tail):
        return False
    checksum = 1
    expanded = [ord(c) >> 5 for c in head] + [0] + [ord(c) & 31 for c in head] + [_BECH32[c] for c in tail]
    for v in expanded:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ v
        for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= g if top >> i & 1 else 0
    return checksum in (1, 0x2BC830A3)


def bitcoin(text: str) -> bool:
    """A Bitcoin address: Base58Check, or Bech32 and Bech32m (BIP 173, BIP 350)."""
    return _bech32(text) if text.lower().startswith(("bc1", "tb1")) else _base58check(text)


def wif(text: str) -> bool:
    """A Bitcoin private key in wallet import format, by its checksum."""
    return _base58check(text, 37 if text[0] == "5" else 38)


def ethereum(text: str) -> bool:
    """An Ethereum address: 20 bytes that are not nearly all alike."""
    return len(set(text[2:].lower())) >= 6


def vin(text: str) -> bool:
    """A vehicle number: 17 letters and digits (ISO 3779). Its check digit is North American only, so none is asked."""
    value = text.upper()
    return (
        len(value) == 17
        and sum(map(str.isdigit, value)) >= 3
        and sum(map(str.isalpha, value)) >= 2
        and len(set(value)) >= 6
        and not set(value) & set("IOQ")
    )


def imei(text: str) -> bool:
    """An IMEI: 15 digits, Luhn."""
    number = digits(text)
    return len(number) == 15 and luhn(number)


def swift(text: str) -> bool:
    """A BIC (ISO 9362) whose country is one that has IBANs, or a usual other one."""
    value = text.upper()
    return len(value) in (8, 11) and (value[4:6] in _IBAN_LENGTHS or value[4:6] in _BIC_ALSO)


def aba_routing(text: str) -> bool:
    """An American bank routing number: the Federal Reserve's prefix and the 3-7-1 sum."""
    number = digits(text)
    if len(number) != 9 or len(set(number)) < 3:
        return False
    two = int(number[:2])
    if not (two <= 12 or 21 <= two <= 32 or 61 <= two <= 72 or two == 80):
        return False
    return sum(w * int(d) for w, d in zip((3, 7, 1) * 3, number, strict=True)) % 10 == 0


def npi(text: str) -> bool:
    """An American provider number: Luhn with the prefix 80840."""
    number = digits(text)
    return len(number) == 10 and number[0] in "12" and len(set(number)) > 2 and luhn("80840" + number)


def date(text: str) -> bool:
    """A day of birth: numbers that can be a day, a month and a year between 1900 and 2029; words are believed."""
    numbers = [int(n) for n in re.findall(r"\d+", text)]
    if len(numbers) != 3:
        return len(numbers) == 2
    year = max(numbers)
    day, month = sorted((n for i, n in enumerate(numbers) if i != numbers.index(year)), reverse=True)
    if year < 100:
        return 1 <= month <= 12
    return 1900 <= year <= 2029 and 1 <= day <= 31 and 1 <= month <= 12


_MONTH_WORDS = """
jan feb mar apr may jun jul aug sep oct nov dec mär maa mrt mai okt dez fév fev avr jui aoû aou déc ene abr ago dic gen
mag giu lug set ott out maj mei des
"""
_MONTHS = frozenset(_MONTH_WORDS.split())


def date_words(text: str) -> bool:
    """A date with a month in letters (English, and the usual European ones by their first three)."""
    word = next((w for w in re.findall(r"[^\W\d_]{3,}", text.lower()) if w not in {"the", "and"}), "")
    return word[:3] in _MONTHS


def coordinates(text: str) -> bool:
    """A latitude and a longitude in degrees."""
    parts = re.findall(r"-?\d+(?:\.\d+)?", text)
    return len(parts) >= 2 and abs(float(parts[0])) <= 90 and abs(float(parts[1])) <= 180


@cache
def stdnum(module: str) -> Callable[[str], bool]:
    """The `is_valid` of a python-stdnum module (`fi.hetu`), imported when first asked for."""
    from importlib import import_module

    check: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return check


def unquoted(text: str) -> bool:
    """Words that are said, not talked about: no quotation mark opens them."""
    return text[:1] not in "\"'`“‘"
