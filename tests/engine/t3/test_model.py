"""The embeddings before the backbone equal upstream's at every position."""

import pytest
import torch
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from app.engine.checkpoint.full_size import ENGLISH as FULL_ENGLISH
from app.engine.t3.llama import rotary_frequencies
from app.engine.t3.model import T3Model
from tests.support.engine.t3 import models
from tests.support.engine.t3.models import our_t3, upstream_cond, upstream_t3

pytestmark = pytest.mark.filterwarnings(
    r"ignore:.*torch.backends.cuda.sdp_kernel\(\).*:FutureWarning"  # upstream's perceiver
)


@pytest.fixture(scope="module", params=[models.ENGLISH, models.TURBO], ids=["english", "turbo"])
def pair(request):
    t3 = upstream_t3(request.param)
    return t3, our_t3(t3, request.param)


@pytest.mark.parametrize("exaggeration", [0.0, 0.5, 1.7])
def test_a_prefix_equals_upstreams(pair, exaggeration):
    t3, model = pair
    voice = models.conditionals(2, 120)
    theirs = t3.prepare_conditioning(upstream_cond(voice, exaggeration))[0]
    ours = model.conditioning.encode(voice, exaggeration)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)
    assert len(ours) == model.num_prefix(voice)


def test_an_english_prompt_equals_upstreams_and_has_a_second_bos():
    t3 = upstream_t3(models.ENGLISH)
    model = our_t3(t3, models.ENGLISH)
    voice, text = models.conditionals(2), models.text_ids(1, 9)
    framed = torch.tensor([[255, *text, 0]] * 2)
    theirs, _ = t3.prepare_input_embeds(
        t3_cond=upstream_cond(voice, 0.5),
        text_tokens=framed,
        speech_tokens=torch.full((2, 1), 6561),
        cfg_weight=0.5,
    )
    ours = model.embed_prompt(model.conditioning.encode(voice, 0.5), text, 2)
    assert ours.shape == (2, model.num_prompt(voice, 9), 64)
    assert ours.shape[1] == 34 + 9 + 2 + 2
    torch.testing.assert_close(ours[:, :-1], theirs, atol=1e-6, rtol=1e-5)
    assert torch.equal(ours[:, -1], ours[:, -2])


def test_a_turbo_prompt_equals_upstreams():
    t3 = upstream_t3(models.TURBO)
    model = our_t3(t3, models.TURBO)
    voice, text = models.conditionals(2, 60), models.text_ids(1, 9)
    theirs, _ = t3.prepare_input_embeds(
        t3_cond=upstream_cond(voice, 0.0),
        text_tokens=torch.tensor([text]),
        speech_tokens=torch.tensor([[6561]]),
    )
    ours = model.embed_prompt(model.conditioning.encode(voice, 0.0), text, 1)
    assert ours.shape[1] == model.num_prompt(voice, 9) == 61 + 9 + 1
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("spec", [models.ENGLISH, FULL_ENGLISH.t3], ids=["tiny", "full"])
def test_rotary_frequencies_equal_transformers(spec):
    with torch.device("meta"):
        config = upstream_t3(models.ENGLISH).cfg
    scaling = spec.rope_scaling.model_dump()
    config.rope_parameters = {"rope_type": "llama3", "rope_theta": spec.rope_theta, **scaling}
    config.head_dim = spec.head_dim
    config.max_position_embeddings = spec.max_positions
    theirs = LlamaRotaryEmbedding(config).inv_freq
    torch.testing.assert_close(rotary_frequencies(spec), theirs, rtol=1e-6, atol=0)


def test_weights_that_inference_never_reads_may_be_missing(pair):
    t3, whole = pair
    unread = ("text_head.", "tfmr.wte.", "tfmr.embed_tokens.")
    state = {key: value for key, value in t3.state_dict().items() if not key.startswith(unread)}
    assert len(state) < len(t3.state_dict())
    spec = models.TURBO if t3.is_gpt else models.ENGLISH
    model = T3Model(spec, state, models.CPU, torch.float32)
    voice, text = models.conditionals(2, 60), models.text_ids(1, 9)
    prompts = [m.embed_prompt(m.conditioning.encode(voice, 0.5), text, 1) for m in (model, whole)]
    assert torch.equal(*prompts)


def test_a_prompt_without_its_prefix_is_the_rest_of_the_prompt(pair):
    _, model = pair
    voice, text = models.conditionals(2, 60), models.text_ids(1, 9)
    num_rows = 2 if model.spec.learned_positions else 1
    prefix = model.conditioning.encode(voice, 0.5)
    whole = model.embed_prompt(prefix, text, num_rows)
    assert torch.equal(model.embed_prompt(None, text, num_rows), whole[:, len(prefix) :])
