"""The prompt attack model in torch: hashed n-gram vectors, a small network per sentence, the loudest sentence speaks for the text.

Labels are known for whole texts only; pooling by a soft maximum lets the network find the guilty sentence by itself.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


class AttackModel(nn.Module):
    """Buckets -> window vectors -> hidden -> logits for role user and tool, and for the kind of attack."""

    def __init__(
        self,
        bits: int = 17,
        dim: int = 8,
        hidden: int = 32,
        drop: float = 0.3,
        vectors: np.ndarray | None = None,
        row_class: np.ndarray | None = None,
        filters: int = 24,
        width: int = 3,
    ) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(1 << bits, dim, mode="sum", sparse=True)
        nn.init.normal_(self.table.weight, 0, 0.002)
        self.dim = dim
        self.filters = filters if vectors is not None else 0
        self.width = width
        if vectors is not None:
            self.words = nn.Embedding.from_pretrained(torch.from_numpy(vectors), freeze=True)
            self.conv = nn.Linear(vectors.shape[1], width * filters, bias=False)
            self.class_conv = nn.Embedding(64, width * filters, padding_idx=0)
            self.register_buffer("row_class", torch.from_numpy(row_class))
            nn.init.normal_(self.class_conv.weight[1:].data, 0, 0.05)
            nn.init.normal_(self.conv.weight, 0, 0.05)
            self.conv_bias = nn.Parameter(torch.zeros(filters))
        self.first = nn.Linear(4 * dim + 6 + self.filters, hidden)
        self.second = nn.Linear(hidden, 2)
        self.doc = nn.Linear(2 * dim + hidden + self.filters, 48)
        self.last = nn.Linear(48, 2 + 4 + 15)
        self.drop = nn.Dropout(drop)

    def forward(self, b: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Logits (documents, 2 roles), kinds (documents, 4), hazards (documents, 15), the sentences' own logits (documents, 2)."""
        count = int(b["windows"])
        keep = b["buckets"]
        counts = torch.bincount(b["window_of"], minlength=count)
        offsets = torch.cumsum(counts, 0) - counts
        z = self.table(keep, offsets) / torch.sqrt(counts.clamp(min=1).float())[:, None]
        doc_of = b["doc_of"]
        docs = int(doc_of[-1]) + 1
        same_prev = torch.zeros(count, 1)
        same_prev[1:, 0] = (doc_of[1:] == doc_of[:-1]).float()
        before = torch.roll(z, 1, 0) * same_prev
        after = torch.roll(z, -1, 0) * torch.roll(same_prev, -1, 0)
        per_doc = torch.bincount(doc_of, minlength=docs).float()[:, None]
        mean = torch.zeros(docs, self.dim).index_add(0, doc_of, z) / per_doc
        parts, whole = [z, before, after, mean[doc_of], structure(b)], []
        if self.filters:
            top = self.convolve(b)
            per_window = torch.zeros(count, self.filters).index_reduce(0, b["token_window"], top, "amax")
            parts.append(per_window)
            whole.append(torch.zeros(docs, self.filters).index_reduce(0, doc_of, per_window, "amax"))
        x = torch.cat(parts, 1)
        h = torch.relu(self.first(self.drop(x)))
        w = self.second(h)
        pool = soft_max(w, doc_of, docs)
        top = torch.full((docs, h.shape[1]), -1e9).index_reduce(0, doc_of, h, "amax")
        loud = torch.full((docs, self.dim), -1e9).index_reduce(0, doc_of, z, "amax")
        extra = self.last(torch.relu(self.doc(self.drop(torch.cat([mean, loud, top, *whole], 1)))))
        # What the whole text looks like may sway the verdict, not drown the guilty sentence.
        return pool + 2 * torch.tanh(extra[:, :2] / 2), extra[:, 2:6], extra[:, 6:], pool

    def convolve(self, b: dict[str, torch.Tensor]) -> torch.Tensor:
        """Rectified filters over each token and its neighbours in the same text."""
        rows = b["rows"]
        classes = self.row_class[rows]
        y = (self.conv(self.words(rows)) + self.class_conv(classes)).view(-1, self.width, self.filters)
        doc = b["token_doc"]
        out = self.conv_bias.expand(len(rows), -1).clone()
        for k in range(self.width):
            d = k - self.width // 2
            if d == 0:
                out = out + y[:, k]
            elif abs(d) < len(rows):
                here, there = (slice(0, -d), slice(d, None)) if d > 0 else (slice(-d, None), slice(0, d))
                same = (doc[here] == doc[there]).float()[:, None]
                out = out.index_add(0, torch.arange(len(rows))[here], y[there, k] * same)
        return torch.relu(out)


def structure(b: dict[str, torch.Tensor]) -> torch.Tensor:
    """Where a window stands: first, last, alone, its length, the length of the text."""
    place, total, sizes = b["place"].float(), b["total"].float(), b["sizes"]
    return torch.stack(
        [
            (place == 0).float(),
            (place == total - 1).float(),
            (total == 1).float(),
            torch.log1p(sizes) / 4,
            torch.log1p(total) / 4,
            (place / total),
        ],
        1,
    )


def soft_max(w: torch.Tensor, doc_of: torch.Tensor, docs: int) -> torch.Tensor:
    """A maximum with a slope: log-sum-exp over the windows of each document."""
    top = torch.full((docs, w.shape[1]), -1e9).index_reduce(0, doc_of, w.detach(), "amax")
    total = torch.zeros(docs, w.shape[1]).index_add(0, doc_of, torch.exp(w - top[doc_of]))
    return top + torch.log(total)


def tensors(b: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Numpy to torch."""
    return {k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in b.items()}
