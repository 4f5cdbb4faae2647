"""Nano's T3 gives the logits of transformers' own GPT-2 on the same weights.

The wheel of upstream's package knows no Nano. The sequence is laid out here as upstream's master
does, without a line of ours.
"""

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2Model

from app.core import SamplingParams
from app.engine.checkpoint.full_size import NANO
from app.engine.checkpoint.spec import T3Spec
from app.engine.checkpoint.t3_tensors import t3_shapes
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest
from tests.support.engine.checkpoint.tiny import TINY_NANO
from tests.support.engine.t3 import models

Weights = dict[str, Tensor]


def gpt2_of(spec: T3Spec, activation: str = "gelu_new") -> GPT2Model:
    """Weights large enough that the hidden states depend on the whole sequence."""
    config = GPT2Config(
        n_embd=spec.dim,
        n_layer=spec.num_layers,
        n_head=spec.num_heads,
        n_positions=spec.max_positions,
        activation_function=activation,
        vocab_size=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        model = GPT2Model(config).eval().requires_grad_(requires_grad=False)
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and not name.startswith(("wte", "wpe")):
            weight.mul_(1 / (0.02 * spec.dim**0.5))
    return model


def weights_around(gpt2: GPT2Model, spec: T3Spec) -> Weights:
    """What T3 has beside its backbone, and the backbone under T3's names."""
    generator = torch.Generator().manual_seed(5)
    state = {f"tfmr.{name}": weight for name, weight in gpt2.state_dict().items()}
    shapes = t3_shapes(spec)
    for name in shapes.keys() - state.keys():
        scale = spec.dim**-0.5 if name.startswith("speech_head") else 1.0
        state[name] = scale * torch.randn(shapes[name], generator=generator)
    return state


def transformers_logits(
    gpt2: GPT2Model, state: Weights, request: SequenceRequest, tokens: list[int]
) -> Tensor:
    """One row for each of `tokens`: what the sequence before it gives, in one call."""
    voice = request.conditionals
    speaker = voice.speaker_emb @ state["cond_enc.spkr_enc.weight"].T
    speech = state["speech_emb.weight"]
    embeds = torch.cat(
        [
            (speaker + state["cond_enc.spkr_enc.bias"])[None],
            speech[voice.prompt_tokens],
            state["text_emb.weight"][list(request.text_ids)],
            speech[[6561, *tokens[:-1]]],
        ]
    )
    with torch.inference_mode():
        hidden = gpt2(inputs_embeds=embeds[None]).last_hidden_state[0, -len(tokens) :]
        return hidden @ state["speech_head.weight"].T + state["speech_head.bias"]


def compare(spec: T3Spec, num_tokens: int, monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Every step of our engine, which keeps keys and values, against one call without a cache.
    `changes`: of transformers' model, once its weights are taken."""
    gpt2 = gpt2_of(spec)
    state = weights_around(gpt2, spec)
    logits: list[Tensor] = []
    forward = T3Model.forward

    def recording_forward(model: T3Model, *args: object) -> Tensor:
        logits.append(forward(model, *args)[0])
        return logits[-1][None]

    monkeypatch.setattr(T3Model, "forward", recording_forward)
    voice, text = models.conditionals(3, 120), models.text_ids(5, 20)
    engine = TokenEngine(T3Model(spec, state, models.CPU, torch.float32), models.settings())
    sampling = SamplingParams(max_tokens=num_tokens, cfg_weight=0.0, ignore_eos=True)
    request = SequenceRequest(models.session("a"), 0, text, voice, sampling)
    models.send(engine, request)
    (sequence,) = engine._scheduler.live()
    while engine.has_work():
        engine.step()
    theirs = gpt2_of(spec, **changes)
    expected = transformers_logits(theirs, state, request, sequence.tokens)
    assert expected.std() > 0.3
    assert len(set(sequence.tokens)) > num_tokens / 2
    torch.testing.assert_close(torch.stack(logits), expected, atol=1e-4, rtol=0)


def test_a_small_nano_equals_transformers_gpt2(monkeypatch):
    compare(TINY_NANO.t3, 40, monkeypatch)


@pytest.mark.long
def test_the_full_size_nano_equals_transformers_gpt2(monkeypatch):
    compare(NANO.t3, 10, monkeypatch)


def test_the_comparison_finds_another_activation(monkeypatch):
    with pytest.raises(AssertionError, match="not close"):
        compare(TINY_NANO.t3, 10, monkeypatch, activation="relu")
