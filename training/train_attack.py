"""Train the text model (prompt attacks, harmful requests) and judge it by source.

    python -m training.train_attack --data DATA --vectors vectors.npz --work FOLDER [--part A|B|all] [--out FILE]

Each part is kept in the work folder, so parts may be trained side by side; when all are there, they are joined.
Three models: one that never saw the sources of fold A, one that never saw those of fold B, and one trained on every
permitted set, which is what --out writes. Each set is judged by a model that saw nothing of its source; the sets that
may only be measured on are judged by the last. The thresholds in the file come from those judgements too.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import time
from pathlib import Path

import numpy as np
import torch

from akto_proxy.guard.learned.features import Reader
from training import runs
from training.attack_model import AttackModel, tensors
from training.corpus import Item, generated, measured, real_carriers, written
from training.dataset import HAZARDS, KINDS, Rows, batch, labels, read
from training.export import export

FOLDS = {
    "A": (
        "set.jailbreak.TrustAIRLab",
        "set.code.Helicone",
        "set.code.lm-sys",
        "set.code.openai",
        "set.documents.BerriAI",
        "set.instructions.self_instruct",
        "set.instructions.mt_bench",
        "set.instructions.chat",
        "set.harm.maliciousinstruct",
        "set.nlp_tasks.0",
    ),
    "B": (
        "set.jailbreak.sherdencooper",
        "set.jailbreak.NVIDIA",
        "set.payloads_synth",
        "set.indirect_synth",
        "set.trigger_words",
        "set.code.Portkey",
        "set.code.tatsu",
        "set.code.invariantlabs",
        "set.documents.Helicone",
        "set.documents.Portkey",
        "set.documents.gitleaks",
        "set.documents.juand",
        "set.documents.tatsu",
        "set.instructions.user_oriented",
        "set.instructions.vicuna",
        "set.instructions.alpaca",
        "set.harm.redteam",
        "set.nlp_tasks.1",
        "set.code.microsoft",
    ),
    "C": ("own.A", "own.D", "own.C.hard", "own.C.everyday"),
    "D": ("own.B", "own.F", "own.C.direct"),
}
"""Sources held out together. Sets made by one hand are in one fold; the half of `nlp_tasks` serves to set thresholds."""
TALK = ("set.instructions", "set.dialogue", "set.multilingual", "set.trigger_words", "own.C")
"""What people ask: the texts that set the thresholds of harm, which tasks and code never reach."""
PARTS = (*FOLDS, "all")


def extra_roles(items: list[Item]) -> list[Item]:
    """Documents and code are also pasted by users, jailbreaks also arrive in documents, prompts in tool text."""
    chance = random.Random(5)
    out = []
    for i in items:
        if i.source.startswith(("set.documents", "set.code")) and chance.random() < 0.5:
            out.append(Item(i.text, "user", 0, source=i.source))
        if i.source.startswith("set.nlp") and chance.random() < 0.4:
            out.append(Item(i.text, "tool", 0, source=i.source))
        if i.source.startswith("set.instr") and chance.random() < 0.3:
            out.append(Item(i.text, "tool", 0, source=i.source))
        if i.source.startswith("set.trigger") and chance.random() < 0.3:
            out.append(Item(i.text, "tool", 0, source=i.source))
        if i.source.endswith((".clean", ".docs")) and chance.random() < 0.5:
            out.append(Item(i.text, "user" if i.role == "tool" else "tool", 0, source=i.source))
        if i.source.startswith(("set.jail", "set.payl")) or i.source.endswith(".direct"):
            out.append(Item(i.text, "tool", 1, i.kind, source=i.source))
    return out


def weights_by_source(items: list[Item]) -> np.ndarray:
    """A source counts by the square root of its size, so that no single grammar dominates."""
    count = collections.Counter((i.source, i.attack) for i in items)
    return np.array([min(3.0, (1000 / count[i.source, i.attack]) ** 0.5) for i in items], np.float32)


def train(items: list[Item], a: argparse.Namespace) -> tuple[AttackModel, Reader]:
    """A trained model."""
    bits, epochs, seed = a.bits, a.epochs, a.seed
    torch.manual_seed(seed)
    chance = random.Random(seed)
    reader = Reader()
    loaded = np.load(a.vectors)
    rows = Rows(reader, loaded["words"].tolist(), loaded["vectors"])
    reads = [read(reader, i.text, bits, rows) for i in items]
    model = AttackModel(bits, a.dim, a.hidden, a.drop, rows.vectors, rows.classes, a.filters, a.width)
    model.rows = rows
    lab = {k: torch.from_numpy(v) for k, v in labels(items).items()}
    weight = torch.from_numpy(weights_by_source(items))
    sparse = torch.optim.SparseAdam(list(model.table.parameters()), lr=4e-3)
    dense = torch.optim.AdamW(
        [p for n, p in model.named_parameters() if not n.startswith("table") and p.requires_grad],
        lr=3e-3,
        weight_decay=1e-3,
    )
    order = list(range(len(items)))
    steps, step = epochs * len(order) // 64, 0
    for _ in range(epochs):
        chance.shuffle(order)
        for i in range(0, len(order) - 63, 64):
            pick = order[i : i + 64]
            b = batch([reads[p] for p in pick])
            # Some n-grams are forgotten, so that no single phrase is enough.
            keep = np.random.default_rng(step).random(len(b["buckets"])) > a.word_drop
            b["buckets"], b["window_of"] = b["buckets"][keep], b["window_of"][keep]
            logits, kinds, hazards, pool = model(tensors(b))
            idx = torch.tensor(pick)
            mine = logits.gather(1, lab["tool"][idx][:, None])[:, 0]
            loss = (
                torch.nn.functional.binary_cross_entropy_with_logits(
                    mine, lab["attack"][idx] * 0.98 + 0.01, reduction="none"
                )
                * weight[idx]
            ).mean()
            # The sentences alone must say it too: so the loudest one is the guilty one.
            alone = pool.gather(1, lab["tool"][idx][:, None])[:, 0]
            loss = (
                loss
                + 0.5
                * (
                    torch.nn.functional.binary_cross_entropy_with_logits(alone, lab["attack"][idx], reduction="none")
                    * weight[idx]
                ).mean()
            )
            guilty = lab["attack"][idx] > 0
            if guilty.any():
                loss = loss + 0.2 * torch.nn.functional.cross_entropy(kinds[guilty], lab["kind"][idx][guilty])
            plain = lab["kind"][idx] != KINDS.index("jailbreak")
            loss = loss + (hazard_loss(hazards, lab["hazard"][idx]) * weight[idx])[plain].mean()
            for o in (sparse, dense):
                o.zero_grad()
            loss.backward()
            rate = 1 - step / max(1, steps)
            sparse.param_groups[0]["lr"], dense.param_groups[0]["lr"] = 4e-3 * rate + 1e-5, 3e-3 * rate + 1e-5
            sparse.step()
            dense.step()
            step += 1
    return model, reader


def hazard_loss(hazards: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Cross entropy; where a text is harmful in a way nobody knows (-1), any hazard will do."""
    known = torch.nn.functional.cross_entropy(hazards, wanted.clamp(min=0), reduction="none", label_smoothing=0.02)
    some = torch.logsumexp(hazards, 1) - torch.logsumexp(hazards[:, 1:], 1)
    return torch.where(wanted >= 0, known, some)


