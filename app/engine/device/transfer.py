"""From the host to a device, without waiting for the device."""

from collections.abc import Sequence

import torch
from torch import Tensor


def upload(
    values: Sequence[int] | Sequence[Sequence[int]] | Sequence[Sequence[float]],
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """A copy from ordinary memory would wait for all earlier work of the device. The pinned memory
    lives until it is copied."""
    host = torch.tensor(values, dtype=dtype, pin_memory=device.type == "cuda")
    return host.to(device, non_blocking=True)
