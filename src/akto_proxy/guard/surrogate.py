"""Invented values of the same form: a card that passes Luhn's check, a phone number nobody has, a name as long.

Each is a function of a key and the original, so a text keeps its sense: one person stays one person. They use what is
reserved for examples where such a thing exists (example.com, 555-01xx, 192.0.2.0/24). Trade-off: where none exists
(cards, national numbers) a surrogate may by chance belong to someone; choose `label` where that matters.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator

_FIRST = (
    "Alex",
    "Robin",
    "Sam",
    "Kim",
    "Jamie",
    "Morgan",
    "Taylor",
    "Casey",
    "Jordan",
    "Noa",
    "Ash",
    "Charlie",
    "Drew",
    "Emery",
    "Frankie",
    "Jules",
)
_LAST = (
    "Hill",
    "Brook",
    "Field",
    "Wood",
    "Lake",
    "Stone",
    "Marsh",
    "Dale",
    "Ford",
    "Moor",
    "Ridge",
    "Glen",
    "Cove",
    "Heath",
    "Grove",
    "Shaw",
)
_STREETS = ("Oak", "Elm", "Maple", "Cedar", "Birch", "Willow", "Ash", "Linden", "Hazel", "Rowan", "Alder", "Beech")
_PLACES = ("Northfield", "Eastbrook", "Westmoor", "Southdale", "Millford", "Ashton", "Lakeview", "Ridgeway")
_FIRMS = ("Acorn", "Beacon", "Cobalt", "Dovetail", "Ember", "Fathom", "Granite", "Harbor")


def surrogate(key: bytes, entity: str, text: str) -> str:
    """An invented value of the form of `text`."""
    numbers = _numbers(key, entity, text)
    for _ in range(8):  # a short value may come out as itself
        made = _make(entity, text, numbers)
        if made != text:
            return made
    return f"<{entity}>"


def _numbers(key: bytes, entity: str, text: str) -> Iterator[int]:
    """Endless bytes that only key, entity and text determine."""
    seed = hmac.new(key, f"surrogate:{entity}\0{text}".encode("utf-8", "replace"), hashlib.sha256).digest()
    count = 0
    while True:
        yield from hashlib.sha256(seed + count.to_bytes(8, "big")).digest()
        count += 1


def _make(entity: str, text: str, numbers: Iterator[int]) -> str:
    maker = _MAKERS.get(entity)
    return maker(text, numbers) if maker else _scrambled(text, numbers, keep=_prefix(text))


def _email(_text: str, numbers: Iterator[int]) -> str:
    return f"{_pick(_FIRST, numbers).lower()}.{_pick(_LAST, numbers).lower()}{next(numbers)}@example.com"


def _address(_text: str, numbers: Iterator[int]) -> str:
    return f"{next(numbers) + 1} {_pick(_STREETS, numbers)} Street"


def _location(_text: str, numbers: Iterator[int]) -> str:
    return _pick(_PLACES, numbers)


def _organization(_text: str, numbers: Iterator[int]) -> str:
    return f"{_pick(_FIRMS, numbers)} Ltd"


def _url(_text: str, numbers: Iterator[int]) -> str:
    return f"https://example.com/{next(numbers):02x}{next(numbers):02x}"


def _ip(text: str, numbers: Iterator[int]) -> str:
    if ":" in text:
        return f"2001:db8::{next(numbers):x}:{next(numbers):x}"
    return f"203.0.113.{next(numbers)}"


def _card(text: str, numbers: Iterator[int]) -> str:
    return _luhn(_scrambled(text, numbers, keep=1))


def _pick(words: tuple[str, ...], numbers: Iterator[int]) -> str:
    return words[next(numbers) % len(words)]


def _person(text: str, numbers: Iterator[int]) -> str:
    count = len(text.split())
    if count < 2:
        return _pick(_FIRST, numbers)
    return " ".join([_pick(_FIRST, numbers) for _ in range(count - 1)] + [_pick(_LAST, numbers)])


def _scrambled(text: str, numbers: Iterator[int], keep: int = 0) -> str:
    """Each digit, lower-case and upper-case letter beyond the first `keep` becomes another of its kind."""
    out = [text[:keep]]
    for char in text[keep:]:
        if char.isdigit():
            out.append(str(next(numbers) % 10))
        elif char.isalpha():
            letter = chr(97 + next(numbers) % 26)
            out.append(letter.upper() if char.isupper() else letter)
        else:
            out.append(char)
    return "".join(out)


def _prefix(text: str) -> int:
    """The length of a key's published prefix (`sk-`, `ghp_`), which says what it is and nothing else."""
    for place, char in enumerate(text[:8]):
        if char in "-_":
            return place + 1
    return 0


