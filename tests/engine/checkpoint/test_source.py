"""Models opened by name or by path, and the tokens and the sound of the embedded ones."""

import itertools
import shutil
from pathlib import Path

import pytest
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond
from torch.nn import functional as F

from app.core import NUM_SPEECH_IDS
from app.engine.checkpoint.build_vocoder import with_upstream_network
from app.engine.checkpoint.find_model import EMBEDDED_FOLDER, card_of, find_model
from app.engine.checkpoint.source import Checkpoint, open_checkpoint
from app.errors import CheckpointError, NotFound
from tests.support.engine.checkpoint.tiny import CPU, F32

pytestmark = pytest.mark.full  # seconds in all

EMBEDDED = ("embedded-babble", "embedded-turbo")


@pytest.fixture(scope="module", params=EMBEDDED)
def embedded(request: pytest.FixtureRequest) -> Checkpoint:
    return open_checkpoint(request.param)


def spoken_tokens(checkpoint: Checkpoint, text: str, count: int) -> torch.Tensor:
    """Drawn by upstream's own loops with the model's defaults."""
    t3 = checkpoint.load_t3(CPU, F32)
    sampling = checkpoint.spec.sampling
    voice = checkpoint.conditionals(checkpoint.voices()[0])
    condition = T3Cond(
        speaker_emb=voice.t3.speaker_emb[None],
        cond_prompt_speech_tokens=voice.t3.prompt_tokens[None],
        emotion_adv=torch.full((1, 1, 1), sampling.exaggeration),
    )
    ids = torch.tensor([checkpoint.tokenizer().encode(text, None)])
    spec = checkpoint.spec.t3
    torch.manual_seed(0)
    if checkpoint.spec.family == "turbo":
        return t3.inference_turbo(condition, ids, max_gen_len=count - 1)[0]
    return t3.inference(
        t3_cond=condition,
        text_tokens=F.pad(F.pad(ids, (1, 0), value=spec.start_text_token), (0, 1)).repeat(2, 1),
        max_new_tokens=count,
        top_p=sampling.top_p,
        min_p=sampling.min_p,
    )[0]


def sound(checkpoint: Checkpoint, tokens: torch.Tensor, voice_name: str) -> torch.Tensor:
    flow, mel2wav = checkpoint.load_vocoder(CPU)
    flow = with_upstream_network(flow, checkpoint.spec.s3gen)
    voice = checkpoint.conditionals(voice_name).s3gen
    torch.manual_seed(0)
    with torch.inference_mode():
        mel, _ = flow.inference(
            token=tokens[None],
            token_len=torch.tensor([len(tokens)]),
            prompt_token=voice.prompt_tokens[None],
            prompt_token_len=torch.tensor([len(voice.prompt_tokens)]),
            prompt_feat=voice.prompt_mel[None],
            prompt_feat_len=None,
            embedding=voice.speaker_emb[None],
            finalize=True,
            n_timesteps=checkpoint.spec.s3gen.euler_steps,
            noised_mels=torch.randn(1, 80, 2 * len(tokens)),
            meanflow=checkpoint.spec.s3gen.meanflow,
        )
        return mel2wav.inference(mel)[0][0]


def test_an_embedded_model_verifies_and_its_truncated_copy_does_not(
    embedded: Checkpoint, tmp_path: Path
) -> None:
    embedded.verify()
    shutil.copytree(EMBEDDED_FOLDER / embedded.spec.name, tmp_path / "copy")
    weights = max((tmp_path / "copy").glob("*.safetensors"), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=weights.stem):
        open_checkpoint(str(tmp_path / "copy")).verify()


def test_a_card_has_the_models_properties() -> None:
    llama, turbo = (card_of(find_model(name)) for name in EMBEDDED)
    assert (llama.name, llama.family, llama.has_cfg, llama.has_top_k) == (
        "embedded-babble", "english", True, False,
    )  # fmt: skip
    assert (turbo.name, turbo.family, turbo.has_cfg, turbo.has_top_k) == (
        "embedded-turbo", "turbo", False, True,
    )  # fmt: skip
    assert (llama.defaults.cfg_weight, llama.defaults.min_p, llama.defaults.top_p) == (0.5, 0.05, 1)
    assert (turbo.defaults.cfg_weight, turbo.defaults.top_p, turbo.defaults.top_k) == (
        0,
        0.95,
        1000,
    )
    assert llama.voices == turbo.voices == ("ada", "bela", "cleo")


