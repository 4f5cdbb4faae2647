"""The token engine gives the tokens of upstream's loops, given the same draws."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from chatterbox.models.t3.t3 import T3
from torch import Tensor

from app.core import FinishReason, SamplingParams
from app.engine.checkpoint.full_size import FULL_SIZE, MULTILINGUAL_V3
from app.engine.checkpoint.spec import SAMPLING, T3Spec
from app.engine.conditionals import T3Conditionals
from app.engine.t3.engine import TokenEngine
from app.engine.t3.model import T3Model
from app.engine.t3.sequence import SequenceRequest
from tests.support.engine.checkpoint.tiny import TINY_NANO
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import ReplayedNoise, our_t3, send, upstream_t3
from tests.support.engine.t3.upstream_loops import upstream_llama, upstream_turbo

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*torch.backends.cuda.sdp_kernel\(\).*:FutureWarning"  # upstream's perceiver
)


Upstream = Callable[[T3, T3Conditionals, tuple[int, ...], SamplingParams], list[int]]


class Recording:
    """Upstream's draws (torch.multinomial made explicit), and the logits of both sides, by step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, t3: T3) -> None:
        self.draws: list[Tensor] = []
        self.theirs: list[Tensor] = []
        self.ours: list[Tensor] = []
        generator = torch.Generator().manual_seed(7)
        forward = T3Model.forward

        def multinomial(probabilities: Tensor, num_samples: int) -> Tensor:
            noise = torch.empty_like(probabilities).exponential_(1, generator=generator)
            self.draws.append(noise[0])
            return (probabilities / noise).argmax(dim=-1, keepdim=True)

        def recording_forward(model: T3Model, *args: object) -> Tensor:
            self.ours.append(forward(model, *args))
            return self.ours[-1]

        monkeypatch.setattr(torch, "multinomial", multinomial)
        monkeypatch.setattr(T3Model, "forward", recording_forward)
        t3.speech_head.register_forward_hook(
            lambda _module, _inputs, output: self.theirs.append(output[:, -1].clone())
        )


def test_torch_multinomial_draws_the_argmax_over_exponentials():
    probabilities = torch.randn(1, 8194, generator=torch.Generator().manual_seed(1)).softmax(-1)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        theirs = [torch.multinomial(probabilities, 1).item() for _ in range(20)]
        torch.manual_seed(5)
        noise = [torch.empty_like(probabilities).exponential_(1) for _ in range(20)]
    assert theirs == [(probabilities / q).argmax().item() for q in noise]


def compare(
    spec: T3Spec,
    t3: T3,
    theirs: Upstream,
    sampling: SamplingParams,
    monkeypatch: pytest.MonkeyPatch,
    *,
    num_tokens: int = 200,
) -> None:
    """Both sides have logits within 1e-4 in every step, and the same tokens, `num_tokens` or more.
    The first sequence computes the voice's prefix; the second begins with the kept prefix."""
    recording = Recording(monkeypatch, t3)
    voice, text = models.conditionals(3, spec.prompt_len), models.text_ids(5, 20)
    expected = theirs(t3, voice, text, sampling)
    keys = [models.session(name) for name in ("first", "second")]
    noise = ReplayedNoise(dict.fromkeys(keys, recording.draws))
    engine = TokenEngine(our_t3(t3, spec), models.settings(), noise=noise)
    stop_token = spec.stop_speech_token  # upstream's turbo leaves it out
    expected = [token for token in expected if token != stop_token]
    for key in keys:
        recording.ours.clear()
        send(engine, SequenceRequest(key, 0, text, voice, sampling))
        (sequence,) = engine._scheduler.live()
        while engine.has_work():
            engine.step()
        assert len(recording.ours) >= num_tokens
        pairs = zip(recording.ours, recording.theirs, strict=False)
        for step, (ours, upstreams) in enumerate(pairs):
            assert (ours - upstreams).abs().max() < 1e-4, f"logits differ in step {step}"
        assert (sequence.tokens[-1] == stop_token) == (sequence.finish is FinishReason.STOP)
        assert [token for token in sequence.tokens if token != stop_token] == expected
    assert engine._runner.kv_cache.num_prefixes == 1
    assert len(set(expected)) > num_tokens / 4  # the ids vary


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


@pytest.mark.full
@pytest.mark.parametrize("name", ENGLISH_SETTINGS)
def test_english_equals_upstream_over_200_tokens(name, monkeypatch):
    spec = models.ENGLISH
    compare(spec, upstream_t3(spec), upstream_llama, ENGLISH_SETTINGS[name], monkeypatch)


def test_multilingual_equals_upstream_without_its_analyzer(monkeypatch):
    """As upstream's master generates with every multilingual model, V2 and V3."""
    spec = models.MULTILINGUAL
    t3 = upstream_t3(spec)
    assert t3.hp.is_multilingual
    monkeypatch.setattr(type(t3.hp), "is_multilingual", False)
    sampling = replace(MULTILINGUAL_V3.sampling, max_tokens=220)
    assert sampling.repetition_penalty == 1.2  # of upstream's master; 0.1.7 has 2.0
    compare(spec, t3, upstream_llama, sampling, monkeypatch)


TURBO_SETTINGS = {
    "defaults": SAMPLING["turbo"],
    "flat": SamplingParams(temperature=1.0, top_k=0, top_p=1.0, repetition_penalty=1.0),
    "narrow": SamplingParams(temperature=0.6, top_k=40, top_p=0.7, repetition_penalty=1.5),
}


@pytest.mark.full
@pytest.mark.parametrize("name", TURBO_SETTINGS)
def test_turbo_equals_upstream_over_200_tokens(name, monkeypatch):
    spec = models.TURBO
    sampling = replace(TURBO_SETTINGS[name], max_tokens=220)
    compare(spec, upstream_t3(spec), upstream_turbo, sampling, monkeypatch)


@pytest.mark.full
def test_nano_equals_upstreams_loop_of_turbo(monkeypatch):
    spec, sampling = TINY_NANO.t3, replace(TINY_NANO.sampling, max_tokens=220)
    compare(spec, upstream_t3(spec), upstream_turbo, sampling, monkeypatch)


def test_the_comparison_finds_one_wrong_position_of_the_prompt(monkeypatch):
    embed = T3Model.embed_prompt

    def without_the_second_bos(model: T3Model, *args: object) -> Tensor:
        prompt = embed(model, *args)
        return prompt.index_fill(1, torch.tensor([prompt.shape[1] - 1]), 0.0)

    monkeypatch.setattr(T3Model, "embed_prompt", without_the_second_bos)
    spec, sampling = models.ENGLISH, SamplingParams(max_tokens=5)
    with pytest.raises(AssertionError, match="logits differ in step 0"):
        compare(spec, upstream_t3(spec), upstream_llama, sampling, monkeypatch, num_tokens=1)


@pytest.mark.long
@pytest.mark.parametrize("model", ["english", "turbo", "nano"])
def test_a_full_size_model_equals_upstream(model, monkeypatch):
    spec = FULL_SIZE[model]
    theirs = upstream_turbo if spec.family == "turbo" else upstream_llama
    sampling = replace(spec.sampling, max_tokens=12)
    compare(spec.t3, upstream_t3(spec.t3), theirs, sampling, monkeypatch, num_tokens=10)
