"""Which precision `auto` is, by device."""

import torch

from app.config import Precision


def dtype_of(asked: Precision, device: torch.device, on_cuda: torch.dtype) -> torch.dtype:
    if asked == "auto":
        return on_cuda if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, asked)
    return dtype
