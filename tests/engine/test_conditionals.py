"""Conditionals survive their file exactly, and a wrong file is refused."""

from dataclasses import replace

import pytest
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from chatterbox.tts import Conditionals as UpstreamConditionals
from safetensors.torch import load_file, save_file

from app.engine.conditionals import load_conditionals, load_legacy_conds, save_conditionals
from app.errors import CheckpointError
from tests.support.engine.conditionals import assert_same, random_conditionals

NUM_PROMPT_TOKENS = 40


@pytest.fixture
def conditionals():
    return random_conditionals("ann", seed=1, num_t3_tokens=150, num_s3gen_tokens=NUM_PROMPT_TOKENS)


def upstream(conditionals, *, prompt_token=None, prompt_feat=None):
    """The same voice in upstream's class."""
    t3, s3gen = conditionals.t3, conditionals.s3gen
    return UpstreamConditionals(
        T3Cond(
            speaker_emb=t3.speaker_emb[None],
            cond_prompt_speech_tokens=t3.prompt_tokens[None],
            emotion_adv=0.7 * torch.ones(1, 1, 1),
        ),
        {
            "prompt_token": s3gen.prompt_tokens[None] if prompt_token is None else prompt_token,
            "prompt_token_len": torch.tensor([NUM_PROMPT_TOKENS]),
            "prompt_feat": s3gen.prompt_mel[None] if prompt_feat is None else prompt_feat,
            "prompt_feat_len": None,
            "embedding": s3gen.speaker_emb[None],
        },
    )


def test_a_saved_voice_is_loaded_unchanged(conditionals, tmp_path):
    path = tmp_path / "ann.safetensors"
    save_conditionals(path, conditionals)
    assert_same(load_conditionals(path, "ann"), conditionals)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_file_has_one_tensor_per_field(conditionals, tmp_path):
    path = tmp_path / "ann.safetensors"
    save_conditionals(path, conditionals)
    assert set(load_file(path)) == {
        "t3.speaker_emb",
        "t3.prompt_tokens",
        "s3gen.prompt_tokens",
        "s3gen.prompt_mel",
        "s3gen.speaker_emb",
    }


WRONG = {
    "t3.speaker_emb": torch.zeros(255),
    "t3.prompt_tokens": torch.zeros(150),
    "s3gen.prompt_tokens": torch.full((NUM_PROMPT_TOKENS,), 6561),
    "s3gen.prompt_mel": torch.zeros(2 * NUM_PROMPT_TOKENS + 1, 80),
    "s3gen.speaker_emb": torch.full((192,), torch.nan),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_is_refused_with_its_file_and_name(conditionals, tmp_path, name):
    path = tmp_path / "ann.safetensors"
    save_conditionals(path, conditionals)
    save_file(load_file(path) | {name: WRONG[name]}, path)
    with pytest.raises(CheckpointError) as error:
        load_conditionals(path, "ann")
    assert str(path) in error.value.message
    assert name in error.value.message


def test_a_missing_or_unknown_field_is_refused_by_name(conditionals, tmp_path):
    path = tmp_path / "ann.safetensors"
    save_conditionals(path, conditionals)
    fields = load_file(path)
    fields["t3.emotion"] = fields.pop("s3gen.prompt_mel")
    save_file(fields, path)
    with pytest.raises(CheckpointError, match=r"s3gen\.prompt_mel.*t3\.emotion"):
        load_conditionals(path, "ann")


@pytest.mark.parametrize("load", [load_conditionals, load_legacy_conds])
def test_a_missing_empty_or_truncated_file_is_refused(conditionals, tmp_path, load):
    path = tmp_path / "ann"
    with pytest.raises(CheckpointError, match="No such file"):
        load(path, "ann")
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=str(path)):
        load(path, "ann")
    if load is load_conditionals:
        save_conditionals(path, conditionals)
    else:
        upstream(conditionals).save(path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=str(path)):
        load(path, "ann")


def test_upstreams_file_can_be_read(conditionals, tmp_path):
    path = tmp_path / "conds.pt"
    upstream(conditionals).save(path)
    assert_same(load_legacy_conds(path, "ann"), conditionals)


def test_upstreams_file_with_float_tokens_is_read_with_integer_tokens(conditionals, tmp_path):
    path = tmp_path / "conds.pt"
    as_float = conditionals.s3gen.prompt_tokens[None].float()  # as s3gen.forward leaves it
    upstream(conditionals, prompt_token=as_float).save(path)
    assert_same(load_legacy_conds(path, "ann"), conditionals)
    upstream(conditionals, prompt_token=as_float + 0.5).save(path)
    with pytest.raises(CheckpointError, match=r"s3gen\.prompt_tokens"):
        load_legacy_conds(path, "ann")


def test_upstreams_odd_last_frame_is_dropped(conditionals, tmp_path):
    path = tmp_path / "conds.pt"
    mel = conditionals.s3gen.prompt_mel
    upstream(conditionals, prompt_feat=torch.cat([mel, mel[:1]])[None]).save(path)
    assert_same(load_legacy_conds(path, "ann"), conditionals)
    upstream(conditionals, prompt_feat=mel[None, :-2]).save(path)
    with pytest.raises(CheckpointError, match=r"s3gen\.prompt_mel"):
        load_legacy_conds(path, "ann")


def test_nothing_in_upstreams_file_is_executed(conditionals, tmp_path):
    path = tmp_path / "conds.pt"
    torch.save(
        {"t3": replace(conditionals), "gen": {}}, path
    )  # an object of our class: unpickling it would run code
    with pytest.raises(CheckpointError, match=r"conds\.pt"):
        load_legacy_conds(path, "ann")