@pytest.mark.parametrize(
    ("name", "max_segment_s", "max_tokens"),
    [("random-turbo", 20.0, 500), ("random-nano", 20.0, 500), ("random-english", None, 1000)],
)
def test_a_segment_has_no_more_tokens_than_its_model_bears(
    name: str, max_segment_s: float | None, max_tokens: int
) -> None:
    card = card_of(find_model(name))
    assert (card.max_segment_s, card.defaults.max_tokens) == (max_segment_s, max_tokens)


def test_embedded_t3_draws_varied_ids(embedded: Checkpoint) -> None:
    tokens = spoken_tokens(embedded, "It babbles, and the README says so.", 60)
    assert len(tokens) == 60
    assert tokens.max() < NUM_SPEECH_IDS
    assert len(set(tokens.tolist())) > 40


def test_embedded_sound_has_the_level_of_speech(embedded: Checkpoint) -> None:
    tokens = torch.randint(NUM_SPEECH_IDS, (50,), generator=torch.Generator().manual_seed(1))
    wav = sound(embedded, tokens, "ada")
    assert wav.shape == (50 * 960,)
    assert 0.03 < wav.square().mean().sqrt() < 0.1
    assert wav.abs().max() < 0.8  # not clipped
    assert wav.mean().abs() < 0.01
    assert wav.reshape(-1, 960).std(1).min() > 0.02  # no token is silent


def test_embedded_sound_depends_on_tokens_and_voice(embedded: Checkpoint) -> None:
    tokens = torch.arange(20)
    ada = sound(embedded, tokens, "ada")
    assert (sound(embedded, tokens + 1000, "ada") - ada).abs().max() > 0.05
    assert (sound(embedded, tokens, "bela") - ada).abs().max() > 0.05
    assert torch.equal(sound(embedded, tokens, "ada"), ada)


def test_embedded_voices_differ(embedded: Checkpoint) -> None:
    voices = [embedded.conditionals(name) for name in embedded.voices()]
    assert len(voices) >= 3
    for one, other in itertools.combinations(voices, 2):
        assert F.cosine_similarity(one.t3.speaker_emb, other.t3.speaker_emb, dim=0) < 0.95
        assert F.cosine_similarity(one.s3gen.speaker_emb, other.s3gen.speaker_emb, dim=0) < 0.95
        assert (one.t3.prompt_tokens != other.t3.prompt_tokens).float().mean() > 0.9
        assert (one.s3gen.prompt_mel - other.s3gen.prompt_mel).abs().mean() > 0.5


def test_embedded_enrolment_modules_have_the_sizes_of_the_spec(embedded: Checkpoint) -> None:
    models = embedded.load_enrolment(CPU)
    assert models.prompt_len == embedded.spec.t3.prompt_len
    assert models.voice_encoder.lstm.hidden_size == embedded.spec.voice_encoder_dim
    assert models.s3_tokenizer.config.n_audio_state == embedded.spec.s3gen.tokenizer.dim


def test_embedded_files_stay_small() -> None:
    bounds = {"embedded-babble": 12.5e6, "embedded-turbo": 12.5e6, "embedded": 40e6}
    sizes = {
        folder.name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for folder in EMBEDDED_FOLDER.iterdir()
    }
    assert sizes.keys() == bounds.keys()
    assert all(size <= bounds[name] for name, size in sizes.items()), sizes


def test_a_voice_that_the_model_lacks_is_not_found(embedded: Checkpoint) -> None:
    with pytest.raises(NotFound, match="nobody") as caught:
        embedded.conditionals("nobody")
    assert caught.value.param == "voice"


@pytest.mark.parametrize("name", ["embeded", "random-french", "", "random-"])
def test_the_error_for_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"embedded-turbo.*multilingual.*random-turbo"):
        open_checkpoint(name)


def test_a_path_without_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is not a folder"):
        open_checkpoint(str(tmp_path / "nothing"))


@pytest.mark.parametrize("name", ["embedded-babble", "random-english", "/"])
def test_a_revision_of_a_model_outside_the_hub_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match="revision:"):
        open_checkpoint(name, revision="1234")


def test_a_path_opens_the_folder_there() -> None:
    checkpoint = open_checkpoint(str(EMBEDDED_FOLDER / "embedded-babble"))
    assert checkpoint.spec.name == "embedded-babble"
