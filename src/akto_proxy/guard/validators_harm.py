"""Whether words that ask for harm mean it: no word of prevention, study or another trade stands among them.

Trade-off: who hides the wish behind such a word ("... as a victim would") is left to the learned detector.
"""

from __future__ import annotations

import re

_SPARED = re.compile(
    r"(?i)\b(?:"
    r"(?:prevent|protect|detect|defend|avoid|report|stop|block|filter|secur|surviv|combat|fight|mitigat|disarm|investigat|"
    r"prosecut|punish|recogni[sz])(?:e|es|ed|s|ing|ion|or|ors)?|"
    r"recover(?:y|ing)?|treat(?:s|ment|ments|ing)?|symptoms?|awareness|victims?|history|historical|historians?|documentary|"
    r"penalt(?:y|ies)|auditors?|laws? against|against|harmful|"
    r"(?:do|does|can|could|did|the|how) (?:the )?police|"
    r"remov(?:e|es|ing|al of) (?:the |an? )?(?:malware|virus|ransomware|rootkit|spyware|botnet)|"
    r"dispos(?:e|al) of (?:an? )?(?:bomb|explosive)s?|"
    r"bath bombs?|cherry bombs?|photo ?bombs?|minecraft|fortnite|skyrim|video games?|in (?:the|a|this) game|in-game|"
    r"laughing|shaving|groom (?:my|a|the) (?:dog|cat|horse))\b"
)


def meant(text: str) -> bool:
    """Whether nothing in the matched words says that they are about harm and not for it."""
    return _SPARED.search(text) is None
