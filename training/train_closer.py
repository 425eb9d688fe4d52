"""Train the closer look at documents (`guard/learned/closer.py`), after the text model whose word features it reads.

    python -m training.train_closer --data DATA --vectors vectors.npz --minilm FOLDER --work FOLDER --text text.bin --out FILE

1. A teacher learns our lines (see `teacher`) and judges a pool of sentences; that is kept in the work folder. 2. The small
network learns to see sentences as the untaught teacher does, then to judge as the taught one. 3. How far it sways the
text model is chosen, and the levels after that go into text.bin: for that the work folder holds the parts that
`training.train_attack` made. The sets of the data folder lend the pool sentences of harmless texts, which the teacher
judges; no label of theirs is used.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from itertools import chain, product
from pathlib import Path

import numpy as np
import torch

from akto_proxy.guard.learned.closer import Closer
from akto_proxy.guard.learned.features import PIECE, Reader
from akto_proxy.guard.learned.text import TextModel
from akto_proxy.guard.learned.weights import Weights
from training import runs
from training.closer_model import CloserModel
from training.closer_model import export as closer_bytes
from training.corpus import Item, generated, grammar, measured, real_carriers, written
from training.planting import lines
from training.teacher import DEVICE, Teacher, Variants, framed, labelled, sentences
from training.train_attack import PARTS, levels_of, report

LOOKED = 0.2
"""The share of the harmless documents of the sets that are looked at closely; on others it is more."""
LONGEST = 400
"""Characters of a sentence of the pool."""


def gather(a: argparse.Namespace, reader: Reader) -> tuple[list[str], list[str], list[str]]:
    """Sentences of our own harmless documents, worn-out phrases, and the pool."""
    chance = random.Random(a.seed)
    texts = list(written())
    own = [s for i in texts if i.source.endswith((".clean", ".docs")) for s in sentences(reader, i.text)]
    planted = [s for i in texts if i.source.endswith(".indirect") for s in sentences(reader, i.text)]
    made = list(generated(11, 0.15, real_carriers(a.data), runs.measured(a.data), []))
    bad, good = (
        [s for i in made if i.attack == n and i.role == "tool" for s in sentences(reader, i.text)] for n in (1, 0)
    )
    sets = [s for i in measured(a.data) if not i.measure and not i.attack for s in sentences(reader, i.text[:3000])]
    ours = [*lines("planted.txt"), *lines("orders.txt")]
    cut = [s for line in ours for shown in (line, framed(chance, line)) for s in sentences(reader, shown)]
    words = grammar(chance, runs.measured(a.data))
    worn = list(dict.fromkeys(words.one(slot) for slot in ("override", "extract_core", "switch") for _ in range(200)))
    loaded = np.load(a.vectors)
    variants = Variants(loaded["words"].tolist(), loaded["vectors"].astype(np.float32), chance)
    changed = [s for text in variants.of(ours, a.many) for s in sentences(reader, framed(chance, text))]
    shares = ((own, 6000), (planted, 4000), (bad, 4000), (good, 2000), (sets, 5000))
    others = [chance.sample(some, min(count, len(some))) for some, count in shares]
    more = variants.of(chance.sample(own, min(len(own), 2500)) + chance.sample(planted, min(len(planted), 2500)), 1)
    pool = dict.fromkeys(s[:LONGEST] for s in chain(cut, ours, worn, changed, *others, more) if len(s) > 3)
    return own, worn, list(pool)


def taught(a: argparse.Namespace, reader: Reader) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The pool, the untaught teacher's views of it, and the taught teacher's logits. Made if they are not there yet."""
    path = a.work / "taught.npz"
    if not path.exists():
        own, worn, pool = gather(a, reader)
        chance, start = random.Random(a.seed), time.time()
        torch.manual_seed(a.seed)
        teacher = Teacher(a.minilm)
        views = teacher.views(pool)
        print(f"{len(pool)} sentences seen, {time.time() - start:.0f} s", flush=True)
        learnt = labelled(own, worn, chance)
        teacher.learn(learnt, a.lessons, chance)
        print(f"{len(learnt)} sentences learnt, {time.time() - start:.0f} s", flush=True)
        judged = teacher.judge(pool)
        np.savez(path, pool=np.array(pool), views=views.astype(np.float16), logits=judged)
        print(f"judged, {time.time() - start:.0f} s", flush=True)
    kept = np.load(path)
    return kept["pool"].tolist(), kept["views"], kept["logits"]


