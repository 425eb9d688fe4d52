"""Checks of national numbers: a name for each python-stdnum module in use, and our own code where it has none.

Trade-off: names are bound here, modules are imported at their first match. A module that raises is read as "no".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from akto_proxy.guard.validators_generic import digits, luhn, stdnum

_MODULES = """
al.nipt ar.cuit ar.dni at.vnr at.tin au.abn au.acn au.tfn be.nn be.bis bg.egn br.cnpj br.cpf ca.sin ch.ssn ch.uid
cl.rut cn.ric cn.uscc co.nit cr.cpf cu.ni cz.rc de.idnr de.stnr dk.cpr do.cedula ec.ci ee.ik eg.tn es.cif es.dni
es.nie es.nif fi.hetu fi.ytunnus fr.nif fr.nir fr.siren fr.siret gb.nhs gb.upn gb.utr gr.amka gr.vat gt.nit hr.oib
hu.anum id.nik id.npwp ie.pps il.idnr in_.aadhaar in_.epic in_.gstin in_.pan in_.vid is_.kennitala it.codicefiscale
it.iva jp.in_ jp.cn ke.pin kr.brn kr.rrn lt.asmens lv.pvn ma.ice md.idno mk.edb mu.nid mx.curp mx.rfc my.nric mz.nuit
nl.bsn nl.onderwijsnummer no.fodselsnummer nz.ird pe.cui pe.ruc pk.cnic pl.nip pl.pesel pl.regon pt.cc pt.nif py.ruc
ro.cnp rs.pib ru.inn se.orgnr se.personnummer sg.uen si.emso si.ddv sk.rc sv.nit th.pin th.tin tn.mf tr.tckimlik
tr.vkn tw.ubn ua.rntrc ua.edrpou us.itin us.ssn us.ptin us.atin us.ein uy.rut ve.rif vn.mst za.idnr za.tin eu.vat
"""
_LIBRARY = tuple(_MODULES.split())


def _library(module: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return bool(stdnum(module)(text))
        except (ValueError, ArithmeticError, LookupError, TypeError):
            return False

    return check


def _weighted(text: str, weights: tuple[int, ...]) -> int:
    return sum(w * int(d) for w, d in zip(weights, text, strict=False))


def us_ssn(text: str) -> bool:
    """A social security number that could have been issued. Printed examples count: a proxy cannot know better."""
    number = digits(text)
    if len(number) != 9 or len(set(number)) < 2:
        return False
    return number[:3] not in {"000", "666"} and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def us_itin(text: str) -> bool:
    """A taxpayer number: 9xx, and a middle group that the revenue service has issued."""
    number = digits(text)
    middle = int(number[3:5] or 0)
    issued = (50, 65), (70, 88), (90, 92), (94, 99)
    return len(number) == 9 and number[0] == "9" and any(low <= middle <= high for low, high in issued)


def us_dea(text: str) -> bool:
    """A prescriber's registration: two letters and seven digits with a check digit."""
    d = [int(c) for c in digits(text)]
    return len(d) == 7 and (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def uk_nino(text: str) -> bool:
    """A national insurance number: the prefixes never given are left out."""
    value = re.sub(r"[\s-]", "", text).upper()
    return value[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"} and len(value) in (8, 9)


def sg_nric(text: str) -> bool:
    """A Singapore NRIC or FIN with its check letter (S, T, F, G, M)."""
    value = text.upper()
    total = _weighted(value[1:8], (2, 7, 6, 5, 4, 3, 2))
    if value[0] in "ST":
        return "JZIHGFEDCBA"[(total + (4 if value[0] == "T" else 0)) % 11] == value[8]
    if value[0] in "FG":
        return "XWUTRQPNMLK"[(total + (4 if value[0] == "G" else 0)) % 11] == value[8]
    return value[0] == "M" and "KLJNPQRTUWX"[10 - (total + 3) % 11] == value[8]


def kr_rrn(text: str) -> bool:
    """A Korean resident number: a date and a sex digit; numbers given since October 2020 have no check digit."""
    number = digits(text)
    return len(number) == 13 and 1 <= int(number[2:4]) <= 12 and 1 <= int(number[4:6]) <= 31 and number[6] in "12345678"


def tw_id(text: str) -> bool:
    """A Taiwanese identity number: a letter, nine digits and a check digit."""
    value = text.upper()
    place = "ABCDEFGHJKLMNPQRSTUVXYWZIO".find(value[0]) + 10
    return (place // 10 + place % 10 * 9 + _weighted(value[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def hk_id(text: str) -> bool:
    """A Hong Kong identity card number with its check digit."""
    value = re.sub(r"[^A-Z0-9]", "", text.upper())
    if len(value) not in (8, 9):
        return False
    codes = [36] * (9 - len(value)) + [int(c, 36) for c in value[:-1]]
    total = sum(w * c for w, c in zip(range(9, 1, -1), codes, strict=True))
    return "0A987654321"[total % 11] == value[-1] if total % 11 != 1 else value[-1] == "A"


def au_medicare(text: str) -> bool:
    """An Australian Medicare number: ten or eleven digits with a check digit."""
    number = digits(text)
    return (
        len(number) in (10, 11)
        and number[0] in "23456"
        and _weighted(number[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(number[8])
    )


def lv_pk(text: str) -> bool:
    """A Latvian personal code: the old form's check digit, or the new form that begins with 32."""
    number = digits(text)
    if len(number) != 11:
        return False
    return number[:2] == "32" or (1101 - _weighted(number[:10], (1, 6, 3, 7, 9, 10, 5, 8, 4, 2))) % 11 == int(
        number[10]
    )


def de_svnr(text: str) -> bool:
    """A German pension insurance number: area, birth date, letter, serial, check digit."""
    value = re.sub(r"\s", "", text).upper()
    if not re.fullmatch(r"\d{8}[A-Z]\d{3}", value):
        return False
    full = value[:8] + f"{ord(value[8]) - 64:02d}" + value[9:]
    parts = (int(d) * w for d, w in zip(full[:-1], (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True))
    return sum(p // 10 + p % 10 for p in parts) % 10 == int(full[-1])


def de_kvnr(text: str) -> bool:
    """A German health insurance number: a letter, eight digits, a check digit."""
    value = text.upper()
    full = f"{ord(value[0]) - 64:02d}" + value[1:]
    parts = (int(d) * w for d, w in zip(full[:-1], (1, 2) * 5, strict=True))
    return len(value) == 10 and sum(p // 10 + p % 10 for p in parts) % 10 == int(full[-1])


def de_id_card(text: str) -> bool:
    """A German identity card or passport number: weights 7-3-1 where the check digit is given."""
    value = text.upper()
    if len(value) == 9:
        return any(map(str.isdigit, value))
    return sum(w * int(c, 36) for w, c in zip((7, 3, 1) * 3, value[:9], strict=True)) % 10 == int(value[9])


def ru_snils(text: str) -> bool:
    """A Russian insurance number with its two check digits."""
    number = digits(text)
    total = _weighted(number[:9], (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 101 % 100
    return len(number) == 11 and total == int(number[9:])


def br_cnh(text: str) -> bool:
    """A Brazilian driving licence: two check digits."""
    number = digits(text)
    if len(number) != 11 or len(set(number)) == 1:
        return False
    first = _weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, 1)) % 11
    less, first = (2, 0) if first >= 10 else (0, first)
    second = _weighted(number, (1, 2, 3, 4, 5, 6, 7, 8, 9)) % 11
    second = 0 if second >= 10 else second - less
    return number[9:] == f"{first}{max(second, 0)}"


def ng_nin(text: str) -> bool:
    """A Nigerian identity number: eleven digits, not alike (its check digit is not published)."""
    return len(digits(text)) == 11 and len(set(digits(text))) > 3


def fi_hetu(text: str) -> bool:
    """A Finnish personal identity code: date, century sign (those of 2023 too), number, check sign modulo 31."""
    value = text.upper()
    if len(value) != 11 or not (1 <= int(value[:2]) <= 31 and 1 <= int(value[2:4]) <= 12):
        return False
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(value[:6] + value[7:10]) % 31] == value[10]


def au_abn(text: str) -> bool:
    """An Australian business number: weights 10, 1, 3, 5, ... 19 over the number less one in front, modulo 89."""
    number = digits(text)
    weights = (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)
    return len(number) == 11 and number[0] != "0" and (_weighted(number, weights) - 10) % 89 == 0


def za_id(text: str) -> bool:
    """A South African identity number: a birth date and the Luhn check."""
    number = digits(text)
    return len(number) == 13 and 1 <= int(number[2:4]) <= 12 and 1 <= int(number[4:6]) <= 31 and luhn(number)


def se_personnummer(text: str) -> bool:
    """A Swedish personal or coordination number: date (day may be raised by 60) and the Luhn check on ten digits."""
    number = digits(text)[-10:]
    day = int(number[4:6] or 0)
    return len(number) == 10 and 1 <= int(number[2:4]) <= 12 and (1 <= day <= 31 or 61 <= day <= 91) and luhn(number)


def several_digits(text: str) -> bool:
    """An identifier without a published check: at least five digits, at least three different ones."""
    number = digits(text)
    return len(number) >= 5 and len(set(number)) >= 3


NATIONAL: Mapping[str, Callable[[str], bool | float]] = MappingProxyType(
    {
        **{module.replace("_.", ".").replace(".", "_"): _library(module) for module in _LIBRARY},
        "au_abn": au_abn,
        "au_medicare": au_medicare,
        "br_cnh": br_cnh,
        "de_id_card": de_id_card,
        "de_kvnr": de_kvnr,
        "de_svnr": de_svnr,
        "fi_hetu": fi_hetu,
        "hk_id": hk_id,
        "kr_rrn": kr_rrn,
        "lv_pk": lv_pk,
        "ng_nin": ng_nin,
        "ru_snils": ru_snils,
        "se_personnummer": se_personnummer,
        "several_digits": lambda text: 0.75 if several_digits(text) else 0.0,
        "sg_nric": sg_nric,
        "tw_id": tw_id,
        "uk_nino": uk_nino,
        "us_dea": us_dea,
        "us_itin": us_itin,
        "us_ssn": us_ssn,
        "za_id": za_id,
    }
)
