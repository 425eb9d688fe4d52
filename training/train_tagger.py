"""Train the tagger of persons, places and organisations.

    python -m training.train_tagger --data DATA --vectors vectors.npz [--away SOURCE] [--out FILE]

--away leaves one source out of training and judges on it; without, a fifth of each source is held back.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch

from akto_proxy.guard.learned.features import PIECE, Reader
from akto_proxy.guard.learned.tagger import LABELS, REACH, NameTagger, name_features
from akto_proxy.guard.learned.weights import Weights
from training import runs
from training.dataset import Rows
from training.export import eight_bits
from training.name_pool import Pool
from training.slots_names import names

SETS = ("pii_ner_wnut17_train", "pii_ner_wikigold", "pii_ner_sec_fin5", "pii_synth")
KIND = {"PERSON": 0, "LOCATION": 1, "ADDRESS": 1, "ORGANIZATION": 2}
BITS = 17
LOWER = 0.12
#: Taken off the logit of `no name`, chosen on the texts held back.
CALM = 0.0


def load(data: Path, name: str) -> list[tuple[str, list[tuple[int, int, int]]]]:
    """Texts and their (start, end, kind) of one set."""
    rows = [json.loads(line) for line in (data / f"{name}.jsonl").open(encoding="utf-8")]
    return [
        (r["text"], [(s["start"], s["end"], KIND[s["type"]]) for s in r["spans"] if s["type"] in KIND]) for r in rows
    ]


def noisy(chance: random.Random, items: list) -> list:
    """The same with case lost, as people type."""
    out = []
    for text, spans in items:
        roll = chance.random()
        new = text.lower() if roll < LOWER else text.upper() if roll < LOWER + 0.05 else text
        out.append((new if len(new) == len(text) else text, spans))
    return out


def labelled(reader: Reader, text: str, spans: list[tuple[int, int, int]]):
    """Tokens and their labels."""
    tokens = reader.read_names(text[:PIECE])
    labels = np.zeros(len(tokens.hashes), np.int64)
    for start, end, kind in spans:
        inside = np.flatnonzero((tokens.starts < end) & (tokens.ends > start))
        if len(inside):
            labels[inside] = 1 + kind
    return tokens, labels


def around(vectors: np.ndarray) -> np.ndarray:
    """Each row beside its neighbours' rows, zeros beyond the ends."""
    count, size = vectors.shape
    padded = np.zeros((count + 2 * REACH, size), np.float32)
    padded[REACH : REACH + count] = vectors
    return np.concatenate([padded[k : k + count] for k in range(2 * REACH + 1)], 1)


