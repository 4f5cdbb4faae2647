"""Built modules have upstream's keys and shapes."""

import pytest
import torch
from chatterbox.models.s3gen import S3Gen
from chatterbox.models.t3 import T3
from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS
from chatterbox.models.t3.modules.t3_config import T3Config
from chatterbox.models.voice_encoder import VoiceEncoder
from torch import nn

from app.engine.checkpoint.build_enrolment import (
    build_speaker_encoder,
    build_speech_tokenizer,
    build_voice_encoder,
)
from app.engine.checkpoint.build_t3 import build_t3
from app.engine.checkpoint.build_vocoder import build_flow, build_hift
from app.engine.checkpoint.full_size import ENGLISH, MULTILINGUAL, NANO, TURBO
from app.engine.checkpoint.spec import ModelSpec
from app.engine.checkpoint.t3_tensors import t3_shapes, unread_by_t3
from tests.support.engine.checkpoint.tiny import TINY, TINY_TURBO
from tests.support.engine.checkpoint.whole_s3gen import build_s3gen


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}


def turbo_hyperparameters(backbone: str = "GPT2_medium") -> T3Config:
    """As upstream's ChatterboxTurboTTS.from_local sets them."""
    hyperparameters = T3Config(text_tokens_dict_size=50276)
    hyperparameters.llama_config_name = backbone
    hyperparameters.speech_tokens_dict_size = 6563
    hyperparameters.input_pos_emb = None
    hyperparameters.speech_cond_prompt_len = 375
    hyperparameters.use_perceiver_resampler = False
    hyperparameters.emotion_adv = False
    return hyperparameters


@pytest.mark.parametrize(
    ("spec", "upstream"),
    [
        (ENGLISH, T3Config.english_only()),
        (MULTILINGUAL, T3Config.multilingual()),
        (TURBO, turbo_hyperparameters()),
    ],
    ids=["english", "multilingual", "turbo"],
)
def test_full_size_t3_has_upstreams_shapes(spec: ModelSpec, upstream: T3Config) -> None:
    with torch.device("meta"):
        assert shapes(build_t3(spec.t3)) == shapes(T3(upstream))


def test_full_size_nano_has_the_shapes_of_upstreams_master(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class is Turbo's. Only the table of backbones of the wheel lacks its line."""
    sizes = {"n_embd": 768, "hidden_size": 768, "n_head": 12, "n_layer": 12}
    monkeypatch.setitem(LLAMA_CONFIGS, "GPT2_small", LLAMA_CONFIGS["GPT2_medium"] | sizes)
    with torch.device("meta"):
        assert shapes(build_t3(NANO.t3)) == shapes(T3(turbo_hyperparameters("GPT2_small")))


@pytest.mark.full
@pytest.mark.parametrize("spec", [ENGLISH, TURBO], ids=["ten steps", "mean-flow"])
def test_full_size_s3gen_has_upstreams_shapes(spec: ModelSpec) -> None:
    with torch.device("meta"):
        assert shapes(build_s3gen(spec.s3gen)) == shapes(S3Gen(meanflow=spec.s3gen.meanflow))


@pytest.mark.parametrize("spec", [ENGLISH, MULTILINGUAL, TURBO, NANO, TINY, TINY_TURBO])
def test_the_table_of_t3s_tensors_has_upstreams_shapes(spec: ModelSpec) -> None:
    unread = tuple(f"{name}." for name in unread_by_t3(spec.t3))
    with torch.device("meta"):
        upstreams = shapes(build_t3(spec.t3))
    assert any(key.startswith(unread) for key in upstreams)
    assert t3_shapes(spec.t3) == {
        key: shape for key, shape in upstreams.items() if not key.startswith(unread)
    }


def test_the_full_size_voice_encoder_has_upstreams_shapes() -> None:
    with torch.device("meta"):
        assert shapes(build_voice_encoder()) == shapes(VoiceEncoder())


@pytest.mark.parametrize("spec", [TINY, TINY_TURBO], ids=["llama", "gpt2"])
def test_the_components_of_s3gen_make_the_whole(spec: ModelSpec) -> None:
    whole = shapes(build_s3gen(spec.s3gen))
    parts = {
        "flow": build_flow(spec.s3gen),
        "mel2wav": build_hift(spec.s3gen.hift),
        "tokenizer": build_speech_tokenizer(spec.s3gen.tokenizer),
        "speaker_encoder": build_speaker_encoder(spec.s3gen.speaker_encoder),
    }
    assert whole == {
        f"{name}.{key}": shape
        for name, part in parts.items()
        for key, shape in shapes(part).items()
    }


def test_modules_are_built_in_eval_mode() -> None:
    for module in (build_t3(TINY.t3), build_s3gen(TINY.s3gen), build_voice_encoder(32)):
        assert not any(part.training for part in module.modules())


def test_upstreams_table_of_backbones_stays_unchanged() -> None:
    before = set(LLAMA_CONFIGS)
    build_t3(TINY.t3)
    assert set(LLAMA_CONFIGS) == before
