"""Texts in languages that nobody speaks: real sentences with each letter replaced by one of some script.

What is never seen must not look guilty. These texts have the length, marks and rhythm of language and no word of it,
so what they teach is that unknown words say nothing, in any script.
"""

from __future__ import annotations

import random
import re

ALPHABETS = {
    "latin": "abcdefghijklmnopqrstuvwxyzäöüåøæçñõãâêîôûáéíóúàèìòùýþðłśźżćńčšžřďťňăâîșțğışő",
    "cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяіїєґ",
    "greek": "αβγδεζηθικλμνξοπρστυφχψωάέήίόύώς",
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءأإپچژگ",
    "hebrew": "אבגדהוזחטיכלמנסעפצקרשתךםןףץ",
    "devanagari": "अआइईउएऐओकखगघचछजझटठडढतथदधनपफबभमयरलवशषसह",
    "bengali": "অআইঈউএওকখগঘচছজটঠডতথদধনপফবভমযরলশষসহ",
    "thai": "กขคงจชซญดตถทธนบปผพฟภมยรลวศสหอะาิีึืุูเแโใไ่้",
    "han": "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生自会那后能对着事其里所去行过家十用发天如然作方成者多日都三小军二无同么经法当起与好看学进种将还分此心前面又定见只主没公从知使",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんアイウエオカキクケコサシスセソタチツテトナ",
    "hangul": "가각간갈감강개거건걸검것게겨결경계고곡공과관광교구국군권그금기길김나날남내너네노는다달당대더도동두들등라로리마만말면명모무문물미민바반발방배법보부분비사산상서선성세소속수시식신실심아안약양어언업여연영오온와요용우운원위유은을의이인일자장전정제조주중지진차참처천체초최출치친카타통트파하한해행현형호화회",
}
GLYPHS = ("thai", "han", "kana")
"""Scripts that put no space between words."""


def cipher(chance: random.Random, text: str) -> str:
    """`text` in a script drawn by chance; digits, marks and line breaks stay."""
    name = chance.choice(list(ALPHABETS))
    alphabet = ALPHABETS[name]
    if name in GLYPHS or name == "hangul":
        size = {"han": 2, "kana": 3, "thai": 5, "hangul": 3}[name]
        words: dict[str, str] = {}

        def word(match: re.Match[str]) -> str:
            low = match.group().lower()
            return words.setdefault(low, "".join(chance.choice(alphabet) for _ in range(1 + len(low) * size // 6)))

        made = re.sub(r"[A-Za-z]+", word, text)
        if name in GLYPHS:
            made = re.sub(r"(?<=[^\x00-\x7f]) (?=[^\x00-\x7f])", "", made)
        return made.replace(". ", "。").replace("?", "？") if name in ("han", "kana") else made
    letters = [chance.choice(alphabet) for _ in range(26)]
    table = {ord("a") + k: letter for k, letter in enumerate(letters)}
    table |= {ord("A") + k: letter.upper() if len(letter.upper()) == 1 else letter for k, letter in enumerate(letters)}
    made = text.translate(table)
    return made.replace("?", "؟").replace(",", "،") if name == "arabic" else made
