"""Rows with different settings share a step, and each equals upstream's processors."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from app.core import SamplingParams
from app.engine.checkpoint.spec import T3Spec
from app.engine.t3.sampler import Sampler, SamplingBatch, SamplingRow, greedy_at_zero
from tests.support.engine.t3.models import CPU, ENGLISH, TURBO

VOCAB = 6563
BOS = 6561
SETTINGS = [
    SamplingParams(),
    SamplingParams(temperature=1.0, repetition_penalty=1.0, min_p=0.0),
    SamplingParams(top_p=0.9, min_p=0.0, cfg_weight=0.0),
    SamplingParams(top_p=0.5, min_p=0.2, cfg_weight=1.5, temperature=0.3, repetition_penalty=2.0),
    SamplingParams(top_p=0.95, top_k=1000, min_p=0.0, cfg_weight=0.0),
    SamplingParams(top_p=0.8, top_k=5, min_p=0.0, cfg_weight=0.0, temperature=2.0),
    SamplingParams(top_p=1.0, top_k=1, min_p=0.0, cfg_weight=0.0),
]


def theirs_llama(params: SamplingParams, logits: Tensor, history: list[int]) -> Tensor:
    scores = logits[:1] + params.cfg_weight * (logits[:1] - logits[-1:])
    ids = torch.tensor([[BOS, *history]])
    scores = RepetitionPenaltyLogitsProcessor(params.repetition_penalty)(ids, scores)
    scores = scores / params.temperature
    scores = MinPLogitsWarper(params.min_p)(ids, scores)
    if params.top_k:  # upstream's llama has no top_k; the place is that of transformers
        scores = TopKLogitsWarper(params.top_k)(ids, scores)
    return TopPLogitsWarper(params.top_p)(ids, scores)


def theirs_turbo(params: SamplingParams, logits: Tensor, history: list[int]) -> Tensor:
    processors = LogitsProcessorList([TemperatureLogitsWarper(params.temperature)])
    if params.top_k:
        processors.append(TopKLogitsWarper(params.top_k))
    if params.top_p < 1:
        processors.append(TopPLogitsWarper(params.top_p))
    processors.append(RepetitionPenaltyLogitsProcessor(params.repetition_penalty))
    return processors(torch.tensor([history or [BOS]]), logits[:1])


@pytest.mark.parametrize(("spec", "theirs"), [(ENGLISH, theirs_llama), (TURBO, theirs_turbo)])
def test_every_row_equals_upstreams_processors_over_many_steps(spec, theirs):
    generator = torch.Generator().manual_seed(3)
    sampler = Sampler(spec, 16, CPU)
    histories: list[list[int]] = [[] for _ in SETTINGS]
    for step in range(30):
        logits = 4 * torch.randn(2 * len(SETTINGS), VOCAB, generator=generator)
        noise = torch.empty(len(SETTINGS), VOCAB).exponential_(1, generator=generator)
        rows = [
            # slots are in another order than rows; without guidance there is one row
            SamplingRow(15 - i, params, step, 2 * i, 2 * i + (params.cfg_weight > 0))
            for i, params in enumerate(SETTINGS)
        ]
        tokens = sampler.sample(logits, SamplingBatch.of(rows, VOCAB, CPU), noise).tolist()
        for i, params in enumerate(SETTINGS):
            pair = logits[rows[i].cond : rows[i].uncond + 1]
            expected = (theirs(params, pair, histories[i]).softmax(-1) / noise[i]).argmax().item()
            assert tokens[i] == expected, f"step {step}, {params}"
            histories[i].append(tokens[i])


@pytest.mark.parametrize("spec", [ENGLISH, TURBO])
@pytest.mark.parametrize("temperature", [0.0, 0.004])
def test_temperature_zero_draws_the_likeliest_that_the_penalty_leaves(spec, temperature):
    params = SamplingParams(
        temperature=temperature, min_p=0.9, top_p=0.1, top_k=1, repetition_penalty=1.5
    )
    sampler, history = Sampler(spec, 1, CPU), []
    generator = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(1, VOCAB, generator=generator)
    for step in range(20):
        noise = torch.empty(1, VOCAB).exponential_(1, generator=generator)
        rows = [SamplingRow(0, greedy_at_zero(params), step, 0, 0)]
        (token,) = sampler.sample(logits, SamplingBatch.of(rows, VOCAB, CPU), noise).tolist()
        penalise = RepetitionPenaltyLogitsProcessor(params.repetition_penalty)
        seen = history if spec is TURBO and history else [BOS, *history]
        assert token == penalise(torch.tensor([seen]), logits.clone()).argmax().item()
        history.append(token)
    assert len(set(history)) > 5


@pytest.mark.parametrize("spec", [ENGLISH, TURBO])
def test_sorting_the_ids_that_may_stay_equals_sorting_all(spec):
    kept = [
        replace(SETTINGS[4], top_k=top_k, top_p=top_p) for top_k in (1000, 40) for top_p in (1, 0.7)
    ]
    rows = [SamplingRow(slot, params, 1, slot, slot) for slot, params in enumerate(kept)]
    batch = SamplingBatch.of(rows, VOCAB, CPU)
    assert batch.most_kept == 1000
    sampler, generator = Sampler(spec, len(rows), CPU), torch.Generator().manual_seed(4)
    for _ in range(20):
        logits = 3 * torch.randn(len(rows), VOCAB, generator=generator)
        ours = sampler._filter(logits.clone(), batch)
        every = sampler._filter(logits.clone(), replace(batch, most_kept=None))
        assert torch.equal(ours, every)
        assert ours[1].isfinite().sum() < ours[0].isfinite().sum() == 1000


def sample_one(sampler: Sampler, logits: Tensor, step: int, params: SamplingParams) -> int:
    batch = SamplingBatch.of([SamplingRow(0, params, step, 0, 0)], VOCAB, CPU)
    (token,) = sampler.sample(logits, batch, torch.ones(1, VOCAB)).tolist()
    return token


PENALISED = SamplingParams(
    cfg_weight=0.0, min_p=0.0, temperature=1.0, repetition_penalty=10.0, top_k=0
)


def likes(*ids: int) -> Tensor:
    """Logits that prefer `ids`, in this order."""
    logits = torch.zeros(1, VOCAB)
    for rank, codec_id in enumerate(ids):
        logits[0, codec_id] = 30.0 - rank
    return logits


def test_a_penalised_token_is_not_repeated():
    sampler = Sampler(ENGLISH, 1, CPU)
    assert sample_one(sampler, likes(7, 8), 0, PENALISED) == 7
    assert sample_one(sampler, likes(7, 8), 1, PENALISED) == 8


def test_a_slot_forgets_its_last_sequence():
    sampler = Sampler(ENGLISH, 1, CPU)
    assert sample_one(sampler, likes(7, 8), 0, PENALISED) == 7
    assert sample_one(sampler, likes(7, 8), 0, PENALISED) == 7


@pytest.mark.parametrize(("spec", "in_second_step"), [(ENGLISH, 8), (TURBO, BOS)])
def test_the_penalty_on_bos_stays_in_llama_and_ends_after_one_step_in_gpt2(
    spec: T3Spec, in_second_step
):
    sampler = Sampler(spec, 1, CPU)
    assert sample_one(sampler, likes(BOS, 7), 0, PENALISED) == 7
    assert sample_one(sampler, likes(BOS, 8), 1, PENALISED) == in_second_step


@pytest.mark.parametrize("spec", [ENGLISH, TURBO])
def test_a_row_that_may_not_stop_draws_another_token_beside_one_that_stops(spec: T3Spec):
    stop = spec.stop_speech_token
    rows = [SamplingRow(i, PENALISED, 0, i, i, may_stop=i == 1) for i in range(2)]
    batch = SamplingBatch.of(rows, VOCAB, CPU)
    logits = likes(stop, 7).repeat(2, 1)
    tokens = Sampler(spec, 2, CPU).sample(logits, batch, torch.ones(2, VOCAB))
    assert tokens.tolist() == [7, stop]
    assert torch.equal(logits, likes(stop, 7).repeat(2, 1))  # the model's output is unchanged


def test_logits_that_are_not_finite_fail_their_row_only():
    logits = likes(5).repeat(3, 1)
    logits[1] = float("nan")
    params = replace(PENALISED, repetition_penalty=1.0)
    rows = [SamplingRow(i, params, 0, i, i) for i in range(3)]
    batch = SamplingBatch.of(rows, VOCAB, CPU)
    tokens = Sampler(ENGLISH, 3, CPU).sample(logits, batch, torch.ones(3, VOCAB))
    assert tokens.tolist() == [5, -1, 5]
