"""The error of bfloat16, the default on a GPU: measured on a CPU against float32."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from app.engine.checkpoint.spec import SAMPLING
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import CPU, SPECS, request, run_all, settings


def logits_of(model: T3Model, prompt: Tensor) -> Tensor:
    """(rows, vocab) after the prompt."""
    rows, num_tokens, _ = prompt.shape
    positions = torch.arange(num_tokens).expand(rows, -1)

    def attend(_: int, qkv: Tensor) -> Tensor:
        q, k, v = qkv.unflatten(0, (rows, num_tokens)).permute(2, 0, 3, 1, 4)
        out = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return out.transpose(1, 2).reshape(len(qkv), -1)

    last = torch.arange(num_tokens - 1, rows * num_tokens, num_tokens)
    return model.forward(prompt.flatten(0, 1), positions.flatten(), last, attend)


@pytest.mark.parametrize("family", SPECS)
def test_logits_in_bfloat16_are_near_those_in_float32(family):
    spec = SPECS[family]
    state = models.upstream_t3(spec).state_dict()
    exact, rough = (T3Model(spec, state, CPU, dtype) for dtype in (torch.float32, torch.bfloat16))
    voice, text = models.conditionals(3, spec.prompt_len), models.text_ids(5, 20)
    logits = []
    for model in (exact, rough):
        prefix = model.conditioning.encode(voice, 0.5).to(model.dtype)
        logits.append(logits_of(model, model.embed_prompt(prefix, text, 2)))
    assert logits[1].dtype is torch.float32
    error = (logits[1] - logits[0]).std() / logits[0].std()
    assert error < 0.03
    assert error > 1e-5  # the precisions do differ


@pytest.mark.parametrize("family", SPECS)
@pytest.mark.parametrize("fast", [False, True])
def test_a_sequence_in_bfloat16_has_varied_ids(family, fast):
    spec = SPECS[family]
    model = T3Model(spec, models.upstream_t3(spec).state_dict(), CPU, torch.bfloat16)
    engine = TokenEngine(model, settings(), fast=fast)
    sampling = replace(SAMPLING[family], max_tokens=30, ignore_eos=True)
    requests = [request(n, replace(sampling, seed=n), voice=n) for n in (1, 2, 3)]
    recorded = run_all(engine, requests)
    for one in requests:
        assert len(set(recorded.ids[one.key, 0])) > 20
