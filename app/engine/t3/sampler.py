"""From logits to codec ids: all sequences of a step at once, each with its own settings.

The order of the operations depends on the backbone, as upstream's does (T3.inference and
T3.inference_turbo):

    llama: guidance, repetition penalty, temperature, min_p, top_p, softmax
    gpt2:  temperature, top_k, top_p, repetition penalty, softmax

The draw is argmax(p / q) with q ~ Exponential(1). torch.multinomial draws one sample in the same
way on every device. The noise q is an input. At a temperature of 0 the likeliest id is drawn, with
both backbones (upstream's gpt2 leaves the temperature out then, and samples as at 1). Knows nothing
about models or scheduling.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from torch import Tensor

from app.core import SamplingParams
from app.engine.checkpoint.spec import T3Spec

NUM_INTS = 6  # of a packed row
NUM_FLOATS = 5
LEAST_TEMPERATURE = 0.01  # a lower one counts as 0
_GREEDY_TEMPERATURE = 1e-9  # the smallest difference of float32 logits outweighs all noise
_NEVER = -float("inf")


class SamplingRow(NamedTuple):
    """One sequence's part of a step."""

    slot: int
    sampling: SamplingParams
    step: int  # number of tokens sampled before
    cond: int  # row of its logits
    uncond: int  # row of the unconditional logits; equals `cond` without guidance
    may_stop: bool = True  # False: the stop token must not be drawn


@dataclass(frozen=True, slots=True)
class SamplingBatch:
    """The settings of a step's sequences as columns (S, 1), and two facts of the whole batch."""

    slots: Tensor  # (S,)
    cond: Tensor  # (S,)
    uncond: Tensor  # (S,)
    is_first: Tensor
    may_stop: Tensor
    cfg_weight: Tensor
    temperature: Tensor
    repetition_penalty: Tensor
    min_p: Tensor
    tail: Tensor  # 1 - top_p
    top_k: Tensor  # int64, at most the vocabulary
    any_min_p: bool
    any_sort: bool
    most_kept: int | None = None  # the largest top_k; None: not known, all ids are sorted

    @classmethod
    def of(cls, rows: Sequence[SamplingRow], vocab: int, device: torch.device) -> Self:
        ints, floats = pack(rows, vocab)
        batch = cls.unpack(
            torch.tensor(ints).to(device),
            torch.tensor(floats, dtype=torch.float32).to(device),
            any_min_p=any(row.sampling.min_p > 0 for row in rows),
            any_sort=any(needs_sort(row.sampling, vocab) for row in rows),
        )
        return replace(batch, most_kept=max(top_k for *_, top_k in ints))

    @classmethod
    def unpack(cls, ints: Tensor, floats: Tensor, *, any_min_p: bool, any_sort: bool) -> Self:
        """ints: (S, NUM_INTS) int64, floats: (S, NUM_FLOATS) float32, as `pack` orders them."""
        slots, cond, uncond, is_first, may_stop, top_k = ints[:, :, None].unbind(1)
        weight, temperature, penalty, min_p, tail = floats[:, :, None].unbind(1)
        return cls(
            slots=slots[:, 0],
            cond=cond[:, 0],
            uncond=uncond[:, 0],
            is_first=is_first.bool(),
            may_stop=may_stop.bool(),
            cfg_weight=weight,
            temperature=temperature,
            repetition_penalty=penalty,
            min_p=min_p,
            tail=tail,
            top_k=top_k,
            any_min_p=any_min_p,
            any_sort=any_sort,
        )