class Net(torch.nn.Module):
    """The tagger in torch."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.table = torch.nn.EmbeddingBag(1 << BITS, LABELS, mode="sum", sparse=True)
        torch.nn.init.zeros_(self.table.weight)
        self.first = torch.nn.Linear((2 * REACH + 1) * dim, hidden)
        self.last = torch.nn.Linear(hidden, LABELS)
        self.drop = torch.nn.Dropout(0.2)

    def forward(self, buckets: torch.Tensor, near: torch.Tensor) -> torch.Tensor:
        """Logits (tokens, labels)."""
        return self.table(buckets) + self.last(self.drop(torch.relu(self.first(self.drop(near)))))


def train(items: list, vectors: Path, epochs: int, dim: int, hidden: int) -> tuple[bytes, Reader]:
    """Weights of a tagger trained on `items`."""
    torch.manual_seed(1)
    chance = random.Random(1)
    reader = Reader()
    loaded = np.load(vectors)
    rows = Rows(reader, loaded["words"].tolist(), loaded["vectors"][:, :dim])
    data = []
    for text, spans in items:
        tokens, labels = labelled(reader, text, spans)
        if len(labels):
            data.append((name_features(tokens, BITS), rows.of(tokens.hashes), labels))
    net = Net(dim, hidden)
    sparse = torch.optim.SparseAdam(list(net.table.parameters()), lr=0.02)
    dense = torch.optim.AdamW([*net.first.parameters(), *net.last.parameters()], lr=2e-3, weight_decay=1e-3)
    steps, step = epochs * len(data) // 32, 0
    for _ in range(epochs):
        chance.shuffle(data)
        for at in range(0, len(data) - 31, 32):
            part = data[at : at + 32]
            buckets = torch.from_numpy(np.concatenate([p[0] for p in part]))
            mask = torch.rand(buckets.shape) < 0.15  # forget features, so that a known word is not all there is
            buckets = torch.where(mask, torch.zeros_like(buckets), buckets)
            near = torch.from_numpy(np.concatenate([around(rows.vectors[p[1]]) for p in part]))
            labels = torch.from_numpy(np.concatenate([p[2] for p in part]))
            loss = torch.nn.functional.cross_entropy(net(buckets, near), labels)
            for o in (sparse, dense):
                o.zero_grad()
            loss.backward()
            rate = 1 - step / max(1, steps)
            sparse.param_groups[0]["lr"], dense.param_groups[0]["lr"] = 0.02 * rate + 1e-5, 2e-3 * rate + 1e-5
            sparse.step()
            dense.step()
            step += 1
    flat, table_scale = eight_bits(net.table.weight.detach().numpy())
    first = net.first.weight.detach().numpy().reshape(-1, 2 * REACH + 1, dim)  # (hidden, place, dim)
    words, words_scale = eight_bits(np.concatenate([rows.vectors @ first[:, k].T for k in range(2 * REACH + 1)], 1))
    arrays = {"table": flat, "words": words, "slots": rows.slots, "checks": rows.checks}
    arrays["first_b"] = net.first.bias.detach().numpy().astype(np.float32)
    arrays["last_w"] = net.last.weight.detach().numpy().T.astype(np.float32)
    arrays["last_b"] = net.last.bias.detach().numpy().astype(np.float32)
    meta = {"bits": BITS, "table_scale": table_scale, "words_scale": words_scale, "calm": CALM}
    return Weights(arrays, meta).dump(), reader


def judge(tagger: NameTagger, items: list, title: str, kinds: tuple[int, ...] = (0, 1, 2)) -> None:
    """Exact and overlapping precision, recall and F1, as shared by the scoring of spans."""
    gold_all = pred_all = gold_hit = pred_hit = exact = 0
    for text, spans in items:
        gold = [s for s in spans if s[2] in kinds]
        pred = [(f.start, f.end, ("person", "location", "organization").index(f.rule)) for f in tagger.tag(text)]
        pred = [p for p in pred if p[2] in kinds]
        gold_all += len(gold)
        pred_all += len(pred)
        gold_hit += sum(any(p[0] < g[1] and g[0] < p[1] and p[2] == g[2] for p in pred) for g in gold)
        pred_hit += sum(any(p[0] < g[1] and g[0] < p[1] and p[2] == g[2] for g in gold) for p in pred)
        exact += len(set(gold) & set(pred))

    def f(p: float, r: float) -> float:
        return 200 * p * r / (p + r) if p + r else 0.0

    p, r = pred_hit / max(1, pred_all), gold_hit / max(1, gold_all)
    print(
        f"  {title:30s} overlap P {100 * p:.1f} R {100 * r:.1f} F1 {f(p, r):.1f}   exact F1 {f(exact / max(1, pred_all), exact / max(1, gold_all)):.1f}",
        flush=True,
    )


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--vectors", type=Path, required=True)
    ap.add_argument("--away", choices=SETS)
    ap.add_argument("--sweep", action="store_true")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--epochs", type=int, default=4)
    ap.add_argument("--dim", type=int, default=32)
    ap.add_argument("--hidden", type=int, default=24)
    ap.add_argument("--pool", type=Path, help="What training.name_pool wrote.")
    ap.add_argument("--swaps", type=int, default=2, help="Copies of each noisy text with other names.")
    ap.add_argument("--own", type=int, default=3, help="How often each of the texts that were written for this counts.")
    ap.add_argument("--lower", type=float, default=0.12)
    ap.add_argument("--made", type=int, default=6000)
    ap.add_argument("--out", type=Path)
    a = ap.parse_args()
    torch.set_num_threads(1)
    global LOWER
    LOWER = a.lower
    learn, held = names(3, a.made, runs.measured(a.data)), {}
    for name in SETS:
        items = load(a.data, name)
        random.Random(2).shuffle(items)
        cut = 0 if a.all else len(items) if name == a.away else 0 if a.away else len(items) // 5
        held[name] = items[:cut]
        learn += items[cut:] * (2 if "wnut" in name else 1)
    own = load(Path(__file__).parent / "texts", "names")
    learn += own * a.own
    if a.pool:
        chance = random.Random(8)
        orgs = [text[start:end] for text, spans in learn for start, end, kind in spans if kind == 2]
        pool = Pool(a.pool, chance, orgs)
        named = [item for item in learn if item[1] and len(item[0]) < 400]
        learn += [pool.swap(*item) for _ in range(a.swaps) for item in chance.sample(named, min(len(named), 7000))]
    learn = noisy(random.Random(9), learn)
    data, reader = train(learn, a.vectors, a.epochs, a.dim, a.hidden)
    tagger = NameTagger.load(data, reader)
    for calm in (0.5, 0.0, -0.7, -1.4, -2.0) if a.sweep else ():
        tagger._calm = np.float32(calm)
        print("calm", calm)
        for name, items in held.items():
            if items:
                judge(tagger, items, name, (0, 1) if name == "pii_synth" else (0, 1, 2))
    tagger._calm = np.float32(CALM)
    for name, items in held.items():
        if items:
            judge(
                tagger,
                items,
                name + (" (unseen source)" if a.away else " (held back)"),
                (0, 1) if name == "pii_synth" else (0, 1, 2),
            )
    if a.out:
        a.out.write_bytes(data)
        print(a.out, len(data), "bytes")


if __name__ == "__main__":
    main()
