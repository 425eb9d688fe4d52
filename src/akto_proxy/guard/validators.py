"""Checks over the text of a match: checksums, ranges, forms. Each is pure, total and says True to keep the finding.

python-stdnum checks the national numbers and `phonenumbers` the telephones; both are imported at the first match,
so that a process that never sees a Finnish number pays nothing. What matches often (cards, IBAN) is our own code:
a table for Luhn takes a third of the library's time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from akto_proxy.guard import validators_generic as generic
from akto_proxy.guard import validators_secret as secret
from akto_proxy.guard.validators_national import NATIONAL

Validator = Callable[[str], bool]

VALIDATORS: Mapping[str, Validator] = MappingProxyType(
    {
        "aba_routing": generic.aba_routing,
        "basic_pair": secret.basic_pair,
        "bitcoin": generic.bitcoin,
        "card": generic.card,
        "coordinates": generic.coordinates,
        "date": generic.date,
        "email": generic.email,
        "ethereum": generic.ethereum,
        "iban": generic.iban,
        "imei": generic.imei,
        "ipv4": generic.ipv4,
        "ipv6": generic.ipv6,
        "luhn": generic.luhn,
        "mac": generic.mac,
        "not_placeholder": secret.not_placeholder,
        "npi": generic.npi,
        "pem_body": secret.pem_body,
        "phone_international": generic.phone_international,
        "phone_nanp": generic.phone_nanp,
        "phone_national": generic.phone_national,
        "secret_bare": secret.secret_bare,
        "secret_prose": secret.secret_prose,
        "secret_quoted": secret.secret_quoted,
        "secret_strong": secret.secret_strong,
        "swift": generic.swift,
        "token": secret.token,
        "url": generic.url,
        "vin": generic.vin,
        **NATIONAL,
    }
)
