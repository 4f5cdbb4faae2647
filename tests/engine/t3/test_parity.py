"""The token engine speaks what upstream's loops speak, token for token, given the same draws."""

import itertools
from collections.abc import Callable

import pytest
import torch
from chatterbox.models.t3.t3 import T3
from torch import Tensor

from app.core import SamplingParams
from app.engine.checkpoint.spec import FULL_SIZE, SAMPLING, T3Spec
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.voices import T3Conditionals
from tests.engine.t3 import models
from tests.engine.t3.models import ReplayedNoise, lean, upstream_cond, upstream_t3

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*torch.backends.cuda.sdp_kernel\(\).*:FutureWarning"  # upstream's perceiver
)


class Recorder:
    """What upstream's loop draws and sees: torch.multinomial made explicit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, t3: T3) -> None:
        self.draws: list[Tensor] = []
        self.logits: list[Tensor] = []
        generator = torch.Generator().manual_seed(7)

        def multinomial(probabilities: Tensor, num_samples: int) -> Tensor:
            noise = torch.empty_like(probabilities).exponential_(1, generator=generator)
            self.draws.append(noise[0])
            return (probabilities / noise).argmax(dim=-1, keepdim=True)

        monkeypatch.setattr(torch, "multinomial", multinomial)
        t3.speech_head.register_forward_hook(
            lambda _module, _inputs, output: self.logits.append(output[:, -1].clone())
        )


def upstream_llama(
    t3: T3, voice: T3Conditionals, text: tuple[int, ...], sampling: SamplingParams
) -> list[int]:
    framed = torch.tensor([[t3.hp.start_text_token, *text, t3.hp.stop_text_token]])
    tokens = t3.inference(
        t3_cond=upstream_cond(voice, sampling.exaggeration),
        text_tokens=torch.cat([framed, framed]),
        max_new_tokens=sampling.max_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
        repetition_penalty=sampling.repetition_penalty,
        cfg_weight=sampling.cfg_weight,
    )
    return tokens[0].tolist()


def upstream_turbo(
    t3: T3, voice: T3Conditionals, text: tuple[int, ...], sampling: SamplingParams
) -> list[int]:
    tokens = t3.inference_turbo(
        t3_cond=upstream_cond(voice, sampling.exaggeration),
        text_tokens=torch.tensor([text]),
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        repetition_penalty=sampling.repetition_penalty,
        max_gen_len=sampling.max_tokens - 1,  # upstream generates one more than it says
    )
    return tokens[0].tolist()


def compare(
    spec: T3Spec,
    t3: T3,
    theirs: Callable[[T3, T3Conditionals, tuple[int, ...], SamplingParams], list[int]],
    sampling: SamplingParams,
    monkeypatch: pytest.MonkeyPatch,
    num_text: int = 20,
) -> list[int]:
    recorder = Recorder(monkeypatch, t3)
    voice = models.conditionals(3, spec.prompt_len)
    text = models.text_ids(5, num_text)
    expected = theirs(t3, voice, text, sampling)
    seen: list[Tensor] = []
    forward = T3Model.forward

    def recording(self: T3Model, *args: object) -> Tensor:
        seen.append(forward(self, *args))
        return seen[-1]

    monkeypatch.setattr(T3Model, "forward", recording)
    key = models.session("parity")
    noise = ReplayedNoise({key: recorder.draws})
    engine = TokenEngine(lean(t3, spec), models.settings(), (), noise)
    message = models.AddSequence(key, 0, text, voice, "voice", sampling)
    engine.check(message)
    ours: list[int] = []
    engine.receive(message)
    (sequence,) = engine._scheduler.live()
    while engine.has_work():
        engine.step()
    ours = sequence.tokens
    for step, (mine, upstreams) in enumerate(zip(seen, recorder.logits, strict=False)):
        assert (mine - upstreams).abs().max() < 1e-4, f"logits differ in step {step}"
    assert len(seen) >= len(expected) - 1
    without_stop = ours[:-1] if ours[-1] == spec.stop_speech_token else ours
    expected = expected[:-1] if expected[-1] == spec.stop_speech_token else expected
    assert without_stop == expected
    return ours


ENGLISH_SETTINGS = {
    "defaults": SamplingParams(max_tokens=220),
    "top_p": SamplingParams(max_tokens=220, top_p=0.9, min_p=0.0),
    "all of them": SamplingParams(
        max_tokens=220,
        temperature=1.3,
        top_p=0.8,
        min_p=0.1,
        repetition_penalty=2.0,
        cfg_weight=1.1,
        exaggeration=1.4,
    ),
    "plain": SamplingParams(
        max_tokens=220, temperature=1.0, min_p=0.0, repetition_penalty=1.0, exaggeration=0.0
    ),
}


@pytest.mark.parametrize("name", ENGLISH_SETTINGS)
def test_english_equals_upstream_over_220_tokens(name, monkeypatch):
    spec = models.ENGLISH
    tokens = compare(spec, upstream_t3(spec), upstream_llama, ENGLISH_SETTINGS[name], monkeypatch)
    assert len(tokens) == 220


def test_multilingual_equals_upstream_without_its_analyzer(monkeypatch):
    spec = models.MULTILINGUAL
    t3 = upstream_t3(spec)
    assert t3.hp.is_multilingual
    monkeypatch.setattr(type(t3.hp), "is_multilingual", False)
    sampling = SamplingParams(max_tokens=220, repetition_penalty=2.0)
    assert len(compare(spec, t3, upstream_llama, sampling, monkeypatch)) == 220


TURBO_SETTINGS = {
    "defaults": SAMPLING["turbo"],
    "flat": SamplingParams(temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.0),
    "narrow": SamplingParams(temperature=0.6, top_k=40, top_p=0.7, repetition_penalty=1.5),
}


@pytest.mark.parametrize("name", TURBO_SETTINGS)
def test_turbo_equals_upstream_over_220_tokens(name, monkeypatch):
    spec = models.TURBO
    sampling = models.replace(TURBO_SETTINGS[name], max_tokens=220)
    tokens = compare(spec, upstream_t3(spec), upstream_turbo, sampling, monkeypatch)
    assert len(tokens) == 220