@torch.no_grad()
def predict(model: AttackModel, reader: Reader, items: list[Item], bits: int) -> np.ndarray:
    """Logits for each text in its own role."""
    model.eval()
    out = []
    for i in range(0, len(items), 128):
        part = items[i : i + 128]
        logits, _, hazards, _ = model(tensors(batch([read(reader, p.text, bits, model.rows) for p in part])))
        tool = torch.tensor([p.role == "tool" for p in part], dtype=torch.int64)
        harm = torch.logsumexp(hazards[:, 1:], 1) - hazards[:, 0]
        out.append(
            torch.cat(
                [logits.gather(1, tool[:, None]), harm[:, None], hazards[:, 1:].argmax(1, keepdim=True)], 1
            ).numpy()
        )
    model.train()
    return np.concatenate(out)


def report(items: list[Item], logits: np.ndarray, levels: dict[str, list[float]]) -> None:
    """Flag rates by source at the three levels."""
    groups: dict[str, list[int]] = collections.defaultdict(list)
    for k, i in enumerate(items):
        groups[
            ".".join(
                i.source.split(".")[
                    : 3 if "direct" in i.source or "as_tool" in i.source or "jailbreak" in i.source else 2
                ]
            )
            + ("+" if i.attack else "-")
        ].append(k)
    rates = {}
    for g, v in sorted(groups.items()):
        rates[g] = [np.mean([logits[k] >= levels[items[k].role][2 - n] for k in v]) for n in range(3)]
        print(f"  {g:40s} n={len(v):5d} flagged at 0.1/1/5 %: " + " ".join(f"{100 * r:6.2f}" for r in rates[g]))
    for n, level in enumerate(("0.1", "1", "5")):

        def mean(*names: str, n: int = n) -> float:
            return float(
                np.mean(
                    [
                        np.mean([r[n] for g, r in rates.items() if g.startswith(name) and g.endswith(names[-1])])
                        for name in names[:-1]
                    ]
                )
            )

        over, day = (
            1 - mean("set.trigger_words-", "-"),
            1 - mean("set.instructions-", "set.dialogue", "set.multilingual", "-"),
        )
        bad = mean("set.direct", "set.jailbreak", "set.payloads", "set.indirect", "+")
        print(
            f"LEVEL {level:3s} %: over-defence {100 * over:.1f} everyday {100 * day:.1f} attacks {100 * bad:.1f} average {100 * (over + day + bad) / 3:.1f}"
        )


