"""Every training text with its role, labels and source: the permitted sets of a data folder and what the grammars make.

Labels: attack (0/1), kind ("injection", "jailbreak", "extraction", ""), hazard ("", "s1" ... "s14", or "?" when unknown).
Sources marked `measure` must never be trained on (their licence says so); they come with that flag so that none is forgotten.
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from training import slots_attack, slots_benign, slots_harm
from training.carriers import carry
from training.cipher import cipher
from training.grammar import Grammar
from training.planting import planted
from training.runs import runs
from training.slots_languages import LANGUAGES
from training.slots_thai import thai


@dataclass(slots=True)
class Item:
    """A text, whom it speaks for, what it is and where it came from."""

    text: str
    role: str
    attack: int
    kind: str = ""
    hazard: str = ""
    source: str = ""
    measure: bool = False
    lang: str = ""


def grammar(chance: random.Random, known: Mapping[str, str]) -> Grammar:
    """All slots together; a text that holds a run of `known` is drawn again."""
    slots = {**slots_benign.SLOTS, **slots_attack.SLOTS}
    hazards = [part for text in slots_harm.HAZARDS.values() for part in _top(text)]
    slots["harm_short"] = hazards
    slots["harm_request"] = [frame.replace("{h}", "{harm_short}") for frame in _top("|".join(slots_harm.FRAMES))]
    slots["benign_ask"] = slots_benign.SLOTS["everyday"]
    slots["q_override"] = slots_attack.SLOTS["override"]
    slots["q_extract"] = slots_attack.SLOTS["extract_core"]
    slots["q_switch"] = slots_attack.SLOTS["switch"]
    slots["q_task"] = slots_attack.SLOTS["task"]
    return Grammar(slots, chance, lambda text: any(run in known for run in runs(text)))


def _top(text: str) -> list[str]:
    """`text` cut at the bars that stand outside brackets."""
    out, depth, start = [], 0, 0
    for i, ch in enumerate(text):
        depth += (ch == "[") - (ch == "]")
        if ch == "|" and depth == 0:
            out.append(text[start:i])
            start = i + 1
    out.append(text[start:])
    return [part for part in out if part.strip()]


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def _shuffle_case(chance: random.Random, text: str) -> str:
    roll = chance.random()
    if roll < 0.55:
        text = text[:1].upper() + text[1:]
    elif roll < 0.6:
        text = text.upper()
    elif roll < 0.63:
        text = _typos(chance, text)
    if text and text[-1].isalnum() and chance.random() < 0.5:
        text += chance.choice([".", ".", "!", "...", "\n"])
    return text


def _typos(chance: random.Random, text: str) -> str:
    chars = list(text)
    for _ in range(max(1, len(chars) // 25)):
        i = chance.randrange(len(chars))
        if chars[i].isalpha():
            chars[i] = chance.choice([chars[i] * 2, "", chance.choice("aeiourst")])
    return "".join(chars)


def real_carriers(data: Path) -> list[str]:
    """Harmless texts of permitted sets that serve as carriers."""
    rows = _rows(data / "benign_nlp_tasks.jsonl") + _rows(data / "benign_documents.jsonl")
    return [r["text"] for r in rows if len(r["text"]) > 150]


def generated(
    seed: int, size: float, real: list[str], known: Mapping[str, str], own: Sequence[str] = ()
) -> Iterator[Item]:
    """What the grammars make, in harmless texts of `real` too, and lines planted in those and in `own` documents.

    `size` 1.0 is some 60,000 texts. For `known`, see `runs`.
    """
    made = chain(_generated(seed, size, real, known), _planted(seed, size, real, own))
    return (item for item in made if not any(run in known for run in runs(item.text)))


def _planted(seed: int, size: float, real: list[str], own: Sequence[str]) -> Iterator[Item]:
    if not real:
        return
    documents = [real, own, own] if own else [real]
    for text, attack in planted(random.Random(seed + 1), int(8000 * size), documents):
        yield Item(text, "tool", attack, "injection" if attack else "", "", "gen.planted")


@dataclass(frozen=True, slots=True)
class _Maker:
    """The grammar, its random source, how much to make, and real texts to hide things in."""

    g: Grammar
    c: random.Random
    size: float
    real: list[str]

    def times(self, count: int) -> range:
        return range(int(count * self.size))

    def body(self, low: int = 1, high: int = 7) -> list[str]:
        """Some harmless sentences."""
        slots = ["fact", "fact", "fact", "human_order", "everyday_tail"]
        return [self.g.one(self.c.choice(slots)) for _ in range(self.c.randint(low, high))]


_HIDDEN = (
    (0.45, "attack"),
    (0.55, "address"),
    (0.63, "newtask"),
    (0.7, "important"),
    (0.82, "task"),
    (0.93, "off_task"),
    (1.0, "code_attack"),
)
"""What is hidden in a document, by the share of it."""


def _generated(seed: int, size: float, real: list[str], known: Mapping[str, str]) -> Iterator[Item]:
    c = random.Random(seed)
    m = _Maker(grammar(c, known), c, size, real)
    yield from _attacks(m)
    yield from _carriers(m)
    yield from _calm(m)
    yield from _technical(m)
    yield from _mixed(m)
    yield from _languages(c, m.g, size)
    yield from _harm(c, m.g, size)


def _attacks(m: _Maker) -> Iterator[Item]:
    g, c = m.g, m.c
    for _ in m.times(6000):
        kind = "extraction" if c.random() < 0.3 else "injection"
        text = g.one("extract" if kind == "extraction" else "attack")
        yield Item(_shuffle_case(c, text), c.choice(["user", "user", "tool"]), 1, kind, "", "gen.attack")
    for _ in m.times(1200):
        text = g.one("attack")
        extra = c.choice([g.one("everyday"), " ".join(m.body(1, 4)), g.one("format_rule")])
        yield Item(
            c.choice([f"{extra} {text}", f"{text} {extra}", f"{extra}\n\n{text}"]),
            "user",
            1,
            "injection",
            "",
            "gen.attack_mixed",
        )
    for _ in m.times(3000):
        yield Item(_shuffle_case(c, g.one("jailbreak")), "user", 1, "jailbreak", "", "gen.jailbreak")
    for _ in m.times(7000):
        roll = c.random()
        slot = next(name for least, name in _HIDDEN if roll < least)
        yield Item(carry(g, c, m.body(), g.one(slot), m.real), "tool", 1, "injection", "", "gen.indirect." + slot)
    for _ in m.times(900):
        yield Item(
            _shuffle_case(c, g.one(c.choice(["task", "address", "exfil", "code_attack", "newtask"]))),
            "tool",
            1,
            "injection",
            "",
            "gen.bare_tool",
        )


def _carriers(m: _Maker) -> Iterator[Item]:
    g, c = m.g, m.c
    for _ in m.times(6000):
        yield Item(carry(g, c, m.body(), "", m.real), "tool", 0, "", "", "gen.carrier")
    for _ in m.times(1500):
        yield Item(
            carry(g, c, [g.one("human_order") for _ in range(c.randint(1, 6))], "", []),
            "tool",
            0,
            "",
            "",
            "gen.carrier_orders",
        )
    for _ in m.times(5000):
        yield Item(
            _shuffle_case(c, g.one("trigger")), c.choice(["user", "user", "user", "tool"]), 0, "", "", "gen.trigger"
        )
    for _ in m.times(1500):
        yield Item(
            _shuffle_case(c, g.one("trigger"))
            + c.choice([" ", "\n"])
            + g.one(c.choice(["everyday", "trigger", "format_rule"])),
            "user",
            0,
            "",
            "",
            "gen.trigger_mixed",
        )


def _calm(m: _Maker) -> Iterator[Item]:
    g, c = m.g, m.c
    for _ in m.times(6000):
        yield Item(_shuffle_case(c, g.one("everyday")), "user", 0, "", "", "gen.everyday")
    for _ in m.times(1200):
        yield Item(_shuffle_case(c, g.one("off_task")), "user", 0, "", "", "gen.everyday")
    for _ in m.times(1500):
        sentences = [g.one("about_attacks") for _ in range(c.randint(1, 5))] + [
            g.one(c.choice(["fact", "human_order"])) for _ in range(c.randint(0, 3))
        ]
        c.shuffle(sentences)
        yield Item(
            c.choice([" ", "\n", "\n\n", "\n- "]).join(sentences), c.choice(["user", "tool"]), 0, "", "", "gen.about"
        )
    for _ in m.times(1500):
        yield Item(
            "\n".join(g.one(c.choice(["comment", "log", "comment", "human_order"])) for _ in range(c.randint(1, 6))),
            c.choice(["user", "tool"]),
            0,
            "",
            "",
            "gen.code",
        )
    for _ in m.times(2600):
        yield Item(_shuffle_case(c, g.one("agent_order")), "user", 0, "", "", "gen.agent_order")
    for _ in m.times(2200):
        yield Item(
            _shuffle_case(c, g.one("chatter")), c.choice(["user", "user", "user", "tool"]), 0, "", "", "gen.chatter"
        )


def _technical(m: _Maker) -> Iterator[Item]:
    g, c = m.g, m.c
    for _ in m.times(2500):
        parts = [g.one(c.choice(["snippet", "snippet", "snippet", "comment"])) for _ in range(c.randint(1, 5))]
        yield Item("\n\n".join(parts), c.choice(["user", "tool", "tool"]), 0, "", "", "gen.snippet")
    for _ in m.times(2500):
        parts = [g.one("guide") for _ in range(c.randint(2, 14))]
        yield Item(c.choice(["\n", "\n\n"]).join(parts), c.choice(["user", "tool", "tool"]), 0, "", "", "gen.guide")
    for _ in m.times(800):
        parts = [g.one(c.choice(["guide", "snippet"])) for _ in range(c.randint(2, 8))]
        parts.insert(c.randint(0, len(parts)), g.one(c.choice(["attack", "attack", "address", "important"])))
        yield Item("\n\n".join(parts), "tool", 1, "injection", "", "gen.guide_attack")


def _mixed(m: _Maker) -> Iterator[Item]:
    g, c = m.g, m.c
    for _ in m.times(1500):
        yield Item(carry(g, c, m.body(), "", m.real), "user", 0, "", "", "gen.carrier_user")
    for _ in m.times(1500):
        yield Item(
            carry(g, c, m.body(), g.one(c.choice(["attack", "attack", "address", "important"])), m.real),
            "user",
            1,
            "injection",
            "",
            "gen.carrier_user",
        )
    for _ in m.times(4500 if m.real else 0):
        text = " ".join(_sentences(c.choice(m.real))[: c.randint(1, 5)])[: c.choice([120, 300, 800])]
        yield Item(cipher(c, text), c.choice(["user", "user", "tool"]), 0, "", "", "gen.cipher")
    for _ in m.times(500 if m.real else 0):
        text = cipher(c, " ".join(_sentences(c.choice(m.real))[: c.randint(1, 4)])[:400])
        attack = g.one(c.choice(["attack", "attack", "address"]))
        yield Item(
            c.choice([f"{text} {attack}", f"{attack} {text}", f"{text}\n\n{attack}\n\n{text}"]),
            c.choice(["user", "tool"]),
            1,
            "injection",
            "",
            "gen.cipher",
        )


def _sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.?!])\s+", text) if part.strip()]


def _languages(c: random.Random, g: Grammar, size: float) -> Iterator[Item]:
    for lang, (attacks, tricky, plain) in LANGUAGES.items():
        for _ in range(int(110 * size)):
            text = c.choice(attacks)
            tail = c.choice(
                [
                    "",
                    ".",
                    "!",
                    f". {c.choice(attacks)}",
                    f": {g.one('task')}",
                    f" {g.one('mail')}",
                    f", {g.one('task')}",
                    f". {c.choice(plain)}",
                ]
            )
            role = c.choice(["user", "user", "tool"])
            text += tail
            if role == "tool" and c.random() < 0.6:
                text = f"{c.choice(plain)} {text} {c.choice(plain)}"
            yield Item(text, role, 1, "injection", "", "gen.lang_attack", lang=lang)
        for _ in range(int(110 * size)):
            pool = tricky + plain + plain
            text = " ".join(c.sample(pool, c.randint(1, min(4, len(pool)))))
            yield Item(text, c.choice(["user", "user", "tool"]), 0, "", "", "gen.lang_benign", lang=lang)
    for _ in range(int(600 * size)):
        yield Item(thai(c), c.choice(["user", "user", "tool"]), 0, "", "", "gen.lang_benign", lang="th")


def _harm(c: random.Random, g: Grammar, size: float) -> Iterator[Item]:
    for hazard, text in slots_harm.HAZARDS.items():
        parts = _top(text)
        for _ in range(int(260 * size)):
            frame = c.choice(_top("|".join(slots_harm.FRAMES)))
            yield Item(
                _shuffle_case(c, g.expand(frame.replace("{h}", c.choice(parts)))), "user", 0, "", hazard, "gen.harm"
            )
    for _ in range(int(2500 * size)):
        yield Item(
            _shuffle_case(c, g.expand(c.choice(_top("|".join(slots_harm.HARMLESS))))), "user", 0, "", "", "gen.harmless"
        )


_PLAIN = (
    ("benign_code", "tool", "set.code.", False),
    ("benign_documents", "tool", "set.documents.", False),
    ("benign_trigger_words_synth", "user", "set.trigger_words", False),
    ("benign_multilingual", "user", "set.multilingual", True),
    ("benign_dialogue", "user", "set.dialogue", True),
)
"""Harmless sets: file, role, source (ending in a dot: the row's own is added), and whether to measure only."""


def measured(data: Path) -> Iterator[Item]:
    """The sets of the data folder, each under its own source name; `measure` marks those that may not be trained on."""
    yield from _attack_rows(data)
    for r in _rows(data / "harm.jsonl"):
        yield Item(r["text"], "user", 0, "", guess_hazard(r["text"]), "set.harm." + r["category"].split(".")[1])
    for r in _rows(data / "benign_instructions.jsonl"):
        source = "set.instructions." + r["category"].split(".")[-1]
        yield Item(r["text"], "user", 0, "", "", source, r["source"].startswith("vinid"))
    for r in _rows(data / "benign_nlp_tasks.jsonl"):
        yield Item(r["text"], "user", 0, "", "", f"set.nlp_tasks.{zlib.crc32(r['text'].encode()) % 2}")
    for name, role, source, measure in _PLAIN:
        for r in _rows(data / f"{name}.jsonl"):
            own = r["source"].split("/")[0] if source.endswith(".") else ""
            yield Item(r["text"], role, 0, "", "", source + own, measure, r.get("lang", ""))


def written(folder: Path = Path(__file__).parent / "texts") -> Iterator[Item]:
    """The texts that were written one by one for this project, none by a grammar; their writers are their sources."""
    for path in sorted(folder.glob("*.jsonl")):
        for r in _rows(path) if path.stem != "names" else ():
            kind = r["category"].rpartition(".")[2] if r["label"] else ""
            hazard = kind.lower() if r["category"].startswith("harm.") else ""
            kind = "" if hazard else kind if kind in ("extraction", "jailbreak") else "injection" if kind else ""
            yield Item(r["text"], r["channel"], int(bool(kind)), kind, hazard, f"own.{r['writer']}.{path.stem}")


def _attack_rows(data: Path) -> Iterator[Item]:
    for r in _rows(data / "jailbreak.jsonl"):
        yield Item(r["text"], "user", 1, "jailbreak", "", "set.jailbreak." + r["source"].split("/")[0])
    # Some carriers are text of the share-alike sets: those rows are only measured on too.
    foreign = [r["text"] for r in _rows(data / "benign_multilingual.jsonl")]
    middles = [text[20:60] for text in foreign if len(text) > 200]
    starts = {
        text[:60] for text in foreign + [r["text"] for r in _rows(data / "benign_dialogue.jsonl")] if len(text) > 80
    }
    for r in _rows(data / "injection_indirect_synth.jsonl"):
        measure = any(part in r["text"] for part in middles) or r["text"][:60] in starts
        kind = "injection" if r["label"] else ""
        yield Item(r["text"], "tool", r["label"], kind, "", "set.indirect_synth", measure)
    for r in _rows(data / "injection_payloads_synth.jsonl"):
        yield Item(r["text"], "user", 1, "injection", "", "set.payloads_synth")
    for r in _rows(data / "injection_direct.jsonl"):
        kind = "extraction" if "extraction" in r["category"] else "injection"
        yield Item(r["text"], "user", 1, kind, "", "set.direct." + r["category"].split(".")[1], True)


_GUESS = (
    ("s4", r"child porn|minor|underage|groom|child abuse|pedophil|child sexual"),
    ("s13", r"election|vot(e|er|ing)|ballot"),
    ("s9", r"bomb|explosive|nuclear|chemical weapon|biological|bioweapon|anthrax|nerve agent|poison gas"),
    ("s11", r"suicid|self-harm|eating disorder|anorexi|kill (my|one)self|harming themselves"),
    (
        "s10",
        r"racis|sexis|hate|discriminat|stereotyp|minorit|ethnic|gender|immigrant|muslim|jew|religio|homophob|slur|superior",
    ),
    ("s12", r"porn|erotic|sexual|nude|sexually explicit|fetish"),
    ("s3", r"rape|sexual assault|prostitut|sex traffick"),
    (
        "s7",
        r"privacy|personal (information|data)|stalk|spy|track|identity of|address of|private|confidential|surveil|without (permission|consent)|medical record|dox",
    ),
    ("s8", r"pirat|copyright|plagiari|counterfeit|patent|software licen"),
    ("s5", r"defam|rumou?r|slander|reputation|false accus"),
    ("s6", r"medical advice|dose|investment advice|without a doctor|cure"),
    (
        "s1",
        r"kill|murder|attack|violen|terror|torture|assassin|weapon|kidnap|shooting|assault|abuse|harm|bully|cannibal|arson",
    ),
    (
        "s2",
        r"hack|steal|stole|theft|fraud|drug|launder|forg(e|ing)|fake|malware|virus|phish|scam|smuggl|counterfeit|illegal|rob(bery|bing)? |brib|extort|blackmail|ddos|exploit|embezzl|insider|shoplift",
    ),
)


def guess_hazard(text: str) -> str:
    """The hazard of a text known to be harmful, from its words; `?` when they do not say."""
    low = text.lower()
    return next((hazard for hazard, pattern in _GUESS if re.search(pattern, low)), "?")