def _luhn(text: str) -> str:
    """`text` with its last digit such that Luhn's check passes."""
    places = [place for place, char in enumerate(text) if char.isdigit()]
    if len(places) < 2:
        return text
    total = 0
    for turn, place in enumerate(reversed(places[:-1])):
        digit = int(text[place]) * (2 if turn % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    last = places[-1]
    return f"{text[:last]}{-total % 10}{text[last + 1 :]}"


def _account(text: str, numbers: Iterator[int]) -> str:
    return _iban(_scrambled(text, numbers, keep=2))


def _iban(text: str) -> str:
    """`text` with its two check digits right (ISO 7064, MOD 97-10)."""
    plain = "".join(char for char in text.upper() if char.isalnum())
    if len(plain) < 5 or not plain.isascii():
        return text
    rest = "".join(str(int(char, 36)) for char in plain[4:] + plain[:2] + "00")
    check = f"{98 - int(rest) % 97:02d}"
    places = [place for place, char in enumerate(text) if char.isalnum()][2:4]
    return "".join(check[places.index(place)] if place in places else char for place, char in enumerate(text))


def _phone(text: str, numbers: Iterator[int]) -> str:
    """Digits in the same places; in a North American number the subscriber is 555-01xx, which is nobody's."""
    places = [place for place, char in enumerate(text) if char.isdigit()]
    digits = [str(next(numbers) % 10) for _ in places]
    code = 3 if text.lstrip().startswith("+") else 0
    digits[:code] = [text[place] for place in places[:code]]
    if (len(places) == 10 and not code) or (len(places) == 11 and text[places[0]] == "1"):
        digits[-10:-7] = [text[place] for place in places[-10:-7]]
        digits[-7:-2] = list("55501")
    made = dict(zip(places, digits, strict=True))
    return "".join(made.get(place, char) for place, char in enumerate(text))


def _date(text: str, numbers: Iterator[int]) -> str:
    """Numbers of four digits become a year, of one or two a day that every month has, or a month."""
    out: list[str] = []
    at = 0
    while at < len(text):
        end = at
        while end < len(text) and text[end].isdigit():
            end += 1
        size = end - at
        if size == 0:
            out.append(text[at])
        elif size == 4:
            out.append(str(1940 + next(numbers) % 66))
        elif size <= 2:
            out.append(str(1 + next(numbers) % 12).zfill(size)[-size:] if size == 2 else str(1 + next(numbers) % 9))
        else:
            out.append(_scrambled(text[at:end], numbers))
        at = max(end, at + 1)
    return "".join(out)


_MAKERS: dict[str, Callable[[str, Iterator[int]], str]] = {
    "EMAIL_ADDRESS": _email,
    "PERSON": _person,
    "ADDRESS": _address,
    "STREET_ADDRESS": _address,
    "LOCATION": _location,
    "ORGANIZATION": _organization,
    "URL": _url,
    "IP_ADDRESS": _ip,
    "CREDIT_CARD": _card,
    "IBAN_CODE": _account,
    "PHONE_NUMBER": _phone,
    "DATE_TIME": _date,
    "DATE_OF_BIRTH": _date,
}