def report_harm(items: list[Item], logits: np.ndarray, best: np.ndarray, points: list[float]) -> None:
    """Harmful requests found, and the right hazard named, at the level of 1 %."""
    groups: dict[str, list[int]] = collections.defaultdict(list)
    for k, i in enumerate(items):
        groups[i.source if "harm" in i.source or ".D." in i.source else ".".join(i.source.split(".")[:2])].append(k)
    for g, v in sorted(groups.items()):
        named = np.mean([HAZARDS[int(best[k]) + 1] == items[k].hazard for k in v if items[k].hazard != "?"] or [0])
        print(
            f"  HARM {g:40s} n={len(v):5d} flagged {100 * (logits[v] >= points[1]).mean():6.2f} at 5 %: {100 * (logits[v] >= points[0]).mean():6.2f}"
            + (f"  hazard agrees {100 * named:.0f} %" if "harm" in g else "")
        )


def rising(values: list[np.ndarray]) -> list[float]:
    """The logits that 5 %, 1 % and 0.1 % of harmless texts reach, each source counting the same.

    Of 0.1 % only sources of 500 texts and more tell: in a smaller one, a single text is more than that.
    """
    found = []
    for rate, least in ((0.05, 20), (0.01, 20), (0.001, 500)):
        many = [v for v in values if len(v) >= least]
        grid = np.sort(np.concatenate(many))
        found.append(next((t for t in grid if np.mean([(v >= t).mean() for v in many]) <= rate), grid[-1]))
    return [float(found[0]), float(max(found[1], found[0] + 0.3)), float(max(found[2], found[1] + 0.8, found[0] + 1.1))]


