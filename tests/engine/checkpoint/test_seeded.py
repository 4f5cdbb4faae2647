"""Random full-size models: a function of the seed, with varied codec ids and valid voices."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from app.core import NUM_SPEECH_IDS
from app.engine.checkpoint.components import Component
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER, RandomModel, card_of
from app.engine.checkpoint.full_size import FULL_SIZE, RANDOM
from app.engine.checkpoint.seeded import SeededSource, build_seeded
from app.engine.checkpoint.source import open_checkpoint
from app.engine.checkpoint.spec import ModelSpec
from app.engine.conditionals import problem_of
from tests.support.engine.checkpoint.tiny import CPU, F32, TINY, TINY_TURBO


def state(component: Component, seed: int) -> Mapping[str, Tensor]:
    source = SeededSource(RandomModel(TINY, EMBEDDED_FOLDER / "embedded-babble", seed))
    module = source.load(component, CPU, F32)
    weights: Mapping[str, Tensor] = module.state_dict()
    return weights


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("component", list(Component))
def test_the_weights_depend_on_the_seed_alone(component: Component) -> None:
    first = state(component, seed=1)
    torch.rand(5)  # another draw in between changes nothing
    assert equal(first, state(component, seed=1))
    assert not equal(first, state(component, seed=2))


def test_the_global_generator_stays_unchanged() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    build_seeded(Component.T3, TINY, seed=1)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("spec", [TINY, TINY_TURBO], ids=["llama", "gpt2"])
def test_the_head_draws_many_different_codec_ids(spec: ModelSpec) -> None:
    t3 = build_seeded(Component.T3, spec, seed=1)
    with torch.no_grad():
        hidden = t3.tfmr(inputs_embeds=t3.speech_emb(torch.arange(100)[None]))[0]
        logits = t3.speech_head(hidden)[0]
    codec, others = logits[:, :NUM_SPEECH_IDS], logits[:, NUM_SPEECH_IDS:]
    assert (others == 0).all()
    assert codec.std() == pytest.approx(2.0, rel=0.1)
    # With the default min_p of 0.05, logits that are 3 below the best are never drawn.
    assert (codec.max(1).values > 3).all()
    assert len(set(codec.argmax(1).tolist())) > 50


def test_voices_are_valid_different_and_always_the_same() -> None:
    model = RandomModel(TINY, EMBEDDED_FOLDER / "embedded-babble")
    source = SeededSource(model)
    voices = [source.conditionals(name) for name in model.voices()]
    assert [problem_of(voice) for voice in voices] == [None] * len(voices)
    assert not torch.equal(voices[0].t3.prompt_tokens, voices[1].t3.prompt_tokens)
    second = source.conditionals(model.voices()[0])
    assert torch.equal(second.s3gen.prompt_mel, voices[0].s3gen.prompt_mel)


@pytest.mark.parametrize("name", RANDOM)
def test_random_models_are_opened_by_name(name: str) -> None:
    checkpoint = open_checkpoint(name)
    checkpoint.verify()
    card, published = card_of(checkpoint.model), FULL_SIZE[RANDOM[name]]
    assert (card.name, card.family) == (name, published.family)
    assert checkpoint.spec == published.model_copy(update={"name": name})
    language = "en" if card.languages else None
    ids = checkpoint.tokenizer().encode("Any text at all.", language)
    assert max(ids) < checkpoint.spec.t3.text_vocab