def side_by_side(some: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentences padded to the longest, and where their words are."""
    longest = max(len(s) for s in some)
    x = np.zeros((len(some), longest, some[0].shape[1]), np.float32)
    for number, s in enumerate(some):
        x[number, : len(s)] = s
    sizes = torch.tensor([len(s) for s in some])
    return torch.from_numpy(x).to(DEVICE), (torch.arange(longest) < sizes[:, None]).to(DEVICE)


def train(a: argparse.Namespace, words: list[np.ndarray], views: np.ndarray, logits: np.ndarray) -> CloserModel:
    """The small network, taught."""
    torch.manual_seed(a.seed)
    chance = random.Random(a.seed)
    model = CloserModel(words[0].shape[1], a.width, a.layers).to(DEVICE)
    seen, wanted = (torch.from_numpy(x.astype(np.float32)).to(DEVICE) for x in (views, logits))
    for name, epochs, rate in (("views", a.views, 1.5e-3), ("logits", a.epochs, 1e-3)):
        optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
        order, step, steps = list(range(len(words))), 0, epochs * len(words) // 64
        for _ in range(epochs):
            chance.shuffle(order)
            start, total = time.time(), 0.0
            for at in range(0, len(order) - 63, 64):
                pick = order[at : at + 64]
                logit, view = model(*side_by_side([words[p] for p in pick]))
                likeness = torch.nn.functional.cosine_similarity(view, seen[pick])
                loss = (1 - likeness).mean()
                if name == "logits":
                    loss = 0.3 * loss + torch.nn.functional.smooth_l1_loss(logit, wanted[pick])
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
                optimiser.step()
                step, total = step + 1, total + float(loss.detach())
                for group in optimiser.param_groups:
                    group["lr"] = rate * min(1, step / 200) * (1 - step / (steps + 1))
            print(f"{name}: loss {total / (len(order) // 64):.4f}, {time.time() - start:.0f} s", flush=True)
    return model.cpu().eval()


class _Listener:
    """In the place of the closer look: notes its loudest logit, sways nothing."""

    gate = -1e9

    def __init__(self, closer: Closer) -> None:
        self._closer = closer
        self.top = np.nan

    def sway(self, sentences: Sequence[np.ndarray]) -> float:
        """Nothing."""
        self.top = float(self._closer.judge(sentences).max())
        return 0.0


def second_looks(a: argparse.Namespace, items: list[Item], closer: Closer) -> np.ndarray:
    """The closer look's loudest logit for each document that is not of our own making; nan for the others.

    Our own documents were the teacher's lessons: they are judged by the text model alone.
    """
    listener = _Listener(closer)
    text = TextModel(Weights.load(a.text.read_bytes()), Reader(), listener)
    found: dict[str, float] = {}
    for i in items:
        if i.role == "tool" and not i.source.startswith("own") and i.text not in found:
            listener.top = np.nan
            text.read(i.text[:PIECE], closely=True)
            found[i.text] = listener.top
    return np.array([found.get(i.text, np.nan) if i.role == "tool" else np.nan for i in items])


def join(a: argparse.Namespace, model: CloserModel) -> None:
    """Choose the sway, set the levels by it, write both files."""
    parts = [torch.load(a.work / f"part-{name}.pt", weights_only=False) for name in PARTS]
    items, out = [i for p in parts for i in p[0]], np.concatenate([p[1] for p in parts])
    closer = Closer.load(closer_bytes(model, 0.0, (1.0, 0.0, 1.0)))
    second = second_looks(a, items, closer)
    known = ~np.isnan(second)
    bad = np.array([bool(i.attack) for i in items]) & known
    # Prompts that stand in for documents are calmer than documents.
    real = np.array([not i.source.endswith(".as_tool") for i in items])
    gate = float(np.quantile(out[known & ~bad & real, 0], 1 - LOOKED))
    known &= out[:, 0] > gate
    first, best = out[:, 0].copy(), (-1.0, (0.0, 0.0, 0.0))
    for slope, calm, most in product((0.3, 0.5, 0.8, 1.2), (-2.0, -1.0, 0.0, 1.0), (2.0, 4.0, 6.0)):
        moved = np.where(known, first + np.clip(slope * (second - calm), -most, most), first)
        out[:, 0] = moved
        levels = levels_of(items, out)
        found = [float((moved[bad] >= level).mean()) for level in levels["tool"]]
        if np.mean(found) > best[0]:
            best = (float(np.mean(found)), (slope, calm, most))
            print(best, [f"{100 * f:.1f}" for f in found], levels["tool"], flush=True)
    slope, calm, most = best[1]
    out[:, 0] = np.where(known, first + np.clip(slope * (second - calm), -most, most), first)
    levels = levels_of(items, out)
    report(items, out[:, 0], levels)
    kept = Weights.load(a.text.read_bytes())
    kept.meta["levels"] = levels
    a.text.write_bytes(kept.dump())
    a.out.write_bytes(closer_bytes(model, gate, best[1]))
    print("gate", gate, "sway", best[1])


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    for name in ("data", "vectors", "minilm", "work", "text", "out"):
        ap.add_argument(f"--{name}", type=Path, required=True)
    ap.add_argument("--lessons", type=int, default=2, help="Epochs of the teacher.")
    ap.add_argument("--many", type=int, default=3, help="Variants of each line.")
    ap.add_argument("--views", type=int, default=3, help="Epochs of seeing.")
    ap.add_argument("--epochs", type=int, default=10, help="Epochs of judging.")
    ap.add_argument("--width", type=int, default=96)
    ap.add_argument("--layers", type=int, default=2)
    ap.add_argument("--seed", type=int, default=3)
    a = ap.parse_args()
    reader = Reader()
    pool, views, logits = taught(a, reader)
    text = TextModel.load(a.text.read_bytes(), reader)
    kept = [(n, f) for n, f in enumerate(text.words(reader.read(s).hashes) for s in pool) if len(f)]
    places = [n for n, _ in kept]
    join(a, train(a, [f for _, f in kept], views[places], logits[places]))


if __name__ == "__main__":
    main()
