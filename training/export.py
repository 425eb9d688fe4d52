"""From a trained model to the weights file: whole numbers of 8 bits, word vectors folded into the filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from akto_proxy.guard.learned.weights import Weights
from training.attack_model import AttackModel


def eight_bits(x: np.ndarray, clip: float = 99.95) -> tuple[np.ndarray, float]:
    """`x` as int8 and its scale; the few largest values are cut."""
    top = max(float(np.percentile(np.abs(x[x != 0]), clip)) if np.any(x) else 1.0, float(np.abs(x).max()) / 3)
    return np.clip(np.round(x / top * 127), -127, 127).astype(np.int8), top / 127


@torch.no_grad()
def export(model: AttackModel, rows: Any, levels: dict[str, list[float]], out: Path, bits: int) -> None:
    """Write the weights file."""
    table, table_scale = eight_bits(model.table.weight.numpy())
    conv, conv_scale = eight_bits((model.conv(model.words.weight) + model.class_conv(model.row_class)).numpy())

    def dense(layer: torch.nn.Linear) -> tuple[np.ndarray, np.ndarray]:
        return layer.weight.numpy().T.astype(np.float32), layer.bias.numpy().astype(np.float32)

    arrays = {"table": table, "conv": conv, "slots": rows.slots, "checks": rows.checks}
    arrays["conv_bias"] = model.conv_bias.numpy().astype(np.float32)
    for name, layer in (("first", model.first), ("second", model.second), ("doc", model.doc), ("last", model.last)):
        arrays[name + "_w"], arrays[name + "_b"] = dense(layer)
    meta = {"bits": bits, "width": model.width, "table_scale": table_scale, "conv_scale": conv_scale, "levels": levels}
    out.write_bytes(Weights(arrays, meta).dump())
    print(out, out.stat().st_size, "bytes", {k: v.nbytes for k, v in arrays.items() if v.nbytes > 9999})
