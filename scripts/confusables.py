"""Write src/akto_proxy/guard/data/confusables.txt from Unicode's confusables data.

Usage: pip install confusable_homoglyphs==3.3.1; then write what this prints there.
Kept are characters outside ASCII that look like one ASCII letter or digit and that NFKC without accents leaves alone.
"""

import json
import unicodedata
from importlib.resources import files

ASCII = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
# Lookalikes that the table leaves to each other: Cyrillic and Greek k, m, t, n, and the phonetic small capitals.
OURS = {"k": "кκĸ", "m": "м", "t": "тτ", "n": "пη", "h": "н"}
SMALL = dict(zip("abcdefghijklmnoprstuvwyz", "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", strict=True))


def main() -> None:
    """Print the table."""
    table = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    alike: dict[str, set[str]] = {char: set() for char in ASCII}
    for source, targets in table.items():
        plain = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", source))
        if len(source) != 1 or source.isascii() or any(char.isascii() for char in plain):
            continue
        if unicodedata.category(source)[0] not in "LN" and unicodedata.category(source) not in ("So", "Cn"):
            continue
        found = sorted(
            {item["c"] for item in targets if len(item["c"]) == 1 and item["c"] in ASCII},
            key=lambda char: (char.isupper() != source.isupper(), ASCII.index(char)),
        )
        if found:
            # A capital I is said to look like an l; as text it is meant as an I.
            alike["I" if found[0] == "l" and source.isupper() else found[0]].add(source)
    known = set().union(*alike.values())
    for char in ASCII:
        alike[char] |= set(OURS.get(char, "") + SMALL.get(char, "")) - known
    print("# Characters that look like an ASCII one: the ASCII character, then its lookalikes as code points.")
    print("# A few lookalikes are ours: scripts/confusables.py names them.")
    print("# From Unicode's confusables.txt (Unicode Technical Standard 39), by way of confusable_homoglyphs 3.3.1.")
    for char, sources in alike.items():
        if sources:
            print(char, *(f"{ord(source):x}" for source in sorted(sources)))


if __name__ == "__main__":
    main()
