"""The closer look in torch: the arithmetic of `guard/learned/closer.py`, and its export as whole numbers of 8 bits."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from akto_proxy.guard.learned.closer import WORDS
from akto_proxy.guard.learned.weights import Weights

TEACHER = 384
"""Numbers that the teacher says of a sentence."""


class CloserModel(nn.Module):
    """Word features -> a few layers of attention -> the mean of the words -> a logit, and the teacher's view of it."""

    def __init__(self, features: int, width: int = 96, layers: int = 2, heads: int = 4, drop: float = 0.1) -> None:
        super().__init__()
        self.heads, self.layers = heads, layers
        self.enter = nn.Linear(features, width)
        self.place = nn.Parameter(torch.randn(WORDS, width) * 0.02)
        named = {"norm_a": lambda: nn.LayerNorm(width), "mix": lambda: nn.Linear(width, 3 * width)}
        named |= {"join": lambda: nn.Linear(width, width), "norm_f": lambda: nn.LayerNorm(width)}
        named |= {"up": lambda: nn.Linear(width, 3 * width), "down": lambda: nn.Linear(3 * width, width)}
        for name, make in named.items():
            setattr(self, name, nn.ModuleList(make() for _ in range(layers)))
        self.norm_end = nn.LayerNorm(width)
        self.out = nn.Linear(width, 1)
        self.view = nn.Linear(width, TEACHER)
        self.drop = nn.Dropout(drop)

    def forward(self, x: torch.Tensor, there: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (sentences,) and views (sentences, TEACHER); `there` tells words from padding."""
        x = self.drop(self.enter(x) + self.place[: x.shape[1]])
        for n in range(self.layers):
            x = x + self.drop(self._attend(self.norm_a[n](x), there, n))
            x = x + self.drop(self.down[n](torch.relu(self.up[n](self.norm_f[n](x)))))
        kept = there[..., None].float()
        mean = (self.norm_end(x) * kept).sum(1) / kept.sum(1)
        return self.out(mean)[:, 0], self.view(mean)

    def _attend(self, x: torch.Tensor, there: torch.Tensor, n: int) -> torch.Tensor:
        count, length, width = x.shape
        mixed = self.mix[n](x).view(count, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        joined = nn.functional.scaled_dot_product_attention(*mixed, attn_mask=there[:, None, None, :])
        return self.join[n](joined.transpose(1, 2).reshape(count, length, width))


@torch.no_grad()
def export(model: CloserModel, gate: float, sway: tuple[float, float, float]) -> bytes:
    """The weights file: matrices with one scale a column, the rest as it is."""
    arrays: dict[str, np.ndarray] = {"place": model.place.numpy()}

    def put(name: str, layer: nn.Module) -> None:
        matrix = layer.weight.numpy()
        arrays[f"{name}_b"] = layer.bias.numpy()
        if matrix.ndim == 1:
            arrays[f"{name}_w"] = matrix
            return
        scale = np.abs(matrix.T).max(0) / 127
        arrays[f"{name}_w"] = np.round(matrix.T / scale).astype(np.int8)
        arrays[f"{name}_w_scale"] = scale.astype(np.float32)

    put("in", model.enter)
    put("out", model.out)
    put("end", model.norm_end)
    for n in range(model.layers):
        for name, layer in (("a", model.norm_a), ("f", model.norm_f), ("mix", model.mix)):
            put(f"{name}{n}", layer[n])
        for name, layer in (("join", model.join), ("up", model.up), ("down", model.down)):
            put(f"{name}{n}", layer[n])
    meta = {"layers": model.layers, "heads": model.heads, "gate": gate, "sway": list(sway)}
    return Weights(arrays, meta).dump()