def part(name: str, a: argparse.Namespace) -> Path:
    """The file of one part: judged texts, their logits and the model. Made if it is not there yet."""
    path = a.work / f"part-{name}.pt"
    if path.exists():
        return path
    start = time.time()
    away = FOLDS.get(name)
    sets = [*measured(a.data), *written()]
    own = [i.text for i in sets if i.source.endswith(".clean") and not (away and i.source.startswith(away))]
    made = list(generated(7, a.size, real_carriers(a.data), runs.measured(a.data), own))
    learn = [i for i in sets if not i.measure and not (away and i.source.startswith(away))]
    judge = [i for i in sets if (i.source.startswith(away) and not i.measure if away else i.measure)]
    judge += [
        Item(i.text, "tool", 0, source=i.source + ".as_tool")
        for i in judge
        if not i.attack and i.role == "user" and i.source.startswith(("set.nlp", "set.trigger"))
    ]
    model, reader = train(made + learn + extra_roles(learn), a)
    torch.save((judge, predict(model, reader, judge, a.bits), model), path)
    print(
        f"part {name}: {len(made + learn)} to learn from, {len(judge)} judged, {time.time() - start:.0f} s", flush=True
    )
    return path


def levels_of(items: list[Item], out: np.ndarray) -> dict[str, list[float]]:
    """Thresholds for each role and for harm."""

    def by_source(column: int, keep) -> list[np.ndarray]:
        groups: dict[str, list[float]] = collections.defaultdict(list)
        for i, row in zip(items, out, strict=True):
            if keep(i):
                groups[".".join(i.source.split(".")[:2]) + i.role].append(row[column])
        return [np.array(v) for v in groups.values() if len(v) >= 20]

    calm = lambda i: not i.attack and not i.hazard  # noqa: E731
    return {
        "user": rising(by_source(0, lambda i: calm(i) and i.role == "user")),
        "tool": rising(by_source(0, lambda i: calm(i) and i.role == "tool")),
        "harm": rising(by_source(1, lambda i: calm(i) and i.role == "user" and i.source.startswith(TALK))),
    }


def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", type=Path, required=True)
    ap.add_argument("--vectors", type=Path, required=True, help="What training.word_vectors wrote.")
    ap.add_argument("--work", type=Path, required=True)
    ap.add_argument("--part", choices=PARTS)
    ap.add_argument("--out", type=Path)
    ap.add_argument("--size", type=float, default=0.5)
    ap.add_argument("--epochs", type=int, default=3)
    ap.add_argument("--bits", type=int, default=17)
    ap.add_argument("--dim", type=int, default=8)
    ap.add_argument("--hidden", type=int, default=32)
    ap.add_argument("--filters", type=int, default=32)
    ap.add_argument("--drop", type=float, default=0.3)
    ap.add_argument("--word-drop", type=float, default=0.3)
    ap.add_argument("--width", type=int, default=3)
    ap.add_argument("--seed", type=int, default=3)
    ap.add_argument("--dump", type=Path, help="Write each judged text's number and logits here.")
    a = ap.parse_args()
    torch.set_num_threads(1)
    a.work.mkdir(parents=True, exist_ok=True)
    paths = [part(name, a) for name in ((a.part,) if a.part else PARTS)]
    if a.part:
        return
    parts = [torch.load(path, weights_only=False) for path in paths]
    items, out, model = [i for p in parts for i in p[0]], np.concatenate([p[1] for p in parts]), parts[-1][2]
    levels = levels_of(items, out)
    print(levels)
    report(items, out[:, 0], levels)
    report_harm(items, out[:, 1], out[:, 2], levels["harm"])
    if a.dump:
        rows = [
            json.dumps([i.source, i.role, i.attack, float(o[0]), float(o[1]), i.text[:400]])
            for i, o in zip(items, out, strict=True)
        ]
        a.dump.write_text("\n".join(rows))
    if a.out:
        export(model, model.rows, levels, a.out, a.bits)


if __name__ == "__main__":
    main()
