"""Checks over the text of a match: checksums, ranges, forms. Each is pure, total and says True to keep the finding.

python-stdnum checks the national numbers and `phonenumbers` the telephones; both are imported at the first match,
so that a process that never sees a Finnish number pays nothing. What matches often (cards, IBAN) is our own code:
a table for Luhn takes a third of the library's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from akto_proxy.guard import validators_generic as generic
from akto_proxy.guard import validators_harm as harm
from akto_proxy.guard import validators_secret as secret
from akto_proxy.guard.validators_national import NATIONAL

Validator = Callable[[str], bool | float]
"""True: proven (by a checksum, a published form). A float: well formed only, and worth that score. False, 0.0: no."""


def _worth(score: float, check: Callable[[str], bool]) -> Validator:
    return lambda text: score if check(text) else 0.0


def _total(check: Validator) -> Validator:
    """`check`, but a text of a form that it cannot read (too short, other digits) is a plain no."""

    def read(text: str) -> bool | float:
        try:
            return check(text)
        except (ValueError, LookupError, ArithmeticError, TypeError):
            return False

    return read


_CHECKS: Mapping[str, Validator] = MappingProxyType(
    {
        "aba_routing": generic.aba_routing,
        "basic_pair": _worth(0.8, secret.basic_pair),
        "bitcoin": generic.bitcoin,
        "card": generic.card,
        "coordinates": _worth(0.7, generic.coordinates),
        "date": _worth(0.75, generic.date),
        "date_words": _worth(0.75, generic.date_words),
        "email": generic.email,
        "ethereum": generic.ethereum,
        "iban": generic.iban,
        "imei": generic.imei,
        "harm_likely": _worth(0.7, harm.meant),
        "harm_plain": _worth(0.93, harm.meant),
        "ipv4": _worth(0.9, generic.ipv4),
        "ipv6": _worth(0.9, generic.ipv6),
        "jwt": _worth(0.95, secret.jwt),
        "luhn": generic.luhn,
        "mac": generic.mac,
        "not_placeholder": secret.not_placeholder,
        "npi": generic.npi,
        "passphrase": _worth(0.6, secret.passphrase),
        "recovery_code": secret.recovery_code,
        "password_drawn": _worth(0.68, secret.password_drawn),
        "pem_body": secret.pem_body,
        "phone_international": _worth(0.8, generic.phone_international),
        "phone_nanp": _worth(0.65, generic.phone_nanp),
        "phone_national": _worth(0.6, generic.phone_national),
        "secret_bare": _worth(0.72, secret.secret_bare),
        "secret_brackets": _worth(0.7, secret.secret_brackets),
        "secret_prose": _worth(0.7, secret.secret_prose),
        "secret_quoted": _worth(0.75, secret.secret_quoted),
        "secret_strong": _worth(0.65, secret.secret_strong),
        "swift": _worth(0.75, generic.swift),
        "token": _worth(0.85, secret.token),
        "token_drawn": _worth(0.65, secret.token_drawn),
        "totp_seed": secret.totp_seed,
        "unquoted": _worth(0.9, generic.unquoted),
        "url": generic.url,
        "url_credentials": secret.url_credentials,
        "vin": _worth(0.75, generic.vin),
        "wif": generic.wif,
        **NATIONAL,
    }
)

VALIDATORS: Mapping[str, Validator] = MappingProxyType({name: _total(check) for name, check in _CHECKS.items()})