class Sampler:
    """Remembers which ids each slot has drawn; all else is pure."""

    def __init__(self, spec: T3Spec, num_slots: int, device: torch.device) -> None:
        self._is_turbo = spec.backbone == "gpt2"
        self._bos = spec.start_speech_token
        self._stop = spec.stop_speech_token
        self._seen = torch.zeros(num_slots, spec.speech_vocab, dtype=torch.bool, device=device)
        self._true = torch.ones((), dtype=torch.bool, device=device)

    def sample(self, logits: Tensor, batch: SamplingBatch, noise: Tensor) -> Tensor:
        """logits: (R, vocab) float32 of every row; noise: (S, vocab) float32.

        Returns (S,) int64 ids; -1 where the logits made no distribution.
        """
        probabilities = torch.softmax(self._filter(logits, batch), dim=-1)
        tokens = (probabilities / noise).argmax(dim=-1)
        is_finite = probabilities.sum(dim=-1).isfinite()
        self._seen[batch.slots, tokens] = self._true  # a bare True would be copied from the host
        return torch.where(is_finite, tokens, -1)

    def restore(self, slot: int, tokens: Sequence[int]) -> None:
        """Set a slot's memory back to the moment after these tokens."""
        self._seen[slot] = False
        self._seen[slot, list(tokens)] = True

    def _filter(self, logits: Tensor, batch: SamplingBatch) -> Tensor:
        seen = self._recall(batch)
        cond = logits[batch.cond]
        if self._is_turbo:
            scores = _keep_top(self._hold(cond, batch) / batch.temperature, batch)
            return _penalise(scores, seen, batch.repetition_penalty)
        scores = cond + batch.cfg_weight * (cond - logits[batch.uncond])
        scores = _penalise(self._hold(scores, batch), seen, batch.repetition_penalty)
        scores = scores / batch.temperature
        return _keep_top(_keep_likely(scores, batch), batch)

    def _hold(self, scores: Tensor, batch: SamplingBatch) -> Tensor:
        """Forbid the stop token in rows that may not stop. Writes to `scores`."""
        stop = scores[:, self._stop, None]
        stop.copy_(stop.masked_fill(~batch.may_stop, _NEVER))
        return scores

    def _recall(self, batch: SamplingBatch) -> Tensor:
        """(S, vocab) bool: the ids that the repetition penalty applies to. A slot starts empty.

        Upstream's llama counts the BOS as seen in every step, its gpt2 in the first step alone.
        """
        seen = self._seen[batch.slots] & ~batch.is_first
        self._seen[batch.slots] = seen
        seen[:, self._bos] |= batch.is_first[:, 0] if self._is_turbo else True
        return seen


def greedy_at_zero(params: SamplingParams) -> SamplingParams:
    """The settings of a sequence. At temperature 0 they draw the likeliest id after guidance and
    repetition penalty, whatever the noise is, and no other filter."""
    if params.temperature >= LEAST_TEMPERATURE:
        return params
    return replace(params, temperature=_GREEDY_TEMPERATURE, min_p=0.0, top_p=1.0, top_k=0)


def needs_sort(params: SamplingParams, vocab: int) -> bool:
    return params.top_p < 1 or 0 < params.top_k < vocab


def pack(rows: Sequence[SamplingRow], vocab: int) -> tuple[list[list[int]], list[list[float]]]:
    """Integers and floats of each row, in the order of SamplingBatch.unpack."""
    ints, floats = [], []
    for row in rows:
        params = row.sampling
        top_k = min(params.top_k, vocab) if params.top_k > 0 else vocab
        ints.append([row.slot, row.cond, row.uncond, row.step == 0, row.may_stop, top_k])
        tail = 1 - params.top_p  # in float64, as upstream computes it
        penalty = params.repetition_penalty
        floats.append([params.cfg_weight, params.temperature, penalty, params.min_p, tail])
    return ints, floats


def _penalise(scores: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    penalised = torch.where(scores < 0, scores * penalty, scores / penalty)
    return torch.where(seen, penalised, scores)


def _keep_likely(scores: Tensor, batch: SamplingBatch) -> Tensor:
    """min_p: keep ids with at least that fraction of the likeliest id's probability."""
    if not batch.any_min_p:
        return scores
    probabilities = torch.softmax(scores, dim=-1)
    threshold = batch.min_p * probabilities.amax(dim=-1, keepdim=True)
    return scores.masked_fill(probabilities < threshold, _NEVER)


def _keep_top(scores: Tensor, batch: SamplingBatch) -> Tensor:
    """top_k, then top_p. One sort serves both: the ids that top_k removes come first. To find the
    ids that some row keeps takes a tenth to a quarter of the time of sorting all (6,563 on a
    CPU)."""
    if not batch.any_sort:
        return scores
    if batch.most_kept is None or batch.most_kept == scores.shape[1]:
        ascending, ids = torch.sort(scores, dim=-1)
    else:
        descending, descending_ids = torch.topk(scores, batch.most_kept, dim=-1)
        ascending, ids = descending.flip(-1), descending_ids.flip(-1)
    kth = ascending.gather(1, ascending.shape[1] - batch.top_k)
    ascending = ascending.masked_fill(ascending < kth, _NEVER)
    is_tail = torch.softmax(ascending, dim=-1).cumsum(dim=-1) <= batch.tail
    is_tail[:, -1] = False  # at least one id stays
    is_out = (ascending == _NEVER) | is_tail
    every_is_out = torch.ones_like(scores, dtype=torch.bool)
    return scores.masked_fill(every_is_out.scatter(1, ids, is_out), _NEVER)
