"""The teacher of the closer look: a sentence model fine-tuned to tell orders to the reader from orders among people.

It is far too large to run in the proxy (90 MB, 20 ms a sentence), but it knows words from a billion sentence pairs, so it
recognises orders in words that none of our lines has. What it knows is handed on by its judgement of many sentences:
ours, those of documents, and ours with words replaced, dropped and halves exchanged, which need no label by hand.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from akto_proxy.guard.learned.features import PIECE, Reader
from training.planting import lines

_LONGEST = 96
"""Word pieces of a sentence that the teacher reads."""
_BATCH = 32
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Where teachers and networks are trained. Nothing but its time depends on it."""
_KIN = 0.55
"""The cosine from which two words may stand for each other."""


def sentences(reader: Reader, text: str) -> list[str]:
    """The sentences of a text as the detectors cut them."""
    out = []
    for at in range(0, len(text), PIECE):
        piece = text[at : at + PIECE]
        tokens = reader.read(piece)
        firsts = np.flatnonzero(np.diff(tokens.windows, prepend=-1))
        edges = [*tokens.starts[firsts].tolist(), len(piece)]
        out += [sentence for a, b in pairwise(edges) if (sentence := piece[a:b].strip())]
    return out


class Teacher:
    """The sentence model of a folder with a head of one number; `judge` is its logit that a sentence is an order to the reader."""

    def __init__(self, folder: Path) -> None:
        self._cut = AutoTokenizer.from_pretrained(folder)
        self.net = AutoModel.from_pretrained(folder, dtype=torch.float32).to(DEVICE)
        self.head = torch.nn.Linear(self.net.config.hidden_size, 1).to(DEVICE)

    def _view(self, texts: Sequence[str]) -> torch.Tensor:
        b = self._cut(list(texts), padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt").to(DEVICE)
        states, there = self.net(**b).last_hidden_state, b["attention_mask"][..., None]
        return (states * there).sum(1) / there.sum(1)

    def learn(self, texts: Sequence[tuple[str, float]], epochs: int, chance: random.Random) -> None:
        """Fine-tune all but the word pieces on texts and their labels."""
        for p in self.net.embeddings.parameters():
            p.requires_grad = False
        rates = (5e-5, 1e-3)
        groups = ([p for p in self.net.parameters() if p.requires_grad], list(self.head.parameters()))
        optimiser = torch.optim.AdamW(
            [{"params": g, "lr": r} for g, r in zip(groups, rates, strict=True)], weight_decay=0.01
        )
        order, step, steps = list(texts), 0, epochs * len(texts) // _BATCH
        self.net.train()
        for _ in range(epochs):
            chance.shuffle(order)
            for at in range(0, len(order) - _BATCH + 1, _BATCH):
                some = order[at : at + _BATCH]
                wanted = torch.tensor([label * 0.96 + 0.02 for _, label in some], device=DEVICE)
                logits = self.head(self._view([text for text, _ in some]))[:, 0]
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                step += 1
                for group, rate in zip(optimiser.param_groups, rates, strict=True):
                    group["lr"] = rate * (1 - step / (steps + 1))
        self.net.eval()

    def views(self, texts: Sequence[str]) -> np.ndarray:
        """The unit vector of each text (texts, TEACHER)."""
        return self._each(texts, lambda view: torch.nn.functional.normalize(view))

    def judge(self, texts: Sequence[str]) -> np.ndarray:
        """The logit of each text."""
        return self._each(texts, self.head)[:, 0]

    @torch.no_grad()
    def _each(self, texts: Sequence[str], make: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
        self.net.eval()
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))  # like lengths together: little padding
        out: np.ndarray | None = None
        for at in range(0, len(order), 64):
            some = order[at : at + 64]
            found = make(self._view([texts[n] for n in some])).cpu().numpy()
            if out is None:
                out = np.zeros((len(texts), found.shape[1]), np.float32)
            out[some] = found
        assert out is not None
        return out


_FRAMES = (
    '"@": "~"', '"@":"~",', '"@": "~" }', "@: ~", "@ = '~'", "<@>~</@>", "<p>~</p>", "- ~", "// ~", "# ~", "<!-- ~ -->",
    "* ~", "> ~", "(~)", "**@** ~", "| @ | ~ |", "<li>~",
)  # fmt: skip
"""How documents show a line (`~`) and what it is called there (`@`)."""
_NAMES = ("note", "text", "body", "comment", "description", "message", "title", "summary", "content", "value", "alt")


def framed(chance: random.Random, text: str) -> str:
    """`text` as it stands in data, pages and code, in a third of cases."""
    if chance.random() > 0.35:
        return text
    return chance.choice(_FRAMES).replace("@", chance.choice(_NAMES)).replace("~", text)


def labelled(clean: Iterable[str], worn: Iterable[str], chance: random.Random) -> list[tuple[str, float]]:
    """What the teacher learns: our lines of both kinds, worn-out phrases, and sentences of harmless documents."""
    calm = list(dict.fromkeys(clean))
    chance.shuffle(calm)
    orders, attacks = lines("orders.txt"), lines("planted.txt")
    calm = calm[: 2 * len(attacks) + 1000]
    lined = [(t, 1.0) for t in [*attacks * 2, *worn]] + [(t, 0.0) for t in orders]
    rows = [(framed(chance, t), label) for t, label in lined] + [(t, 0.0) for t in calm]
    # How a sentence ends must tell nothing: lines end with a stop more often than what documents are cut into.
    return [(t.rstrip('.!;:,"') if chance.random() < 0.5 else t, label) for t, label in rows]


class Variants:
    """Texts with words replaced by kin, words dropped, and halves exchanged."""

    def __init__(self, words: Sequence[str], vectors: np.ndarray, chance: random.Random) -> None:
        self._words, self._chance = words, chance
        self._at = {word: number for number, word in enumerate(words)}
        self._vectors = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
        self._known: dict[str, list[str]] = {}

    def _kin(self, word: str) -> list[str]:
        if word not in self._at:
            return []
        if word not in self._known:
            near = self._vectors @ self._vectors[self._at[word]]
            best = np.argpartition(-near, 9)[:9]
            self._known[word] = [self._words[n] for n in best if near[n] > _KIN and self._words[n] != word]
        return self._known[word]

    def changed(self, text: str) -> str:
        """`text` with about a fifth of its words replaced and a few left out."""
        out = []
        for part in re.findall(r"\w+|\W+", text):
            roll = self._chance.random() if part.isalpha() else 1.0
            kin = self._kin(part.lower()) if roll < 0.22 else []
            if kin:
                other = self._chance.choice(kin)
                out.append(other.capitalize() if part[0].isupper() else other)
            elif not 0.22 <= roll < 0.25:
                out.append(part)
        return "".join(out)

    def joined(self, one: str, other: str) -> str:
        """The beginning of `one` and the end of `other`."""
        first, last = (re.split(r"(?<=[,;:.!?])\s+", text) for text in (one, other))
        cut = self._chance.randint(1, max(1, len(first) - 1))
        return " ".join(first[:cut] + last[self._chance.randint(0, len(last) - 1) :])

    def of(self, texts: Sequence[str], many: int) -> list[str]:
        """`many` variants of each text, a third of them joined with another text."""
        out = []
        for text in texts:
            for number in range(many):
                made = self.joined(text, self._chance.choice(texts)) if number % 3 == 2 else text
                out.append(self.changed(made))
        return out
