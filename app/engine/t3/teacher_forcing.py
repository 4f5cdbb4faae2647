"""One pass of T3 over a prompt and the tokens that were drawn for it, alone and without a cache.

Gives what the model thinks of each token, and where each of its heads looks. For calibration. Knows
nothing about words.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest


class Spoken(NamedTuple):
    request: SequenceRequest
    tokens: Tensor  # (K,) int64, as drawn


class Reading(NamedTuple):
    """Of one pass, on the host."""

    likelihood: Tensor  # (K,) the logarithm of each token's probability
    shares: Tensor  # (K, layers, heads, text ids) of a token's attention that each id has


def read(model: T3Model, spoken: Spoken, text_ids: tuple[int, ...] | None = None) -> Reading:
    """`text_ids`: another text of the same length, for the same tokens. Call in inference mode."""
    logits, shares = _pass(model, spoken, text_ids)
    likelihood = logits.log_softmax(-1).gather(1, spoken.tokens[:, None])[:, 0]
    return Reading(likelihood.cpu(), torch.stack(shares, 1).cpu())


def logits_of(model: T3Model, spoken: Spoken) -> Tensor:
    """(K, vocab) float32: what each token was drawn from, without guidance."""
    return _pass(model, spoken, None)[0]


def _pass(
    model: T3Model, spoken: Spoken, text_ids: tuple[int, ...] | None
) -> tuple[Tensor, list[Tensor]]:
    """Logits, and the shares of each layer."""
    request, tokens = spoken
    conditionals = request.conditionals
    ids = request.text_ids if text_ids is None else text_ids
    prefix = model.conditioning.encode(conditionals, request.sampling.exaggeration)
    prompt = model.embed_prompt(prefix.to(model.dtype), ids, num_rows=1)[0]
    indices = torch.arange(len(tokens) - 1, device=model.device)
    hidden = torch.cat((prompt, model.embed_speech(tokens[:-1], indices)))
    positions = torch.arange(len(hidden), device=model.device)
    start = model.text_start(conditionals)
    attend = _WholePass(len(prompt) - 1, slice(start, start + len(ids)))
    logits = model.forward(hidden, positions, positions[len(prompt) - 1 :], attend)
    return logits, attend.shares


class _WholePass:
    """Attention of all positions to those before them, of one row."""

    def __init__(self, first: int, text: slice) -> None:
        """`first`: the position that draws the first token."""
        self._first = first
        self._text = text
        self.shares: list[Tensor] = []  # by layer: (K, heads, text ids)

    def __call__(self, layer: int, qkv: Tensor) -> Tensor:
        query, keys, values = qkv.permute(1, 2, 0, 3)  # each (heads, N, dim)
        logits = query[:, self._first :] @ keys.transpose(1, 2) * qkv.shape[-1] ** -0.5
        is_later = torch.ones(logits.shape[1:], dtype=torch.bool, device=qkv.device)
        logits = logits.float().masked_fill(is_later.triu(self._first + 1), -torch.inf)
        shares = logits.softmax(-1)[:, :, self._text]
        self.shares.append(shares.transpose(0, 1))
        attended = F.scaled_dot_product_attention(query, keys, values, is_causal=True)
        return attended.transpose(0, 1).reshape(len(qkv), -1)
